#include "http/entity_tag.hpp"

#include "http/header_text.hpp"

namespace weft::http {

namespace {

std::string_view without_weakness(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// Whether there are fields of that name, and whether one of them lists the tag, or "*".
struct Listed {
  bool any = false;
  bool tag = false;
};

Listed look_for(const HeadView& head, std::string_view name, std::string_view tag, bool weakly) {
  Listed listed;
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const HeaderField field = head.header(i);
    if (!equals_ignoring_case(field.name, name)) continue;
    listed.any = true;
    std::string_view list = field.value;
    if (trim_blanks(list) == "*") listed.tag = true;
    while (const auto one = take_entity_tag(list)) {
      listed.tag |= weakly ? tags_match_weakly(*one, tag) : tags_match_strongly(*one, tag);
    }
  }
  return listed;
}

}  // namespace

std::optional<std::string_view> take_entity_tag(std::string_view& list) {
  while (!list.empty() && (list.front() == ',' || list.front() == ' ' || list.front() == '\t')) {
    list.remove_prefix(1);
  }
  const std::size_t quote = list.starts_with("W/") ? 2 : 0;
  if (list.substr(quote, 1) != "\"") return std::nullopt;
  const std::size_t end = list.find('"', quote + 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view tag = list.substr(0, end + 1);
  list.remove_prefix(tag.size());
  return tag;
}

bool tags_match_strongly(std::string_view left, std::string_view right) {
  return left == right && !left.starts_with("W/");
}

bool tags_match_weakly(std::string_view left, std::string_view right) {
  return without_weakness(left) == without_weakness(right);
}

std::optional<int> status_by_tag(const HeadView& head, std::string_view tag) {
  const Listed wanted = look_for(head, "if-match", tag, false);
  if (wanted.any && !wanted.tag) return 412;
  if (look_for(head, "if-none-match", tag, true).tag) return 304;
  return std::nullopt;
}

}  // namespace weft::http
