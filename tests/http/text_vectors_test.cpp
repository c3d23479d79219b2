// Replays the vectors of what a head's values are read as: cookies, queries, ranges, authorities
// and escapes.

#include <gtest/gtest.h>

#include "http/cookie.hpp"
#include "http/query.hpp"
#include "http/range.hpp"
#include "http/uri.hpp"
#include "vector_file.hpp"

namespace weft::http::test {

namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

struct Reading {
  std::string outcome;
  Facts facts;
};

Reading read_cookies(std::string_view text) {
  Reading reading{"cookies", {}};
  for (const Cookie& cookie : Cookies(text)) reading.facts.emplace_back(cookie.name, cookie.value);
  return reading;
}

Reading read_query(std::string_view text) {
  Reading reading{"pairs", {}};
  const auto decoded = [](std::string_view part) {
    return percent_decode(part, UriPart::query).value_or("(broken)");
  };
  for (const QueryPair& pair : Query(text)) {
    reading.facts.emplace_back(decoded(pair.name), decoded(pair.value));
  }
  return reading;
}

Reading read_ranges(const MessageVector& vector, std::string_view text) {
  const auto most = vector.parameters.find("most");
  const ByteRanges ranges =
      parse_ranges(text, vector.parameters.at("size"),
                   most == vector.parameters.end() ? ByteRanges::capacity : most->second);
  constexpr const char* names[] = {"ignored", "satisfiable", "unsatisfiable"};
  Reading reading{names[static_cast<std::size_t>(ranges.state)], {}};
  for (std::size_t i = 0; i < ranges.count; ++i) {
    reading.facts.emplace_back("range", std::to_string(ranges.ranges[i].offset) + "+" +
                                            std::to_string(ranges.ranges[i].length));
  }
  return reading;
}

Reading read_authority(std::string_view text) {
  if (is_authority_with_port(text)) return {"host_and_port", {}};
  return {is_authority(text) ? "host" : "invalid", {}};
}

Reading read_escapes(std::string_view text) {
  const auto path = percent_decode(text, UriPart::path);
  if (!path) return {"broken", {}};
  return {"decodes",
          {{"path", *path}, {"query", percent_decode(text, UriPart::query).value_or("(broken)")}}};
}

void replay(std::string_view folder, std::size_t at_least,
            Reading (*read)(const MessageVector&, std::string_view)) {
  const auto vectors = read_vectors(folder);
  EXPECT_GE(vectors.size(), at_least);
  for (const MessageVector& vector : vectors) {
    SCOPED_TRACE(vector.where);
    const ExactCopy copy(vector.input);
    const Reading reading = read(vector, copy.view());
    EXPECT_EQ(reading.outcome, vector.outcome);
    EXPECT_EQ(reading.facts, vector.facts);
  }
}

}  // namespace

TEST(TextVectors, cookies_are_read_as_claimed) {
  replay("cookie", 30,
         [](const MessageVector&, std::string_view text) { return read_cookies(text); });
}

TEST(TextVectors, queries_are_read_as_claimed) {
  replay("query", 30, [](const MessageVector&, std::string_view text) { return read_query(text); });
}

TEST(TextVectors, ranges_are_read_as_claimed) { replay("range", 50, read_ranges); }

TEST(TextVectors, authorities_are_judged_as_claimed) {
  replay("authority", 40,
         [](const MessageVector&, std::string_view text) { return read_authority(text); });
}

TEST(TextVectors, escapes_are_decoded_as_claimed) {
  replay("escapes", 20,
         [](const MessageVector&, std::string_view text) { return read_escapes(text); });
}

}  // namespace weft::http::test
