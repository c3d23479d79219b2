// JsonText: a JSON document that is written from its beginning to its end, indented for people.
//
// Invariants: what is begun must be ended by who began it, and in an object each value follows its
// key. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "weft/json.hpp"

namespace weft::app {

class JsonText {
 public:
  JsonText& begin_object() { return begin('{'); }
  JsonText& end_object() { return end('}'); }
  JsonText& begin_array() { return begin('['); }
  JsonText& end_array() { return end(']'); }
  JsonText& key(std::string_view name);
  JsonText& value(const JsonValue& value);
  // A value that is JSON already.
  JsonText& raw(std::string_view json);
  JsonText& member(std::string_view name, const JsonValue& what) { return key(name).value(what); }
  // Nothing when the text is empty.
  JsonText& member_if_any(std::string_view name, std::string_view text) {
    return text.empty() ? *this : key(name).value(text);
  }
  JsonText& strings(std::string_view name, const std::vector<std::string>& all);

  std::string take() { return std::move(text_); }

 private:
  JsonText& begin(char bracket);
  JsonText& end(char bracket);
  void before_value();
  void new_line();

  std::string text_;
  std::size_t depth_ = 0;
  bool is_first_ = true;  // of what is in the innermost brackets
  bool behind_key_ = false;
};

}  // namespace weft::app
