// What the body of an error's answer says: plain text, unless a site has its errors in another
// shape.
//
// Plain data; the worker's thread.
#pragma once

#include <string_view>

#include "http/response.hpp"

namespace weft {
class HttpError;
}

namespace weft::http {

// How a site words errors: each puts a body and its type into the response, whose status is set.
// They must not wait, nor throw anything but std::bad_alloc. Null pointers: plain text.
struct ErrorWording {
  // A text without a line end, which may be empty.
  void (*text)(int status, std::string_view text, Response& response) = nullptr;
  // What a handler has thrown, whose own words the response has by then.
  void (*thrown)(const HttpError& error, Response& response) = nullptr;
};

// Makes it an answer of that status with a body that says `text`, as it stands in plain text.
void answer_error(const ErrorWording& wording, Response& response, int status,
                  std::string_view text);

// The same with the words that a handler has thrown.
void answer_thrown(const ErrorWording& wording, Response& response, const HttpError& error);

}  // namespace weft::http
