#include "app/error_wording.hpp"

#include <string>

#include "app/malformed_json.hpp"
#include "http/exchange.hpp"
#include "http/response_fields.hpp"
#include "http/site.hpp"
#include "http/status.hpp"
#include "weft/bind.hpp"

namespace weft::app {

namespace {

constexpr std::string_view kSomeFields = "Some fields are not as they must be";

bool is_plain(const HttpError& error) noexcept {
  return error.content_type().starts_with("text/plain");
}

std::string_view without_line_end(std::string_view text) noexcept {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

// `members` are further ones of the object, without its braces.
using Write = void (*)(int status, std::string_view text, std::string_view members,
                       http::Response& response);

void write_json_error(int status, std::string_view text, std::string_view members,
                      http::Response& response) {
  std::string body = "{\"error\":";
  write_json(text.empty() ? http::reason_phrase(status) : text, body);
  if (!members.empty()) body.append(",").append(members);
  response.content_type = "application/json";
  response.body.assign(body += '}');
}

// RFC 9457. The title is that of the status, as it is to be where the type says no more.
void write_problem(int status, std::string_view text, std::string_view members,
                   http::Response& response) {
  const std::string_view title = http::reason_phrase(status);
  std::string body = "{\"type\":\"about:blank\"";
  if (!title.empty()) {
    body += ",\"title\":";
    write_json(title, body);
  }
  body += ",\"status\":" + std::to_string(status);
  if (!text.empty() && text != title) {
    body += ",\"detail\":";
    write_json(text, body);
  }
  if (!members.empty()) body.append(",").append(members);
  response.content_type = "application/problem+json";
  response.body.assign(body += '}');
}

template <Write write>
void word_text(int status, std::string_view text, http::Response& response) {
  write(status, text, {}, response);
}

template <Write write>
void word_thrown(const HttpError& error, http::Response& response) {
  const int status = error.status();
  const std::string_view said = without_line_end(error.what());
  if (is_plain(error)) return write(status, said, {}, response);
  if (const auto* const malformed = dynamic_cast<const MalformedJson*>(&error)) {
    return write(status, MalformedJson::kWords, malformed->members(), response);
  }
  if (dynamic_cast<const BindError*>(&error) != nullptr) {
    return write(status, kSomeFields, said.substr(1, said.size() - 2), response);
  }
}

template <Write write>
constexpr http::ErrorWording kWording{&word_text<write>, &word_thrown<write>};

}  // namespace

http::ErrorWording wording_of(ErrorFormat format) noexcept {
  switch (format) {
    case ErrorFormat::json: return kWording<&write_json_error>;
    case ErrorFormat::problem: return kWording<&write_problem>;
    case ErrorFormat::text: break;
  }
  return {};
}

bool is_worded(const HttpError& error) noexcept {
  return is_plain(error) || dynamic_cast<const MalformedJson*>(&error) != nullptr ||
         dynamic_cast<const BindError*>(&error) != nullptr;
}

void answer_error(Context& context, int status, std::string_view text) {
  http::Exchange& exchange = context.exchange();
  http::require_head_to_come(exchange.response());
  http::answer_error(exchange.site().error_wording, exchange.response(), status, text);
}

}  // namespace weft::app
