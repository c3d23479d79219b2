// BodyReader: the body of a request as it comes, for one that is too long to wait for or to keep.
//
//     auto body = c.body_stream();
//     for (auto part = body.read(); !part.empty(); part = body.read()) file.write(part);
//
// What is not read is not received either, but for what the connection takes in advance. Calls park
// until something has arrived. A client that goes away, sends too much or stops for too long ends
// the handler, as Context::body() does. Belongs to the handler and ends with it; one green thread
// at a time.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace weft {

namespace http {
class Exchange;
}

class BodyReader {
 public:
  // For Context.
  explicit BodyReader(http::Exchange& exchange) noexcept : exchange_(exchange) {}

  // The next bytes, as many as are there, where they are: valid until the next read. Empty at the
  // end of the body.
  std::string_view read();
  // Copies what is there, at least a byte, and returns how much; 0 at the end of the body.
  std::size_t read(std::span<char> into);

 private:
  http::Exchange& exchange_;
};

}  // namespace weft
