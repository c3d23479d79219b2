// Context::file(): what the http layer makes of a file, told as an answer.
#include "app/file_answers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <utility>

#include "http/content_type.hpp"
#include "http/exchange.hpp"
#include "http/file_answer.hpp"
#include "http/served_file.hpp"
#include "http/served_path.hpp"
#include "http/site.hpp"
#include "http/status.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/file_root.hpp"

namespace weft {

namespace {

std::int64_t wall_clock_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void add_content_range(http::Response& response, const http::FileAnswer& part, std::uint64_t size) {
  std::string range = "bytes ";
  if (part.status == 416) {
    range += '*';
  } else {
    range += std::to_string(part.offset) + "-" + std::to_string(part.offset + part.length - 1);
  }
  response.add_field("Content-Range", range + "/" + std::to_string(size));
}

}  // namespace

namespace app {

int status_of_file(const Error& error) {
  switch (error.os_errno) {
    case EACCES:
    case EPERM: return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return 503;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case EXDEV:
    case ENXIO:
    case ENODEV:
    case ENAMETOOLONG: return 404;
    default: return 500;
  }
}

bool refuse_file(http::Exchange& exchange, int status) {
  http::Response& response = exchange.response();
  const http::ErrorWording& wording = exchange.site().error_wording;
  const std::string_view type = response.content_type;
  http::answer_error(wording, response, status, std::string(http::reason_phrase(status)) + "\n");
  if (response.content_type_chosen && wording.text == nullptr) response.content_type = type;
  return false;
}

bool answer_with_file(http::Exchange& exchange, const http::ServedFile& file,
                      std::string_view content_type, std::string_view coding) {
  http::Response& response = exchange.response();
  const http::FileFacts& facts = file.facts();
  const http::FileValidators validators(facts, wall_clock_ns(), coding);
  http::FileAnswer part{response.status, 0, facts.size};
  // Who has chosen another status wants it said, with all of the file.
  if (response.status == 200) {
    part = http::answer_with_file(exchange.head(), facts, validators);
    response.add_field("Last-Modified", validators.last_modified());
    response.add_field("ETag", validators.tag());
    response.add_field("Accept-Ranges", "bytes");
  }
  if (part.status == 206 || part.status == 416) add_content_range(response, part, facts.size);
  if (part.status == 412 || part.status == 416) {
    refuse_file(exchange, part.status);
    return true;
  }
  response.status = part.status;
  response.body.clear();
  if (!http::allows_body(part.status)) return true;
  if (!response.content_type_chosen) response.content_type = content_type;
  if (!coding.empty()) response.add_field("Content-Encoding", coding);
  exchange.bodies().begin_answer_stream(part.length);
  if (exchange.head().head().method == http::Method::head) return true;
  exchange.bodies().write_file(file.fd(), part.offset, part.length);
  return true;
}

}  // namespace app

namespace {

bool serve(http::Exchange& exchange, const Result<http::ServedFile>& file, std::string_view name) {
  // Opening it may have been given up with the request.
  if (!file) check_cancelled();
  if (!file) return app::refuse_file(exchange, app::status_of_file(file.error()));
  return app::answer_with_file(exchange, *file, http::content_type_of(name));
}

}  // namespace

bool Context::file(const std::string& path) {
  return serve(exchange_, http::ServedFile::open(path), path);
}

bool Context::file(const FileRoot& root, std::string_view path) {
  if (http::hides_something(exchange_.path()) || !http::is_ordinary(path)) {
    return app::refuse_file(exchange_, 404);
  }
  return serve(exchange_, http::ServedFile::open_beneath(root.fd(), std::string(path)), path);
}

Result<FileRoot> FileRoot::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error::from_errno(errno);
  return FileRoot(fd);
}

FileRoot::FileRoot(FileRoot&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileRoot& FileRoot::operator=(FileRoot&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileRoot::~FileRoot() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace weft
