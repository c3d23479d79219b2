#include "app/middleware/session_state.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace weft {

namespace app {

namespace {

// The first byte. Bytes with another one are of another version's making, and count as none.
constexpr unsigned char kFormat = 1;
constexpr std::size_t kMostNameBytes = 255;
// Before the name of what is asked for once; no name of an application's begins so.
constexpr char kFlashMark = '\x01';

enum class Kind : unsigned char { boolean, integer, number, text };

void put_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i));
}

// Takes from the front; once there was too little, all that follows is nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : bytes_(bytes) {}

  std::uint64_t number(int bytes) noexcept {
    const std::string_view taken = text(static_cast<std::size_t>(bytes));
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      number |= std::uint64_t{static_cast<unsigned char>(taken[i])} << (8 * i);
    }
    return number;
  }
  std::string_view text(std::size_t size) noexcept {
    if (size > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  bool at_end() const noexcept { return bytes_.empty(); }
  bool failed() const noexcept { return failed_; }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

void put_value(std::string& out, const SessionValue& value) {
  out += static_cast<char>(value.index());
  if (const auto* const text = std::get_if<std::string>(&value)) {
    put_number(out, text->size(), 4);
    out += *text;
  } else if (const auto* const truth = std::get_if<bool>(&value)) {
    put_number(out, *truth ? 1 : 0, 1);
  } else if (const auto* const whole = std::get_if<std::int64_t>(&value)) {
    put_number(out, static_cast<std::uint64_t>(*whole), 8);
  } else {
    put_number(out, std::bit_cast<std::uint64_t>(std::get<double>(value)), 8);
  }
}

std::optional<SessionValue> take_value(Reader& reader) {
  switch (static_cast<Kind>(reader.number(1))) {
    case Kind::boolean: return reader.number(1) != 0;
    case Kind::integer: return static_cast<std::int64_t>(reader.number(8));
    case Kind::number: return std::bit_cast<double>(reader.number(8));
    case Kind::text: return std::string(reader.text(reader.number(4)));
  }
  return std::nullopt;
}

auto find_entry(auto& entries, std::string_view name) noexcept {
  return std::find_if(entries.begin(), entries.end(),
                      [&](const SessionState::Entry& entry) { return entry.name == name; });
}

void require_name(std::string_view name) {
  if (name.empty() || name.size() > kMostNameBytes || name.front() == kFlashMark) {
    throw std::length_error("the name of a session's value is empty, or beyond 255 bytes");
  }
}

void put(SessionState& state, std::string_view name, SessionValue value) {
  state.require_changeable();
  const auto found = find_entry(state.entries, name);
  const bool is_there = found != state.entries.end();
  const std::size_t before = is_there ? size_of(found->name, found->value) : 0;
  const std::size_t bytes = state.bytes - before + size_of(name, value);
  if (bytes > state.most_bytes) {
    throw std::length_error("the session would have " + std::to_string(bytes) + " bytes, of " +
                            std::to_string(state.most_bytes) +
                            " that it may have: keep less in it, or give SessionsOptions a .store "
                            "and more .bytes");
  }
  if (is_there) {
    found->value = std::move(value);
  } else {
    state.entries.push_back({std::string(name), std::move(value)});
  }
  state.bytes = bytes;
  state.is_changed = true;
}

bool erase(SessionState& state, std::string_view name) {
  state.require_changeable();
  const auto found = find_entry(state.entries, name);
  if (found == state.entries.end()) return false;
  state.bytes -= size_of(found->name, found->value);
  state.entries.erase(found);
  state.is_changed = true;
  return true;
}

std::string flash_name(std::string_view name) {
  require_name(name);
  return kFlashMark + std::string(name);
}

}  // namespace

void SessionState::require_changeable() const {
  if (head_is_out) {
    throw std::logic_error(
        "the session was changed when the head of the answer had been sent: change it before the "
        "first byte of a streamed answer");
  }
  if (is_over) throw std::logic_error("the session was changed after it was destroyed");
}

std::size_t size_of(std::string_view name, const SessionValue& value) noexcept {
  const auto* const text = std::get_if<std::string>(&value);
  // A number has eight bytes and no length.
  return SessionState::kEntryBytes + name.size() + (text != nullptr ? text->size() : 4);
}

std::string encode_session(const SessionState& state, std::string_view id) {
  std::string out;
  out.reserve(SessionState::kFixedBytes + id.size() + state.bytes);
  out += static_cast<char>(kFormat);
  put_number(out, static_cast<std::uint64_t>(state.created_s), 8);
  put_number(out, static_cast<std::uint64_t>(state.used_s), 8);
  put_number(out, id.size(), 1);
  out += id;
  for (const SessionState::Entry& entry : state.entries) {
    put_number(out, entry.name.size(), 1);
    out += entry.name;
    put_value(out, entry.value);
  }
  return out;
}

bool decode_session(std::string_view bytes, SessionState& state) {
  Reader reader(bytes);
  if (reader.number(1) != kFormat) return false;
  state.created_s = static_cast<std::int64_t>(reader.number(8));
  state.used_s = static_cast<std::int64_t>(reader.number(8));
  state.id = reader.text(reader.number(1));
  state.entries.clear();
  state.bytes = 0;
  while (!reader.at_end()) {
    std::string name(reader.text(reader.number(1)));
    auto value = take_value(reader);
    if (!value || reader.failed()) return false;
    state.bytes += size_of(name, *value);
    state.entries.push_back({std::move(name), std::move(*value)});
  }
  return !reader.failed();
}

}  // namespace app

const SessionValue* Session::find(std::string_view name) const noexcept {
  const auto& entries = std::as_const(state_->entries);
  const auto found = app::find_entry(entries, name);
  return found != entries.end() ? &found->value : nullptr;
}

Session& Session::put(std::string_view name, SessionValue value) {
  app::require_name(name);
  app::put(*state_, name, std::move(value));
  return *this;
}

Session& Session::erase(std::string_view name) {
  app::erase(*state_, name);
  return *this;
}

Session& Session::clear() {
  state_->require_changeable();
  state_->entries.clear();
  state_->bytes = 0;
  state_->is_changed = true;
  return *this;
}

Session& Session::flash(std::string_view name, std::string_view text) {
  app::put(*state_, app::flash_name(name), std::string(text));
  return *this;
}

std::optional<std::string> Session::take_flash(std::string_view name) {
  const std::string kept_name = app::flash_name(name);
  const SessionValue* const value = find(kept_name);
  if (value == nullptr) return std::nullopt;
  std::string text = std::get<std::string>(*value);
  app::erase(*state_, kept_name);
  return text;
}

bool Session::is_new() const noexcept { return state_->is_new; }

std::chrono::system_clock::time_point Session::created() const noexcept {
  return std::chrono::system_clock::time_point(std::chrono::seconds(state_->created_s));
}

}  // namespace weft
