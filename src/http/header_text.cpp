#include "http/header_text.hpp"

#include "http/scan.hpp"

namespace weft::http {

bool is_token(std::string_view text) {
  return !text.empty() && scan::name_end(text, 0) == text.size();
}

bool is_field_value(std::string_view text) { return scan::value_end(text, 0) == text.size(); }

}  // namespace weft::http
