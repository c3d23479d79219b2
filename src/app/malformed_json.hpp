// MalformedJson: the 400 for a body that is no JSON, with the place where it is none.
#pragma once

#include <string>

#include "weft/http_error.hpp"
#include "weft/json_document.hpp"

namespace weft::app {

class MalformedJson : public HttpError {
 public:
  explicit MalformedJson(const JsonError& error);

  // What it says, and the rest of it as members of a JSON object, without its braces.
  static constexpr std::string_view kWords = "the body is no JSON";
  const std::string& members() const noexcept { return members_; }

 private:
  MalformedJson(std::string members);

  std::string members_;
};

}  // namespace weft::app
