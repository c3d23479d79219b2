// Content codings (RFC 9110 §8.4.1), and which of them a client takes (§12.5.3).
//
// Functions of their arguments alone; nothing allocates. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/head_parser.hpp"

namespace weft::http {

enum class ContentCoding : std::uint8_t { identity, gzip, brotli, zstd };
inline constexpr std::size_t kContentCodings = 4;

// "gzip", "br", "zstd", "identity".
[[nodiscard]] std::string_view name_of(ContentCoding coding);
// In any case; `x-gzip` is gzip.
[[nodiscard]] std::optional<ContentCoding> content_coding_of(std::string_view name);

// In thousandths; nothing when it is none (RFC 9110 §12.4.2).
[[nodiscard]] std::optional<int> parse_weight(std::string_view text);

// What the Accept-Encoding fields of a request say.
class AcceptedCodings {
 public:
  // Without such a field: identity alone, though all are allowed then, since clients that say
  // nothing mostly know nothing.
  AcceptedCodings() = default;
  explicit AcceptedCodings(const HeadView& head);

  // One field's value. An element that is malformed is as if it were not there; of several for one
  // coding the highest counts.
  void add(std::string_view list);

  // From 0, not acceptable, to 1000.
  [[nodiscard]] int weight(ContentCoding coding) const;
  // The one with the highest weight; among equals the first that is offered, and identity last
  // unless the client gives it more. Identity, too, where nothing that is offered is acceptable.
  [[nodiscard]] ContentCoding choose(std::span<const ContentCoding> offered) const;
  // Whether the client takes the body as it is.
  [[nodiscard]] bool takes_identity() const { return weight(ContentCoding::identity) > 0; }

 private:
  static constexpr int kUnlisted = -1;

  std::array<int, kContentCodings> listed_{kUnlisted, kUnlisted, kUnlisted, kUnlisted};
  int others_ = kUnlisted;  // of "*"
};

}  // namespace weft::http
