// Replays tests/vectors/http1/chunked through the chunked decoder.

#include <gtest/gtest.h>

#include <cstring>

#include "http/chunked_decoder.hpp"
#include "vector_file.hpp"

namespace weft::http::test {

namespace {

struct Outcome {
  ChunkedState state = ChunkedState::incomplete;
  int status = 0;
  std::string reason;
  std::size_t consumed = 0;
  std::string body;

  bool operator==(const Outcome&) const = default;
};

// Feeds one piece; the outcome adds up over the pieces of an input.
void feed(ChunkedDecoder& decoder, std::string_view piece, Outcome& outcome) {
  const ExactCopy copy(piece);
  const auto sink = [&outcome](std::string_view data) { outcome.body += data; };
  const ChunkedDecoder::Step step = decoder.advance(copy.view(), sink);
  outcome.state = step.state;
  outcome.consumed += step.consumed;
  if (step.state == ChunkedState::error) {
    outcome.status = decoder.error_status();
    outcome.reason = decoder.error_reason();
  }
}

Outcome replay_in_two(const MessageVector& vector, std::size_t cut) {
  ChunkedDecoder decoder(vector.limits);
  Outcome outcome;
  const std::string_view input = vector.input;
  feed(decoder, input.substr(0, cut), outcome);
  if (outcome.state == ChunkedState::incomplete) feed(decoder, input.substr(cut), outcome);
  return outcome;
}

std::string describe(const Outcome& outcome) {
  if (outcome.state == ChunkedState::incomplete) return "incomplete";
  if (outcome.state == ChunkedState::complete) return "complete";
  return std::to_string(outcome.status);
}

}  // namespace

TEST(ChunkedVectors, every_vector_comes_out_as_it_claims_cut_at_any_byte) {
  const auto vectors = read_vectors("chunked");
  ASSERT_GE(vectors.size(), 400U);
  for (const MessageVector& vector : vectors) {
    SCOPED_TRACE(vector.where);
    const Outcome whole = replay_in_two(vector, vector.input.size());
    EXPECT_EQ(describe(whole), vector.outcome) << whole.reason;
    for (const auto& [key, value] : vector.facts) {
      const std::string rest = std::to_string(vector.input.size() - whole.consumed);
      EXPECT_EQ(key == "body" ? whole.body : rest, value) << key;
    }
    for (const std::size_t cut : cuts(vector.input.size())) {
      ASSERT_TRUE(replay_in_two(vector, cut) == whole) << "cut after " << cut << " bytes";
    }
  }
}

TEST(ChunkedVectors, every_vector_comes_out_the_same_byte_by_byte_and_errors_at_once) {
  for (const MessageVector& vector : read_vectors("chunked")) {
    SCOPED_TRACE(vector.where);
    ChunkedDecoder decoder(vector.limits);
    Outcome outcome;
    for (const char& byte : vector.input) {
      feed(decoder, std::string_view(&byte, 1), outcome);
      if (outcome.state != ChunkedState::incomplete) break;
    }
    EXPECT_EQ(describe(outcome), vector.outcome) << outcome.reason;
    EXPECT_TRUE(outcome == replay_in_two(vector, vector.input.size()));
    if (vector.error_at) {
      EXPECT_EQ(outcome.consumed, *vector.error_at);
    }
  }
}

TEST(ChunkedDecoder, a_body_is_decoded_in_place) {
  const Limits limits;
  ChunkedDecoder decoder(limits);
  std::string buffer = "5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\nnext";
  std::size_t written = 0;
  const auto step = decoder.advance(buffer, [&](std::string_view data) {
    std::memmove(buffer.data() + written, data.data(), data.size());
    written += data.size();
  });
  EXPECT_EQ(step.state, ChunkedState::complete);
  EXPECT_EQ(buffer.substr(0, written), "hello, world");
  EXPECT_EQ(buffer.substr(step.consumed), "next");
  EXPECT_EQ(decoder.body_bytes(), 12U);
}

TEST(ChunkedDecoder, data_points_into_the_input) {
  const Limits limits;
  ChunkedDecoder decoder(limits);
  const std::string_view input = "5\r\nhello\r\n0\r\n\r\n";
  const auto step = decoder.step(input);
  EXPECT_EQ(step.data.data(), input.data() + 3);
  EXPECT_EQ(step.data, "hello");
  EXPECT_EQ(step.consumed, 8U);
}

TEST(ChunkedDecoder, a_route_may_set_its_own_bound_on_the_body) {
  const Limits limits;
  ChunkedDecoder decoder(limits, 4);
  EXPECT_EQ(decoder.step("5\r\nhello\r\n").state, ChunkedState::error);
  EXPECT_EQ(decoder.error_status(), 413);
}

TEST(ChunkedDecoder, nothing_is_consumed_after_the_end_or_an_error) {
  const Limits limits;
  ChunkedDecoder complete(limits);
  ASSERT_EQ(complete.step("0\r\n\r\n").state, ChunkedState::complete);
  EXPECT_EQ(complete.step("5\r\n").consumed, 0U);
  EXPECT_EQ(complete.step("5\r\n").state, ChunkedState::complete);
  ChunkedDecoder broken(limits);
  ASSERT_EQ(broken.step("x").state, ChunkedState::error);
  EXPECT_EQ(broken.step("0\r\n\r\n").state, ChunkedState::error);
}

}  // namespace weft::http::test
