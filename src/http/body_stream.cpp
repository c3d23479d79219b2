#include "http/body_stream.hpp"

#include <algorithm>

#include "http/exchange.hpp"

namespace weft::http {

BodyStream::Part BodyStream::take(std::string_view arrived, std::size_t most) {
  Part part;
  if (kind_ != Kind::chunked) {
    part.bytes = arrived.substr(0, most);
    if (kind_ == Kind::sized) {
      part.bytes = part.bytes.substr(0, std::min<std::uint64_t>(left_, part.bytes.size()));
      left_ -= part.bytes.size();
      ended_ = left_ == 0;
    }
    part.consumed = part.bytes.size();
    return part;
  }
  while (part.consumed < arrived.size()) {
    const auto step = decoder_.step(arrived.substr(part.consumed, most));
    part.consumed += step.consumed;
    part.bytes = step.data;
    if (step.state == ChunkedState::error) {
      throw RequestAborted{decoder_.error_status(), decoder_.error_reason()};
    }
    ended_ = step.state == ChunkedState::complete;
    if (ended_ || !part.bytes.empty()) break;
  }
  return part;
}

}  // namespace weft::http
