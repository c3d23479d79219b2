#include "http/content_coding.hpp"

#include <algorithm>

#include "http/header_text.hpp"

namespace weft::http {

namespace {

constexpr std::array<std::string_view, kContentCodings> kNames{"identity", "gzip", "br", "zstd"};
constexpr int kMostWeight = 1000;

// The weight behind a coding's name; nothing when there is something else.
std::optional<int> weight_behind(std::string_view element, std::size_t semicolon) {
  if (semicolon == std::string_view::npos) return kMostWeight;
  const std::string_view parameter = trim_blanks(element.substr(semicolon + 1));
  if (parameter.size() < 2 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=') {
    return std::nullopt;
  }
  return parse_weight(parameter.substr(2));
}

}  // namespace

std::string_view name_of(ContentCoding coding) { return kNames[static_cast<std::size_t>(coding)]; }

std::optional<ContentCoding> content_coding_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (equals_ignoring_case(name, kNames[i])) return static_cast<ContentCoding>(i);
  }
  if (equals_ignoring_case(name, "x-gzip")) return ContentCoding::gzip;
  return std::nullopt;
}

std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = text[0] == '1' ? kMostWeight : 0;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return std::nullopt;
  int place = kMostWeight / 10;
  for (const char digit : text.substr(2)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    weight += (digit - '0') * place;
    place /= 10;
  }
  if (weight > kMostWeight) return std::nullopt;
  return weight;
}

AcceptedCodings::AcceptedCodings(const HeadView& head) {
  for (std::size_t i = 0; i < head.header_count(); ++i) {
    const HeaderField field = head.header(i);
    if (equals_ignoring_case(field.name, "accept-encoding")) add(field.value);
  }
}

void AcceptedCodings::add(std::string_view list) {
  while (!list.empty()) {
    const std::string_view element = take_element(list);
    const std::size_t semicolon = element.find(';');
    const std::string_view name = trim_blanks(element.substr(0, semicolon));
    const auto weight = weight_behind(element, semicolon);
    if (!weight) continue;
    if (name == "*") {
      others_ = std::max(others_, *weight);
    } else if (const auto coding = content_coding_of(name)) {
      int& listed = listed_[static_cast<std::size_t>(*coding)];
      listed = std::max(listed, *weight);
    }
  }
}

int AcceptedCodings::weight(ContentCoding coding) const {
  const int listed = listed_[static_cast<std::size_t>(coding)];
  if (listed != kUnlisted) return listed;
  if (others_ != kUnlisted) return others_;
  return coding == ContentCoding::identity ? kMostWeight : 0;
}

ContentCoding AcceptedCodings::choose(std::span<const ContentCoding> offered) const {
  ContentCoding best = ContentCoding::identity;
  int highest = 0;
  for (const ContentCoding coding : offered) {
    if (weight(coding) <= highest) continue;
    highest = weight(coding);
    best = coding;
  }
  // Said by nobody, identity is acceptable, and liked less than anything that is named.
  const int listed = listed_[static_cast<std::size_t>(ContentCoding::identity)];
  const int identity = listed != kUnlisted ? listed : std::max(others_, 0);
  return identity > highest ? ContentCoding::identity : best;
}

}  // namespace weft::http
