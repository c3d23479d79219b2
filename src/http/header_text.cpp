#include "http/header_text.hpp"

#include "http/scan.hpp"

namespace weft::http {

bool is_token(std::string_view text) {
  return !text.empty() && scan::name_end(text, 0) == text.size();
}

bool is_field_value(std::string_view text) { return scan::value_end(text, 0) == text.size(); }

std::string_view trim_blanks(std::string_view text) {
  const auto is_blank = [](char byte) { return byte == ' ' || byte == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_element(std::string_view& list) {
  const std::size_t comma = list.find(',');
  const std::string_view element = trim_blanks(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return element;
}

}  // namespace weft::http
