// Response: what a handler answers, and how it is written as HTTP/1.1.
//
// Bodies and fields that are small stay inside the object, which lives on the handler's stack, so
// an ordinary answer allocates nothing. Not shared between threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "http/output_arena.hpp"

namespace weft::http {

// Text of which the first N bytes need no allocation.
template <std::size_t N>
class SmallText {
 public:
  SmallText() {}  // NOLINT: leaves the inline bytes untouched on purpose

  static constexpr std::size_t kInline = N;

  std::string_view view() const noexcept {
    return spilled_ ? std::string_view(spill_) : std::string_view(inline_.data(), size_);
  }
  std::size_t size() const noexcept { return spilled_ ? spill_.size() : size_; }
  void clear() noexcept {
    size_ = 0;
    spilled_ = false;
  }
  void assign(std::string_view text) {
    clear();
    append(text);
  }
  // Leaves the first `size` bytes, of which there are as many.
  void cut(std::size_t size) noexcept {
    if (spilled_) {
      spill_.resize(size);
    } else {
      size_ = size;
    }
  }
  // Puts `text` in front of what is at `at`.
  void insert(std::size_t at, std::string_view text) {
    if (at == size()) return append(text);
    if (text.empty()) return;
    if (spilled_ || size_ + text.size() > N) {
      spill().insert(at, text);
      return;
    }
    std::memmove(inline_.data() + at + text.size(), inline_.data() + at, size_ - at);
    std::memcpy(inline_.data() + at, text.data(), text.size());
    size_ += text.size();
  }
  void append(std::string_view text) {
    if (text.empty()) return;  // its data may be null, which memcpy does not take
    if (!spilled_ && size_ + text.size() <= N) {
      std::memcpy(inline_.data() + size_, text.data(), text.size());
      size_ += text.size();
      return;
    }
    spill().append(text);
  }
  // For writers that fill memory themselves: `write(char*, capacity)` returns the size it needs.
  template <class Write>
  void fill(const Write& write) {
    clear();
    size_ = write(inline_.data(), N);
    if (size_ <= N) return;
    const std::size_t needed = size_;
    size_ = 0;
    spill().resize(needed);
    write(spill_.data(), needed);
  }

 private:
  std::string& spill() {
    if (!spilled_) {
      spill_.assign(inline_.data(), size_);
      spilled_ = true;
    }
    return spill_;
  }

  std::size_t size_ = 0;
  bool spilled_ = false;
  std::string spill_;
  std::array<char, N> inline_;
};

struct Response {
  int status = 200;
  // Static text or text that lives as long as the request; empty: no Content-Type.
  std::string_view content_type;
  bool content_type_chosen = false;  // by the handler itself; body helpers then leave it alone
  bool head_is_out = false;          // what is set from then on has no effect
  std::string_view upgrade;          // the protocol that it goes over to, or asks to
  std::size_t lasting = 0;           // so many bytes of the fields stay when the rest is dropped
  SmallText<256> fields;             // "Name: value\r\n" lines that the handler added
  SmallText<1024> body;

  // Throws std::invalid_argument when name or value could break out of its line, or when the name
  // is one that the server itself writes.
  void add_field(std::string_view name, std::string_view value);
  // The same for one that an answer has whatever becomes of its request: also when the handler
  // throws, and the rest of the fields go.
  void add_lasting_field(std::string_view name, std::string_view value);
  // Whole lines that have been checked already.
  void add_lasting_lines(std::string_view lines) {
    fields.insert(lasting, lines);
    lasting += lines.size();
  }
  // Leaves those that last.
  void drop_fields() noexcept { fields.cut(lasting); }
  // What add_field() throws.
  static void require_field(std::string_view name, std::string_view value);
};

// How the end of a body is told.
enum class BodyFraming : std::uint8_t {
  whole,        // it stands in the response
  sized,        // by its length, which is known beforehand
  chunked,      // by the last chunk
  until_close,  // by the end of the connection
};

// What a response's head says beside what the handler chose.
struct Framing {
  bool keep_alive = true;
  bool http_1_0 = false;
  bool body_allowed = true;  // false for HEAD: the length is told, the bytes are not sent
  BodyFraming body = BodyFraming::whole;
  std::uint64_t length = 0;  // when sized
};

// "HTTP/1.1 200 OK\r\nServer: weft\r\nDate: …\r\n" and the lines after the status line, kept ready.
class CommonFields {
 public:
  explicit CommonFields(bool with_server_field);

  // Writes the date of `unix_seconds` into the prepared text.
  void set_date(long long unix_seconds) noexcept;
  std::string_view ok_head() const noexcept { return text_; }
  std::string_view fields() const noexcept { return std::string_view(text_).substr(status_bytes_); }

 private:
  std::string text_;
  std::size_t status_bytes_;
  std::size_t date_offset_;
};

// An upper bound of the head's size for this response.
std::size_t head_size_bound(const Response& response, const CommonFields& common) noexcept;
// Writes the head at `out`, which has room for head_size_bound(); returns the end.
char* write_head(char* out, const Response& response, const Framing& framing,
                 const CommonFields& common) noexcept;

}  // namespace weft::http
