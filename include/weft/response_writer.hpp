// ResponseWriter: an answer's body, written as it comes to be.
//
//     auto out = c.stream("text/plain");
//     while (const auto line = next_line()) out.write(*line);
//
// The status and the headers go out with the first bytes and cannot be changed from then on. Small
// writes are gathered and sent when the handler parks, at flush(), or when there is enough of them.
// write() parks while the client does not take what was written before; a client that has gone, or
// takes nothing for the write timeout, ends the handler. Returning from the handler ends the body;
// a handler that throws after the first bytes cuts the connection off, so that the client sees that
// something is missing. Belongs to the handler and ends with it; one green thread at a time.
#pragma once

#include <string_view>

namespace weft {

namespace http {
class Exchange;
}

class ResponseWriter {
 public:
  // For Context.
  explicit ResponseWriter(http::Exchange& exchange) noexcept : exchange_(exchange) {}

  // Takes a copy. Throws std::logic_error when that is more than was announced, or when the status
  // is one without a body.
  ResponseWriter& write(std::string_view bytes);
  // Sends what is gathered, and the head at least; returns without waiting for the client.
  ResponseWriter& flush();
  // A field behind the body, for those who speak HTTP/1.1. Throws std::invalid_argument for what
  // set_header() refuses and for names that mean nothing there, std::logic_error when the length
  // was announced.
  ResponseWriter& trailer(std::string_view name, std::string_view value);

 private:
  http::Exchange& exchange_;
};

}  // namespace weft
