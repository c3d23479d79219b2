#include "weft/describe.hpp"

namespace weft::detail {

namespace {

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// GCC: "… [with T = weft::User; std::string_view = …]"; clang: "… [T = weft::User]".
std::string_view argument_of(std::string_view spelled) {
  constexpr std::string_view kBegin = "T = ";
  const std::size_t begin = spelled.find(kBegin);
  if (begin == std::string_view::npos) return spelled;
  spelled.remove_prefix(begin + kBegin.size());
  return spelled.substr(0, spelled.find_first_of(";]"));
}

}  // namespace

std::string short_type_name(std::string_view spelled) {
  std::string name;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) name += (name.empty() ? "" : "_") + word;
    word.clear();
  };
  std::size_t nested = 0;  // in the brackets of an unnamed namespace or a function's parameters
  const std::string_view type = argument_of(spelled);
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    if (c == '(' || c == '{') ++nested;
    if ((c == ')' || c == '}') && nested > 0) --nested;
    if (nested > 0) continue;
    if (is_word_byte(c)) {
      word += c;
    } else if (c == ':') {
      word.clear();  // it was a namespace
    } else {
      end_word();
    }
  }
  end_word();
  return name;
}

}  // namespace weft::detail
