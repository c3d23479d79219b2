#include "exec/value.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace weft::exec {

namespace {

// How many bytes a well-formed sequence takes that begins with this one and goes on with `second`;
// 0 when it is none.
std::size_t sequence_length(unsigned char first, unsigned char second) noexcept {
  const auto within = [second](unsigned lowest, unsigned highest) {
    return second >= lowest && second <= highest;
  };
  if (first >= 0xC2 && first <= 0xDF) return within(0x80, 0xBF) ? 2 : 0;
  if (first == 0xE0) return within(0xA0, 0xBF) ? 3 : 0;
  if (first == 0xED) return within(0x80, 0x9F) ? 3 : 0;
  if (first >= 0xE1 && first <= 0xEF) return within(0x80, 0xBF) ? 3 : 0;
  if (first == 0xF0) return within(0x90, 0xBF) ? 4 : 0;
  if (first == 0xF4) return within(0x80, 0x8F) ? 4 : 0;
  if (first >= 0xF1 && first <= 0xF3) return within(0x80, 0xBF) ? 4 : 0;
  return 0;
}

std::size_t counted(const ValueList& list) noexcept {
  std::size_t sum = 0;
  for (const Value& item : list) sum += counted_bytes(item);
  return sum;
}

}  // namespace

bool Tuple::operator==(const Tuple&) const = default;

bool Tagged::operator==(const Tagged& other) const {
  return tag == other.tag && *value == *other.value;
}

bool Record::operator==(const Record&) const = default;

Record::Record(std::vector<Member> members) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Of those of one name, the last one given counts.
  std::ranges::sort(order, [&members](std::size_t a, std::size_t b) {
    return std::tie(members[a].first, a) < std::tie(members[b].first, b);
  });
  members_.reserve(members.size());
  for (const std::size_t index : order) {
    Member& member = members[index];
    if (!members_.empty() && members_.back().first == member.first) {
      members_.back() = std::move(member);
    } else {
      members_.push_back(std::move(member));
    }
  }
}

void Record::set(std::string name, Value value) {
  const auto place = std::ranges::lower_bound(members_, name, {}, &Member::first);
  if (place != members_.end() && place->first == name) {
    place->second = std::move(value);
  } else {
    members_.insert(place, {std::move(name), std::move(value)});
  }
}

const Value* Record::find(std::string_view name) const noexcept {
  const auto place = std::ranges::lower_bound(
      members_, name, {}, [](const Member& member) { return std::string_view(member.first); });
  return place != members_.end() && place->first == name ? &place->second : nullptr;
}

std::size_t counted_bytes(const Value& value) noexcept {
  std::size_t sum = kValueNodeBytes;
  if (const auto* text = value.get_if<std::string>()) return sum + text->size();
  if (const auto* bytes = value.get_if<Bytes>()) return sum + bytes->bytes.size();
  if (const auto* list = value.get_if<ValueList>()) return sum + counted(*list);
  if (const auto* tuple = value.get_if<Tuple>()) return sum + counted(tuple->items);
  if (const auto* tagged = value.get_if<Tagged>()) {
    return sum + tagged->tag.size() + counted_bytes(*tagged->value);
  }
  if (const auto* function = value.get_if<FunctionReference>()) return sum + function->name.size();
  if (const auto* record = value.get_if<Record>()) {
    for (const auto& [name, member] : record->members()) sum += name.size() + counted_bytes(member);
  }
  return sum;
}

bool is_text(std::string_view bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto at = [&](std::size_t index) { return static_cast<unsigned char>(bytes[index]); };
    if (at(i) < 0x80) {
      ++i;
      continue;
    }
    if (bytes.size() - i < 2) return false;
    const std::size_t length = sequence_length(at(i), at(i + 1));
    if (length == 0 || bytes.size() - i < length) return false;
    for (std::size_t k = 2; k < length; ++k) {
      if ((at(i + k) & 0xC0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace weft::exec
