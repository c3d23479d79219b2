// Replays tests/vectors/http1/head through the head parser.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "http/head_parser.hpp"
#include "vector_file.hpp"

namespace weft::http::test {

namespace {

constexpr std::string_view form_names[] = {"origin", "absolute", "authority", "asterisk"};

struct Outcome {
  ParseState state = ParseState::incomplete;
  int status = 0;
  std::string reason;
  std::size_t consumed = 0;
  std::string facts;

  bool operator==(const Outcome&) const = default;
};

std::string fact(const HeadParser& parser, std::string_view input, const std::string& key) {
  const RequestHead& head = parser.head();
  const HeadView view(head, input.data());
  if (key == "method") return std::string(name(head.method));
  if (key == "target") return std::string(view.target());
  if (key == "path") return std::string(view.path());
  if (key == "query") return std::string(view.query());
  if (key == "host") return std::string(view.host());
  if (key == "form") return std::string(form_names[static_cast<std::size_t>(head.form)]);
  if (key == "minor") return std::to_string(head.minor_version);
  if (key == "keep_alive") return head.keep_alive ? "1" : "0";
  if (key == "chunked") return head.chunked ? "1" : "0";
  if (key == "encoded") return head.encoded_body ? "1" : "0";
  if (key == "expect") return head.expect_continue ? "1" : "0";
  if (key == "upgrade") return head.upgrade ? "1" : "0";
  if (key == "fields") return std::to_string(view.header_count());
  if (key == "rest") return std::to_string(input.size() - parser.consumed());
  if (key == "length") {
    return head.has_content_length ? std::to_string(head.content_length) : "none";
  }
  if (key.starts_with("field.")) {
    return std::string(view.find(std::string_view(key).substr(6)).value_or("(no such field)"));
  }
  return "(no such fact)";
}

// Everything a head says, for comparing replays with each other.
std::string all_facts(const HeadParser& parser, std::string_view input) {
  std::string text;
  for (const char* key :
       {"method", "target", "path", "query", "host", "form", "minor", "keep_alive", "length",
        "chunked", "encoded", "expect", "upgrade", "fields"}) {
    text += fact(parser, input, key) + "\n";
  }
  const HeadView view(parser.head(), input.data());
  for (std::size_t i = 0; i < view.header_count(); ++i) {
    text += std::string(view.header(i).name) + ":" + std::string(view.header(i).value) + "\n";
  }
  return text;
}

Outcome outcome_of(ParseState state, const HeadParser& parser, std::string_view input) {
  Outcome outcome{state, 0, {}, 0, {}};
  if (state == ParseState::error) {
    outcome.status = parser.error_status();
    outcome.reason = parser.error_reason();
  } else if (state == ParseState::complete) {
    outcome.consumed = parser.consumed();
    outcome.facts = all_facts(parser, input);
  }
  return outcome;
}

// Moves the parser as a driver would when it puts an unfinished request aside.
std::unique_ptr<HeadParser> relocate(const HeadParser& parser, const Limits& limits) {
  auto moved = std::make_unique<HeadParser>(limits);
  std::memcpy(static_cast<void*>(moved.get()), &parser, sizeof parser);
  return moved;
}

Outcome replay_whole(const MessageVector& vector) {
  const ExactCopy copy(vector.input);
  HeadParser parser(vector.limits);
  const ParseState state = parser.advance(copy.view());
  return outcome_of(state, parser, copy.view());
}

Outcome replay_in_two(const MessageVector& vector, std::size_t cut) {
  auto parser = std::make_unique<HeadParser>(vector.limits);
  {
    const ExactCopy first(std::string_view(vector.input).substr(0, cut));
    const ParseState state = parser->advance(first.view());
    if (state != ParseState::incomplete) return outcome_of(state, *parser, first.view());
    parser = relocate(*parser, vector.limits);
  }
  const ExactCopy whole(vector.input);
  const ParseState state = parser->advance(whole.view());
  return outcome_of(state, *parser, whole.view());
}

Outcome replay_byte_by_byte(const MessageVector& vector, std::size_t& bytes_given) {
  auto parser = std::make_unique<HeadParser>(vector.limits);
  for (bytes_given = 0;; ++bytes_given) {
    const ExactCopy copy(std::string_view(vector.input).substr(0, bytes_given));
    const ParseState state = parser->advance(copy.view());
    if (state != ParseState::incomplete || bytes_given == vector.input.size()) {
      return outcome_of(state, *parser, copy.view());
    }
    parser = relocate(*parser, vector.limits);
  }
}

std::string describe(const Outcome& outcome) {
  if (outcome.state == ParseState::incomplete) return "incomplete";
  if (outcome.state == ParseState::complete) return "complete";
  return std::to_string(outcome.status);
}

}  // namespace

TEST(HeadVectors, every_vector_comes_out_as_it_claims) {
  const auto vectors = read_vectors("head");
  ASSERT_GE(vectors.size(), 1'000U);
  for (const MessageVector& vector : vectors) {
    SCOPED_TRACE(vector.where);
    const Outcome outcome = replay_whole(vector);
    EXPECT_EQ(describe(outcome), vector.outcome) << outcome.reason;
    if (outcome.state == ParseState::error) {
      EXPECT_FALSE(outcome.reason.empty());
    }
    if (outcome.state != ParseState::complete) continue;
    const ExactCopy copy(vector.input);
    HeadParser parser(vector.limits);
    ASSERT_EQ(parser.advance(copy.view()), ParseState::complete);
    for (const auto& [key, value] : vector.facts) {
      EXPECT_EQ(fact(parser, copy.view(), key), value) << key;
    }
  }
}

TEST(HeadVectors, every_vector_comes_out_the_same_cut_at_any_byte) {
  for (const MessageVector& vector : read_vectors("head")) {
    SCOPED_TRACE(vector.where);
    const Outcome whole = replay_whole(vector);
    for (const std::size_t cut : cuts(vector.input.size())) {
      const Outcome outcome = replay_in_two(vector, cut);
      ASSERT_EQ(describe(outcome), describe(whole)) << "cut after " << cut << " bytes";
      ASSERT_TRUE(outcome == whole)
          << "cut after " << cut << " bytes: " << outcome.reason << outcome.facts << " instead of "
          << whole.reason << whole.facts;
    }
  }
}

TEST(HeadVectors, every_vector_comes_out_the_same_byte_by_byte_and_errors_at_once) {
  for (const MessageVector& vector : read_vectors("head")) {
    SCOPED_TRACE(vector.where);
    std::size_t bytes_given = 0;
    const Outcome outcome = replay_byte_by_byte(vector, bytes_given);
    const Outcome whole = replay_whole(vector);
    EXPECT_EQ(describe(outcome), describe(whole));
    EXPECT_TRUE(outcome == whole) << outcome.reason << " instead of " << whole.reason;
    if (vector.error_at) {
      EXPECT_EQ(bytes_given, *vector.error_at);
    }
    if (outcome.state == ParseState::complete) {
      EXPECT_EQ(bytes_given, outcome.consumed);
    }
  }
}

}  // namespace weft::http::test
