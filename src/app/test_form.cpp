// TestForm, and what makes a TestRequest.
#include <algorithm>
#include <utility>

#include "weft/test_client.hpp"

namespace weft {

namespace {

bool is_unreserved(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

// As browsers encode the fields of a form.
void append_encoded(std::string& out, std::string_view text) {
  for (const char byte : text) {
    if (is_unreserved(byte)) {
      out += byte;
    } else if (byte == ' ') {
      out += '+';
    } else {
      const auto value = static_cast<unsigned char>(byte);
      out += '%';
      out += "0123456789ABCDEF"[value >> 4];
      out += "0123456789ABCDEF"[value & 15];
    }
  }
}

// As browsers quote what stands in a Content-Disposition.
std::string in_form_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    switch (byte) {
      case '"': out += "%22"; break;
      case '\r': out += "%0D"; break;
      case '\n': out += "%0A"; break;
      default: out += byte;
    }
  }
  return out += '"';
}

}  // namespace

TestForm& TestForm::field(std::string name, std::string value) {
  parts_.push_back({std::move(name), std::move(value), {}, {}});
  return *this;
}

TestForm& TestForm::file(std::string field, std::string file_name, std::string content,
                         std::string content_type) {
  parts_.push_back(
      {std::move(field), std::move(content), std::move(file_name), std::move(content_type)});
  return *this;
}

bool TestForm::has_files() const noexcept {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return !part.content_type.empty(); });
}

// One that occurs in no part.
std::string TestForm::boundary() const {
  for (unsigned number = 0;; ++number) {
    std::string wanted = "weft-form-" + std::to_string(number);
    if (std::none_of(parts_.begin(), parts_.end(), [&](const Part& part) {
          return part.value.find(wanted) != std::string::npos;
        })) {
      return wanted;
    }
  }
}

std::string TestForm::content_type() const {
  if (!has_files()) return "application/x-www-form-urlencoded";
  return "multipart/form-data; boundary=" + boundary();
}

std::string TestForm::body() const {
  std::string out;
  if (!has_files()) {
    for (const Part& part : parts_) {
      if (!out.empty()) out += '&';
      append_encoded(out, part.name);
      out += '=';
      append_encoded(out, part.value);
    }
    return out;
  }
  const std::string delimiter = "--" + boundary();
  for (const Part& part : parts_) {
    out.append(delimiter).append("\r\nContent-Disposition: form-data; name=");
    out.append(in_form_quotes(part.name));
    if (!part.content_type.empty()) {
      out.append("; filename=").append(in_form_quotes(part.file_name));
      out.append("\r\nContent-Type: ").append(part.content_type);
    }
    out.append("\r\n\r\n").append(part.value).append("\r\n");
  }
  return out.append(delimiter).append("--\r\n");
}

TestRequest::TestRequest(std::string method, std::string target) {
  request_.method = std::move(method);
  request_.url = std::move(target);
}

TestRequest& TestRequest::header(std::string name, std::string value) {
  request_.headers.push_back({std::move(name), std::move(value)});
  return *this;
}

TestRequest& TestRequest::typed(std::string content_type) {
  return header("Content-Type", std::move(content_type));
}

TestRequest& TestRequest::body(std::string bytes, std::string content_type) {
  request_.body = std::move(bytes);
  return typed(std::move(content_type));
}

TestRequest& TestRequest::json(const JsonValue& value) {
  request_.body.clear();
  write_json(value, request_.body);
  return typed("application/json");
}

TestRequest& TestRequest::json(std::initializer_list<JsonMember> object) {
  return json(JsonValue(object));
}

TestRequest& TestRequest::form(const TestForm& form) {
  return body(form.body(), form.content_type());
}

TestRequest& TestRequest::chunks(std::vector<std::string> pieces, std::string content_type) {
  chunks_ = std::move(pieces);
  request_.body_of_unknown_length = true;
  return typed(std::move(content_type));
}

TestRequest& TestRequest::trailer(std::string name, std::string value) {
  trailers_.push_back({std::move(name), std::move(value)});
  return *this;
}

}  // namespace weft
