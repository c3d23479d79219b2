// Replays tests/vectors/http1/answer through the parser of answers.

#include "http/client/answer_parser.hpp"

#include <gtest/gtest.h>

#include "http/trailers.hpp"
#include "http/vector_file.hpp"

namespace weft::http::test {

namespace {

struct Outcome {
  AnswerState state = AnswerState::head;
  AnswerFault fault = AnswerFault::none;
  std::string reason;
  std::size_t consumed = 0;
  std::string body;
  std::string head;
  std::string trailers;
  bool open = false;

  bool operator==(const Outcome&) const = default;
};

std::uint64_t parameter(const MessageVector& vector, const std::string& name,
                        std::uint64_t fallback = 0) {
  const auto found = vector.parameters.find(name);
  return found == vector.parameters.end() ? fallback : found->second;
}

class Replay {
 public:
  explicit Replay(const MessageVector& vector)
      : vector_(vector),
        parser_(vector.limits,
                {parameter(vector, "to_head") != 0, parameter(vector, "upgrade") != 0,
                 static_cast<unsigned>(parameter(vector, "interim_answers", 8))}) {}

  // False when nothing more is taken.
  bool feed(std::string_view piece) {
    const ExactCopy copy(piece);
    std::size_t at = 0;
    while (at < piece.size() && parser_.state() < AnswerState::complete) {
      const AnswerParser::Step step = parser_.step(copy.view().substr(at));
      at += step.consumed;
      outcome_.body += step.data;
    }
    outcome_.consumed += at;
    return parser_.state() < AnswerState::complete;
  }

  Outcome end() {
    if (parameter(vector_, "ended") != 0 && parser_.state() < AnswerState::complete) parser_.end();
    outcome_.state = parser_.state();
    outcome_.fault = parser_.fault();
    outcome_.reason = parser_.reason();
    outcome_.trailers = parser_.trailers();
    outcome_.open = parser_.leaves_connection_open();
    if (outcome_.state == AnswerState::body || outcome_.state == AnswerState::complete) {
      outcome_.head = parser_.head()->text;
    }
    return outcome_;
  }

  std::string fact(const std::string& key) {
    const AnswerHead& head = *parser_.head();
    if (key == "status") return std::to_string(head.status);
    if (key == "reason") return std::string(head.view(head.reason));
    if (key == "minor") return std::to_string(head.minor_version);
    if (key == "open") return outcome_.open ? "1" : "0";
    if (key == "fields") return std::to_string(head.fields.size());
    if (key == "body") return outcome_.body;
    if (key == "rest") return std::to_string(vector_.input.size() - outcome_.consumed);
    if (key == "length") {
      return head.content_length ? std::to_string(*head.content_length) : "none";
    }
    if (key.starts_with("field.")) {
      return std::string(head.find(key.substr(6)).value_or("(none)"));
    }
    if (key.starts_with("trailer.")) {
      return std::string(find_trailer(outcome_.trailers, key.substr(8)).value_or("(none)"));
    }
    return "(no such fact)";
  }

 private:
  const MessageVector& vector_;
  AnswerParser parser_;
  Outcome outcome_;
};

std::string describe(const Outcome& outcome) {
  switch (outcome.state) {
    case AnswerState::head: return "head";
    case AnswerState::body: return "body";
    case AnswerState::complete: return "complete";
    case AnswerState::error: break;
  }
  switch (outcome.fault) {
    case AnswerFault::malformed: return "malformed";
    case AnswerFault::too_large: return "too_large";
    case AnswerFault::cut_off: return "cut_off";
    case AnswerFault::none: break;
  }
  return "(no fault)";
}

}  // namespace

TEST(AnswerVectors, every_vector_comes_out_as_it_claims_cut_at_any_byte) {
  const auto vectors = read_vectors("answer");
  ASSERT_GE(vectors.size(), 80U);
  for (const MessageVector& vector : vectors) {
    SCOPED_TRACE(vector.where);
    Replay replay(vector);
    replay.feed(vector.input);
    const Outcome whole = replay.end();
    EXPECT_EQ(describe(whole), vector.outcome) << whole.reason;
    EXPECT_EQ(whole.reason.empty(), whole.state != AnswerState::error);
    for (const auto& [key, value] : vector.facts) EXPECT_EQ(replay.fact(key), value) << key;
    for (const std::size_t cut : cuts(vector.input.size())) {
      Replay in_two(vector);
      const std::string_view input = vector.input;
      if (in_two.feed(input.substr(0, cut))) in_two.feed(input.substr(cut));
      const Outcome outcome = in_two.end();
      ASSERT_EQ(describe(outcome), describe(whole)) << "cut after " << cut << outcome.reason;
      ASSERT_TRUE(outcome == whole) << "cut after " << cut << ": " << outcome.reason;
    }
  }
}

TEST(AnswerVectors, every_vector_comes_out_the_same_byte_by_byte_and_errors_at_once) {
  for (const MessageVector& vector : read_vectors("answer")) {
    SCOPED_TRACE(vector.where);
    Replay whole(vector);
    whole.feed(vector.input);
    Replay replay(vector);
    std::size_t given = 0;
    for (const char& byte : vector.input) {
      ++given;
      if (!replay.feed({&byte, 1})) break;
    }
    const Outcome outcome = replay.end();
    EXPECT_EQ(describe(outcome), vector.outcome) << outcome.reason;
    EXPECT_TRUE(outcome == whole.end()) << outcome.reason;
    if (vector.error_at) {
      EXPECT_EQ(given, *vector.error_at);
    }
  }
}

}  // namespace weft::http::test
