// What a client takes from a stranger: an answer, whose outcome must not depend on how it is cut;
// and a Location, of which only what is safe to send may come out.
//
// The first byte of an input chooses where to cut and what was asked; the rest is the answer.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/client/answer_parser.hpp"
#include "http/client/url.hpp"

namespace {

using namespace weft::http;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  AnswerState state = AnswerState::head;
  AnswerFault fault = AnswerFault::none;
  std::string reason;
  std::size_t consumed = 0;
  std::string body;
  std::string head;
  std::string trailers;

  bool operator==(const Outcome&) const = default;
};

void check_head(const AnswerHead& head, const Limits& limits) {
  require(head.text.size() <= limits.head_bytes && head.text.ends_with("\r\n\r\n"));
  require(head.status >= 100 && head.status <= 599 && head.minor_version <= 1);
  require(head.fields.size() <= limits.header_count);
  require(!(head.chunked && head.content_length));
  for (const auto& field : head.fields) {
    require(std::size_t{field.value.offset} + field.value.length <= head.text.size());
    require(!head.view(field.name).empty());
    require(head.view(field.value).find_first_of("\r\n") == std::string_view::npos);
  }
}

void check_location(const AnswerHead& head) {
  const auto location = head.find("location");
  if (!location) return;
  ClientUrl base;
  require(parse_url("http://a/b/c?d", 1000, base).empty());
  ClientUrl url;
  if (!resolve_url(base, *location, 1000, url).empty()) return;
  require(url.target.starts_with('/') && !url.authority.empty() && url.port != 0);
  for (const char byte : url.target + url.authority) require(byte > 0x20 && byte < 0x7F);
  ClientUrl again;
  require(parse_url(url.text(), 3000, again).empty());
  require(again.same_origin(url) && again.target == url.target);
}

Outcome read(std::string_view bytes, std::size_t stride, const AnswerTerms& terms,
             const Limits& limits) {
  AnswerParser parser(limits, terms);
  Outcome outcome;
  while (parser.state() < AnswerState::complete && outcome.consumed < bytes.size()) {
    // A copy of exactly these bytes, so that a read past them is seen.
    const std::string_view piece = bytes.substr(outcome.consumed, stride);
    const std::vector<char> copy(piece.begin(), piece.end());
    const auto step = parser.step({copy.data(), copy.size()});
    outcome.consumed += step.consumed;
    if (step.state != AnswerState::error) outcome.body += step.data;
    require(step.state != AnswerState::head || step.consumed == piece.size());
  }
  if (parser.state() < AnswerState::complete) parser.end();
  outcome.state = parser.state();
  outcome.fault = parser.fault();
  outcome.reason = parser.reason();
  outcome.trailers = parser.trailers();
  require(outcome.body.size() <= limits.body_bytes || parser.upgraded());
  require((outcome.state == AnswerState::error) == (outcome.fault != AnswerFault::none));
  if (outcome.state == AnswerState::complete) {
    outcome.head = parser.head()->text;
    check_head(*parser.head(), limits);
    check_location(*parser.head());
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const AnswerTerms terms{(data[0] & 0x80U) != 0, (data[0] & 0x40U) != 0, 3};
  Limits limits;
  limits.head_bytes = 1000;
  limits.header_count = 10;
  limits.header_field_bytes = 300;
  limits.body_bytes = 1000;
  limits.chunk_extension_bytes = 40;
  limits.trailer_bytes = 100;
  limits.trailer_count = 4;
  const Outcome whole = read(bytes, bytes.size() + 1, terms, limits);
  // What came before an error in a body is handed out, or not, as it was cut.
  const auto same = [&whole](const Outcome& other) {
    return other == whole || (whole.state == AnswerState::error && other.fault == whole.fault &&
                              other.reason == whole.reason && other.consumed == whole.consumed);
  };
  require(same(read(bytes, data[0] % 32U + 1, terms, limits)));
  require(same(read(bytes, 1, terms, limits)));
  return 0;
}
