#include "http/file_answer.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

#include "http/header_text.hpp"
#include "http/range.hpp"

namespace weft::http {

namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
// Longer than any clock tick that a file system goes by.
constexpr std::int64_t kYoung_ns = 2 * kSecond_ns;

std::string_view without_weakness(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// Whether any field of that name lists the tag, or "*". A weak comparison takes tags for equal that
// a strong one does not.
bool lists_tag(const HeadView& head, std::string_view name, const FileValidators& own, bool weak) {
  if (!weak && own.is_weak()) return false;
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const HeaderField field = head.header(i);
    if (!equals_ignoring_case(field.name, name)) continue;
    std::string_view list = field.value;
    if (trim_blanks(list) == "*") return true;
    // Our tags hold no comma, so that a list may be cut at each.
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      const std::string_view one = trim_blanks(list.substr(0, comma));
      if (one == own.tag()) return true;
      if (weak && without_weakness(one) == without_weakness(own.tag())) return true;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
  return false;
}

// True or false as the file has changed since; nothing without a date that can be read.
std::optional<bool> has_changed_since(const HeadView& head, std::string_view name,
                                      const FileValidators& own) {
  const auto value = head.find(name);
  if (!value) return std::nullopt;
  const auto date = parse_http_date(*value);
  if (!date) return std::nullopt;
  return own.modified_seconds() > *date;
}

// What the client has is what it would be given (RFC 9110 §13.2.2), or not what it has expected.
std::optional<int> status_of_preconditions(const HeadView& head, const FileValidators& own) {
  if (head.find("if-match")) {
    const bool exists = trim_blanks(*head.find("if-match")) == "*";
    if (!exists && !lists_tag(head, "if-match", own, false)) return 412;
  } else if (has_changed_since(head, "if-unmodified-since", own).value_or(false)) {
    return 412;
  }
  if (head.find("if-none-match")) {
    if (lists_tag(head, "if-none-match", own, true)) return 304;
  } else if (!has_changed_since(head, "if-modified-since", own).value_or(true)) {
    return 304;
  }
  return std::nullopt;
}

// Whether a part is of use: it is of what the client has the rest of.
bool range_applies(const HeadView& head, const FileValidators& own) {
  const auto condition = head.find("if-range");
  if (!condition) return true;
  if (own.is_weak()) return false;
  return *condition == own.tag() || *condition == own.last_modified();
}

}  // namespace

FileValidators::FileValidators(const FileFacts& facts, std::int64_t now_ns,
                               std::string_view coding) noexcept {
  // No later than the answer's own date, whatever the file's clock says (RFC 9110 §8.8.2.1).
  const std::int64_t modified_ns = std::min(facts.modified_ns, now_ns);
  seconds_ = modified_ns / kSecond_ns - (modified_ns % kSecond_ns < 0 ? 1 : 0);
  char* out = tag_.data();
  if (now_ns - facts.modified_ns < kYoung_ns) out = std::copy_n("W/", 2, out);
  char* const end = tag_.data() + tag_.size();
  *out++ = '"';
  out = std::to_chars(out, end, static_cast<std::uint64_t>(facts.modified_ns), 16).ptr;
  *out++ = '-';
  out = std::to_chars(out, end, facts.size, 16).ptr;
  if (!coding.empty()) {
    *out++ = '-';
    out = std::copy_n(coding.data(), std::min(coding.size(), kMostCoding), out);
  }
  *out++ = '"';
  tag_size_ = static_cast<std::size_t>(out - tag_.data());
  format_http_date(static_cast<std::time_t>(seconds_), date_.data());
}

FileAnswer answer_with_file(const HeadView& head, const FileFacts& facts,
                            const FileValidators& validators) {
  const FileAnswer whole{200, 0, facts.size};
  const Method method = head.head().method;
  if (method != Method::get && method != Method::head) return whole;
  if (const auto status = status_of_preconditions(head, validators)) return {*status, 0, 0};
  const auto range = method == Method::get ? head.find("range") : std::nullopt;
  if (!range || !range_applies(head, validators)) return whole;
  const ByteRanges ranges = parse_ranges(*range, facts.size);
  if (ranges.state == RangeState::unsatisfiable) return {416, 0, 0};
  if (ranges.state == RangeState::ignored || ranges.count != 1) return whole;
  return {206, ranges.ranges[0].offset, ranges.ranges[0].length};
}

}  // namespace weft::http
