// Forms: fields and files out of a body, in either of the types that browsers send.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "app/file_name.hpp"
#include "app/form_data.hpp"
#include "app/media_type.hpp"
#include "http/head_parser.hpp"
#include "http/multipart.hpp"
#include "http/query.hpp"
#include "http/uri.hpp"
#include "weft/body_reader.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace {

constexpr std::size_t kCopyBytes = 64 * 1024;

[[noreturn]] void refuse(int status, std::string_view what) {
  throw HttpError(status, "The form cannot be read: " + std::string(what) + "\n");
}

std::string temporary_folder() {
  const char* const named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

}  // namespace

// Takes a multipart body apart, as it comes.
class FormReader {
 public:
  FormReader(http::Exchange& exchange, const FormLimits& limits, app::FormData& into)
      : exchange_(exchange), limits_(limits), into_(into) {}

  void read_encoded() {
    std::size_t count = 0;
    for (const http::QueryPair& pair : http::Query(exchange_.read_body())) {
      if (count++ == limits_.parts) refuse(413, "it has too many fields");
      auto name = http::percent_decode(pair.name, http::UriPart::query);
      auto value = http::percent_decode(pair.value, http::UriPart::query);
      if (!name || !value) refuse(400, "a percent sign without two hexadecimal digits");
      charge(name->size() + value->size());
      if (value->size() > limits_.field_bytes) refuse(413, "a field is too long");
      into_.fields.push_back({std::move(*name), std::move(*value)});
    }
  }

  void read_multipart(const std::string& boundary) {
    using Event = http::MultipartParser::Event;
    http::MultipartParser parser(
        boundary, {.parts = limits_.parts, .part_header_bytes = limits_.part_header_bytes});
    BodyReader body(exchange_);
    for (std::string_view bytes = body.read(); !bytes.empty(); bytes = body.read()) {
      for (Event event = parser.next(bytes); event != Event::need_more;
           event = parser.next(bytes)) {
        switch (event) {
          case Event::part_begin: begin(parser.part()); break;
          case Event::data: add(parser.data()); break;
          case Event::malformed: refuse(400, parser.reason());
          case Event::too_large: refuse(413, parser.reason());
          default: break;
        }
      }
    }
    if (!parser.has_ended()) refuse(400, "it ends before its last boundary");
  }

 private:
  void charge(std::size_t bytes) {
    fields_bytes_ += bytes;
    if (fields_bytes_ > limits_.fields_bytes) refuse(413, "its fields are too long");
  }
  void begin(const http::PartHead& part) {
    in_file_ = part.file_name.has_value();
    charge(part.name.size());
    if (!in_file_) {
      into_.fields.push_back({part.name, {}});
      return;
    }
    Upload& upload = into_.uploads.emplace_back();
    upload.field_ = part.name;
    upload.sent_file_name_ = *part.file_name;
    upload.file_name_ = app::harmless_file_name(*part.file_name);
    upload.content_type_ =
        part.content_type.empty() ? "application/octet-stream" : part.content_type;
  }
  void add(std::string_view bytes) {
    if (!in_file_) {
      std::string& value = into_.fields.back().value;
      charge(bytes.size());
      if (value.size() + bytes.size() > limits_.field_bytes) refuse(413, "a field is too long");
      value.append(bytes);
      return;
    }
    Upload& upload = into_.uploads.back();
    if (bytes.size() > limits_.file_bytes - upload.size_) refuse(413, "a file is too long");
    upload.size_ += bytes.size();
    if (!upload.file_ && bytes.size() <= limits_.memory_bytes - memory_bytes_) {
      memory_bytes_ += bytes.size();
      upload.memory_.append(bytes);
      return;
    }
    if (!upload.file_) move_to_disk(upload);
    // The bytes lie where the next read of the body puts others, and this may park; but nobody else
    // reads it.
    if (auto written = upload.file_->write(bytes); !written) fail("write", written.error());
  }
  void move_to_disk(Upload& upload) {
    auto file = File::temporary(temporary_folder());
    if (!file) fail("make", file.error());
    if (auto written = file->write(upload.memory_); !written) fail("write", written.error());
    memory_bytes_ -= upload.memory_.size();
    upload.memory_ = std::string();
    upload.file_.emplace(std::move(*file));
  }
  [[noreturn]] static void fail(const char* what, const Error& error) {
    throw std::runtime_error(std::string("cannot ") + what + " a temporary file in " +
                             temporary_folder() + ": " + error.message());
  }

  http::Exchange& exchange_;
  const FormLimits& limits_;
  app::FormData& into_;
  bool in_file_ = false;
  std::size_t fields_bytes_ = 0;
  std::size_t memory_bytes_ = 0;
};

namespace app {

FormData& form_of(http::Exchange& exchange, const FormLimits& limits) {
  if (auto* const made = static_cast<FormData*>(exchange.form().get())) return *made;
  const MediaType type = media_type(exchange.head().find("content-type").value_or(""));
  auto form = std::make_shared<FormData>();
  FormReader reader(exchange, limits, *form);
  if (type.is("application/x-www-form-urlencoded")) {
    reader.read_encoded();
  } else if (type.is("multipart/form-data")) {
    const auto boundary = type.parameter("boundary");
    if (!boundary || !http::is_boundary(*boundary)) refuse(400, "its Content-Type has no boundary");
    reader.read_multipart(*boundary);
  } else {
    throw HttpError(415, "Send application/x-www-form-urlencoded or multipart/form-data\n");
  }
  exchange.form() = form;
  return *form;
}

}  // namespace app

void Context::read_form(const FormLimits& limits) { app::form_of(exchange_, limits); }

std::string_view Context::form(std::string_view name, std::string_view fallback) {
  for (const app::FormField& field : app::form_of(exchange_).fields) {
    if (field.name == name) return field.value;
  }
  return fallback;
}

std::vector<std::string_view> Context::form_all(std::string_view name) {
  std::vector<std::string_view> values;
  for (const app::FormField& field : app::form_of(exchange_).fields) {
    if (field.name == name) values.emplace_back(field.value);
  }
  return values;
}

Upload* Context::upload(std::string_view name) {
  for (Upload& one : app::form_of(exchange_).uploads) {
    if (one.field() == name) return &one;
  }
  return nullptr;
}

std::vector<Upload*> Context::uploads(std::string_view name) {
  std::vector<Upload*> found;
  for (Upload& one : app::form_of(exchange_).uploads) {
    if (name.empty() || one.field() == name) found.push_back(&one);
  }
  return found;
}

Result<void> Upload::save_as(const std::string& path) const {
  auto to = File::create(path);
  if (!to) return to.error();
  if (!file_) return to->write(memory_);
  std::string piece(std::min<std::uint64_t>(kCopyBytes, size_), '\0');
  for (std::uint64_t at = 0; at < size_;) {
    const auto got = file_->read_at(at, piece);
    if (!got) return got.error();
    if (*got == 0) return Error{ErrorCode::end_of_stream, 0};
    if (auto put = to->write({piece.data(), *got}); !put) return put;
    at += *got;
  }
  return {};
}

Result<std::string> Upload::read() const {
  if (!file_) return memory_;
  std::string all(size_, '\0');
  for (std::uint64_t at = 0; at < size_;) {
    const auto got = file_->read_at(at, {all.data() + at, all.size() - at});
    if (!got) return got.error();
    if (*got == 0) return Error{ErrorCode::end_of_stream, 0};
    at += *got;
  }
  return all;
}

}  // namespace weft
