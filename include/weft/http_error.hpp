// HttpError: what a handler or middleware throws to end a request with a status of its own.
//
//     throw weft::HttpError(404, "no such user\n");
//
// It is answered with that status and logged nowhere; middleware on the way out may catch it, as
// any exception. Context::abort() throws one.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace weft {

class HttpError : public std::runtime_error {
 public:
  // A status from 400 to 599, anything else becomes 500. `text` is the answer's body; its type must
  // outlive the request, as a literal does.
  explicit HttpError(int status, const std::string& text = {},
                     std::string_view content_type = "text/plain; charset=utf-8")
      : std::runtime_error(text),
        status_(status >= 400 && status <= 599 ? status : 500),
        content_type_(content_type) {}

  // The status of the answer.
  int status() const noexcept { return status_; }
  // The type of its body.
  std::string_view content_type() const noexcept { return content_type_; }

 private:
  int status_;
  std::string_view content_type_;
};

}  // namespace weft
