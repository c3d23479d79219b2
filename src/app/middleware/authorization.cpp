#include "app/middleware/authorization.hpp"

#include <stdexcept>

#include "app/error_wording.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "weft/context.hpp"

namespace weft::app {

std::size_t count_fields(Context& context, std::string_view name) {
  const http::HeadView& head = context.exchange().head();
  std::size_t count = 0;
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    if (http::equals_ignoring_case(head.header(i).name, name)) ++count;
  }
  return count;
}

Authorization read_authorization(Context& context, std::string_view scheme) {
  const auto value = context.exchange().head().find("authorization");
  if (!value) return {};
  if (count_fields(context, "authorization") > 1) return {Authorization::Found::several, {}};
  const std::string_view text = *value;
  const std::size_t end = text.find_first_of(" \t");
  if (!http::equals_ignoring_case(text.substr(0, end), scheme)) return {};
  // RFC 9110 §11.4: one space or more; then what is left is the scheme's own affair.
  const std::string_view rest = end == std::string_view::npos ? "" : text.substr(end);
  return {Authorization::Found::credentials, http::trim_blanks(rest)};
}

std::string challenge(std::string_view scheme, std::string_view realm, std::string_view whose) {
  if (!http::is_field_value(realm)) {
    throw std::invalid_argument(std::string(whose) +
                                " has a realm with a control byte in it: take that out");
  }
  std::string text = std::string(scheme) + " realm=\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

void refuse(Context& context, int status, std::string_view challenge, std::string_view text) {
  answer_error(context, status, text);
  context.set_header("WWW-Authenticate", challenge);
}

}  // namespace weft::app
