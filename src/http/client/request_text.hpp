// A client's request as the bytes that are sent: its head, and what a body is framed with.
//
// Invariant: what would not be exactly one request is refused, so that nothing can be smuggled in
// by method, URL, field or framing. Functions of their arguments; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/client/url.hpp"
#include "weft/client.hpp"

namespace weft::http {

struct RequestText {
  std::string head;
  bool chunked = false;
  std::optional<std::uint64_t> length;  // of the body, where it is announced
  bool closes = false;                  // `Connection: close` is said
  bool may_upgrade = false;             // there is an Upgrade field
};

// Empty when it could, else a sentence that says why not.
[[nodiscard]] std::string write_request(const ClientRequest& request, const ClientUrl& url,
                                        const ClientOptions& options, RequestText& text);

// The same check for a field alone.
[[nodiscard]] std::string refusal_of(const ClientField& field);

// "5\r\n", the line before five bytes of a chunk.
[[nodiscard]] std::string chunk_line(std::size_t size);

}  // namespace weft::http
