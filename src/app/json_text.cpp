#include "app/json_text.hpp"

#include <utility>

namespace weft::app {

JsonText& JsonText::key(std::string_view name) {
  before_value();
  write_json(name, text_);
  text_ += ": ";
  behind_key_ = true;
  return *this;
}

JsonText& JsonText::value(const JsonValue& value) {
  before_value();
  write_json(value, text_);
  return *this;
}

JsonText& JsonText::raw(std::string_view json) {
  before_value();
  text_ += json;
  return *this;
}

JsonText& JsonText::strings(std::string_view name, const std::vector<std::string>& all) {
  key(name).begin_array();
  for (const std::string& one : all) value(one);
  return end_array();
}

JsonText& JsonText::begin(char bracket) {
  before_value();
  text_ += bracket;
  ++depth_;
  is_first_ = true;
  return *this;
}

JsonText& JsonText::end(char bracket) {
  --depth_;
  if (!is_first_) new_line();
  text_ += bracket;
  is_first_ = false;
  return *this;
}

void JsonText::before_value() {
  if (std::exchange(behind_key_, false) || depth_ == 0) return;
  if (!std::exchange(is_first_, false)) text_ += ',';
  new_line();
}

void JsonText::new_line() {
  text_ += '\n';
  text_.append(2 * depth_, ' ');
}

}  // namespace weft::app
