#include "app/malformed_json.hpp"

#include <utility>

#include "weft/json.hpp"

namespace weft::app {

namespace {

std::string members_of(const JsonError& error) {
  std::string text = "\"message\":";
  write_json(error.message, text);
  return text + ",\"line\":" + std::to_string(error.line) +
         ",\"column\":" + std::to_string(error.column) +
         ",\"offset\":" + std::to_string(error.offset);
}

}  // namespace

MalformedJson::MalformedJson(const JsonError& error) : MalformedJson(members_of(error)) {}

MalformedJson::MalformedJson(std::string members)
    : HttpError(400, "{\"error\":\"" + std::string(kWords) + "\"," + members + "}\n",
                "application/json"),
      members_(std::move(members)) {}

}  // namespace weft::app
