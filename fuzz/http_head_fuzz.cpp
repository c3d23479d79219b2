// The head parser: whatever the bytes, the outcome does not depend on how they are cut, and what a
// complete head points at lies inside it.
//
// The first byte of an input chooses where to cut; the rest is the message.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "http/head_parser.hpp"

namespace {

using namespace weft::http;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_span(HeadSpan span, std::size_t consumed) {
  require(std::size_t{span.offset} + span.length <= consumed);
}

void check_head(const HeadParser& parser, std::string_view bytes) {
  const RequestHead& head = parser.head();
  const HeadView view(head, bytes.data());
  require(parser.consumed() <= bytes.size());
  require(bytes.substr(0, parser.consumed()).ends_with("\r\n\r\n"));
  require(head.method != Method::unknown);
  require(!(head.chunked && head.has_content_length));
  require(head.has_host || head.minor_version == 0);
  for (const HeadSpan span : {head.target, head.path, head.query, head.host}) {
    check_span(span, parser.consumed());
  }
  for (std::size_t i = 0; i < view.header_count(); ++i) {
    check_span(head.fields[i].name, parser.consumed());
    check_span(head.fields[i].value, parser.consumed());
    require(!view.header(i).name.empty());
    require(view.header(i).value.find_first_of("\r\n") == std::string_view::npos);
  }
}

void check_same(const HeadParser& a, ParseState state_a, const HeadParser& b, ParseState state_b) {
  require(state_a == state_b);
  if (state_a == ParseState::error) {
    require(a.error_status() == b.error_status() && a.error_reason() == b.error_reason());
  }
  if (state_a != ParseState::complete) return;
  require(a.consumed() == b.consumed() && a.head().header_count == b.head().header_count);
  require(a.head().content_length == b.head().content_length);
  require(a.head().keep_alive == b.head().keep_alive && a.head().chunked == b.head().chunked);
  require(std::memcmp(a.head().fields.data(), b.head().fields.data(),
                      a.head().header_count * sizeof(RequestHead::FieldSpans)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Limits limits;
  limits.head_bytes = 2048;
  limits.uri_bytes = 512;
  limits.header_count = 20;
  limits.header_field_bytes = 512;

  HeadParser whole(limits);
  const ParseState whole_state = whole.advance(bytes);
  if (whole_state == ParseState::complete) check_head(whole, bytes);

  const std::size_t stride = data[0] % 64U + 1;
  HeadParser pieces(limits);
  ParseState state = ParseState::incomplete;
  for (std::size_t given = 0; state == ParseState::incomplete; given += stride) {
    // A copy of exactly these bytes, so that a read past them is seen.
    const std::string_view so_far = bytes.substr(0, given);
    const std::vector<char> copy(so_far.begin(), so_far.end());
    state = pieces.advance({copy.data(), copy.size()});
    if (given >= bytes.size()) break;
  }
  check_same(whole, whole_state, pieces, state);
  return 0;
}
