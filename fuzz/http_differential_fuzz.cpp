// The head parser and the chunked decoder against Boost.Beast: on every message both say the same,
// or a row of beast_differences.hpp says why not.
//
// An input is what arrives on a connection. Only messages that one of the two takes for complete
// are compared: how early an error is seen is nobody's mistake.

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "beast_differences.hpp"
#include "http/chunked_decoder.hpp"

namespace {

using namespace weft;
using namespace weft::fuzz;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "weft and Beast differ without a reason: %s\n", what);
  std::abort();
}

http::Limits limits() {
  http::Limits limits;
  limits.head_bytes = http::RequestHead::max_bytes;
  limits.uri_bytes = limits.header_field_bytes = limits.head_bytes;
  limits.header_count = http::RequestHead::header_capacity;
  limits.chunk_extension_bytes = limits.trailer_bytes = limits.head_bytes;
  limits.trailer_count = 1000;
  return limits;
}

// The parser takes what it can: a call that ends with part of its input unused is repeated.
void feed(BeastParser& parser, std::string_view bytes, boost::system::error_code& error) {
  while (!parser.is_done()) {
    const std::size_t used = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    if (error || used == 0) return;
  }
}

// Lines of one name keep their order; Beast keeps no order between names.
class Fields {
 public:
  void add(std::string_view name, std::string_view value) {
    std::string lower(name);
    for (char& byte : lower)
      byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
    lines_.emplace(std::move(lower), value);
  }
  bool operator==(const Fields&) const = default;

 private:
  std::multimap<std::string, std::string> lines_;
};

void compare_heads(const Verdicts& v) {
  const auto& message = v.beast.get();
  const http::RequestHead& head = v.weft.head();
  const http::HeadView view = v.view();
  require(v.method() == name(head.method), "method");
  require(v.target() == view.target(), "target");
  require(message.version() == (head.minor_version == 0 ? 10U : 11U), "version");
  require(v.beast.chunked() == head.chunked, "chunked");
  const auto length = v.beast.content_length();
  require(length.has_value() == head.has_content_length, "whether there is a Content-Length");
  if (length) require(*length == head.content_length, "Content-Length");
  Fields weft_fields;
  for (std::size_t i = 0; i < view.header_count(); ++i) {
    weft_fields.add(view.header(i).name, view.header(i).value);
  }
  Fields beast_fields;
  for (const auto& field : message) {
    beast_fields.add(text_of(field.name_string()), text_of(field.value()));
  }
  require(weft_fields == beast_fields, "fields");
  if (v.beast.keep_alive() != head.keep_alive) {
    require(explanation(kKeptAliveDifferently, v) != nullptr, "persistence");
  }
}

// What follows the head, as a chunked body.
void compare_bodies(const Verdicts& v, const http::Limits& limits) {
  const std::string_view rest = v.bytes.substr(v.weft.consumed());
  http::ChunkedDecoder decoder(limits);
  std::string body;
  const auto step = decoder.advance(rest, [&body](std::string_view data) { body += data; });

  boost::system::error_code error;
  BeastParser parser;
  parser.header_limit(1U << 20);
  parser.body_limit(limits.body_bytes);
  parser.eager(true);
  feed(parser, v.bytes, error);
  const bool weft_done = step.state == http::ChunkedState::complete;
  if (weft_done && parser.is_done()) return require(body == parser.get().body(), "body");
  const BodyVerdicts verdicts{rest, decoder, error};
  if (weft_done) {
    require(explanation(kBodiesRefusedByBeast, verdicts) != nullptr, "Beast refuses the body");
  } else if (parser.is_done()) {
    require(step.state == http::ChunkedState::error, "weft waits for more of the body");
    require(explanation(kBodiesRefusedByWeft, verdicts) != nullptr, "weft refuses the body");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data),
                               std::min<std::size_t>(size, 8192));
  static const http::Limits bounds = limits();
  http::HeadParser weft(bounds);
  const http::ParseState state = weft.advance(bytes);

  BeastParser beast;
  beast.header_limit(1U << 20);
  beast.body_limit(bounds.body_bytes);
  boost::system::error_code error;
  // Without eager() it stops behind the head.
  if (!bytes.empty()) beast.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  const Verdicts verdicts{bytes, weft, beast, error};
  const bool weft_done = state == http::ParseState::complete;
  if (weft_done && beast.is_header_done()) {
    compare_heads(verdicts);
    if (weft.head().chunked) compare_bodies(verdicts, bounds);
  } else if (weft_done) {
    require(explanation(kRefusedByBeast, verdicts) != nullptr, "Beast refuses the head");
  } else if (beast.is_header_done()) {
    require(state == http::ParseState::error, "weft waits for more of the head");
    require(explanation(kRefusedByWeft, verdicts) != nullptr, weft.error_reason().data());
  }
  return 0;
}
