// request_id(): a name for each request, in its answer and for whoever writes about it.
//
//     app.use(weft::request_id());
//     app.get("/", [](weft::Context& c) { log("{} begins", c.get<weft::RequestId>()->text()); });
//
// A request that brings a well-formed name keeps it, so that one name follows a request through
// several servers. The answer has it whatever becomes of the request. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "weft/middleware.hpp"

namespace weft {

// The name of a request: Context::get<RequestId>(). As long-lived as the request.
class RequestId {
 public:
  // For the middleware.
  explicit RequestId(std::string text) noexcept : text_(std::move(text)) {}

  // As the answer has it.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

// How a new name is written.
enum class RequestIdFormat : std::uint8_t {
  hex,      // 128 random bits in 32 hexadecimal digits
  uuid_v7,  // RFC 9562: the time in milliseconds, then random bits; so names sort by time
};

// Which names request_id() takes and makes.
struct RequestIdOptions {
  // The header, of the request and of the answer.
  std::string header = "X-Request-Id";
  // Whether a request may bring its name. Turn it off where clients are not to choose what stands
  // in logs.
  bool accept = true;
  // A longer one is not taken: names are made to be written down often. At least 1, at most 1024.
  std::size_t most_bytes = 128;
  // Of a name that is made.
  RequestIdFormat format = RequestIdFormat::hex;
};

// Gives each request a name. What is taken from a request is made of letters, digits and any of
// - _ . : + / = @ alone; anything else is replaced. A name is unique, but no secret.
Middleware request_id(const RequestIdOptions& options = {});

}  // namespace weft
