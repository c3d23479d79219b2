// SessionState: the session of one request while it runs, and how it is written as bytes.
//
// Belongs to the request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/session.hpp"

namespace weft::app {

struct SessionState {
  struct Entry {
    std::string name;
    SessionValue value;
  };

  // How many bytes an entry has beside name and value.
  static constexpr std::size_t kEntryBytes = 1 + 1 + 4;
  // And all of it beside the entries and the id.
  static constexpr std::size_t kFixedBytes = 1 + 8 + 8 + 1;

  std::string id;
  std::int64_t created_s = 0;  // Unix time
  std::int64_t used_s = 0;
  std::vector<Entry> entries;

  std::int64_t now_s = 0;
  std::size_t most_bytes = 0;  // of the entries
  std::size_t bytes = 0;
  bool is_new = true;
  bool is_wanted = false;    // to be kept even when it is empty
  bool is_changed = false;   // since it was loaded
  bool is_over = false;      // destroyed
  bool is_renewed = false;   // by regenerate()
  bool head_is_out = false;  // what is changed from then on could not be saved
  std::string former_id;     // under which it was loaded, when it has another now

  void require_changeable() const;
};

// That of the request, or null where there is none.
[[nodiscard]] SessionState* session_state_of(Context& context) noexcept;

// Whether it is there when the request has ended, as far as is known now.
[[nodiscard]] inline bool is_kept(const SessionState& state) noexcept {
  return !state.is_over && !(state.is_new && state.entries.empty() && !state.is_wanted);
}

// The id that it has if it is kept; made when it is needed.
[[nodiscard]] std::string_view id_of(SessionState& state);

// Without what is only of this request.
[[nodiscard]] std::string encode_session(const SessionState& state, std::string_view id);
// Fills id, times and entries; false for bytes that encode_session() has not written.
[[nodiscard]] bool decode_session(std::string_view bytes, SessionState& state);

// How many bytes an entry takes.
[[nodiscard]] std::size_t size_of(std::string_view name, const SessionValue& value) noexcept;

}  // namespace weft::app
