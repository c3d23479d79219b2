// AccessRecord: what a worker copies of an answer for the access log, and the thread that writes
// the log makes a line of.
//
// Behind it in memory stand a size for each text that the format has, and then the texts. Nothing
// in it points to what may be gone by then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "http/method.hpp"
#include "weft/endpoint.hpp"

namespace weft::app {

struct AccessRecord {
  using TextSize = std::uint16_t;

  std::int64_t began_ns;  // the time of day
  std::int64_t took_ns;
  std::uint64_t body_bytes;
  std::uint64_t request_bytes;
  Endpoint peer;         // if it has one
  std::uint16_t status;  // 0: none was sent
  http::Method method;
  bool has_peer;
  bool has_head;  // otherwise it could not be read, and what is of it here means nothing
  bool is_http_1_0;
  bool complete;
  bool keep_alive;
};
static_assert(std::is_trivially_copyable_v<AccessRecord>);

// Takes the texts out of a record, one after the other.
class RecordTexts {
 public:
  RecordTexts(std::string_view record, std::size_t count) noexcept
      : sizes_(record.data() + sizeof(AccessRecord)),
        texts_(sizes_ + count * sizeof(AccessRecord::TextSize)) {}

  std::string_view next() noexcept {
    AccessRecord::TextSize size = 0;
    std::memcpy(&size, sizes_, sizeof size);
    sizes_ += sizeof size;
    return {std::exchange(texts_, texts_ + size), size};
  }

 private:
  const char* sizes_;
  const char* texts_;
};

}  // namespace weft::app
