// JSON from outside: what is taken, what is refused and where it is said to be wrong.
#include "weft/json_document.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "app/json_scan.hpp"

namespace weft {
namespace {

JsonError error_of(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = JsonDocument::parse(text, limits);
  const auto* const error = std::get_if<JsonError>(&parsed);
  return error != nullptr ? *error : JsonError{"(none)", 0, 0, 0};
}

JsonDocument parsed(std::string_view text) {
  auto made = JsonDocument::parse(text);
  return std::move(std::get<JsonDocument>(made));
}

}  // namespace

TEST(JsonDocument, shows_values_of_every_kind) {
  const JsonDocument document =
      parsed(R"({"n":null,"t":true,"i":-7,"u":18446744073709551615,"d":1.5,"s":"a\u00e9\n",)"
             R"("a":[1,[2,3],{}],"o":{"x":{"y":1}}})");
  const JsonNode root = document.root();
  EXPECT_TRUE(root["n"].is_null());
  EXPECT_EQ(root["t"].as_bool(), true);
  EXPECT_EQ(root["i"].as_int(), -7);
  EXPECT_EQ(root["i"].as_uint(), std::nullopt);
  EXPECT_EQ(root["i"].as_double(), -7.0);
  EXPECT_EQ(root["u"].as_int(), std::nullopt);
  EXPECT_EQ(root["u"].as_uint(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(root["d"].as_double(), 1.5);
  EXPECT_EQ(root["d"].as_int(), std::nullopt);
  EXPECT_EQ(root["s"].as_string(), "a\u00e9\n");
  EXPECT_EQ(root["a"].size(), 3U);
  EXPECT_EQ(root["a"].at(1).at(1).as_int(), 3);
  EXPECT_EQ(root["o"]["x"]["y"].as_int(), 1);
  EXPECT_FALSE(root["o"]["z"]["y"].exists());
  EXPECT_FALSE(root["a"].at(3).exists());
  std::vector<std::string> names;
  for (const JsonNodeMember member : root.members()) names.emplace_back(member.name);
  EXPECT_EQ(names, (std::vector<std::string>{"n", "t", "i", "u", "d", "s", "a", "o"}));
  std::size_t elements = 0;
  for (const JsonNode element : root["a"].elements()) elements += element.exists() ? 1 : 0;
  EXPECT_EQ(elements, 3U);
}

TEST(JsonDocument, a_moved_document_keeps_its_nodes) {
  JsonDocument first = parsed(R"({"a":"text"})");
  const JsonNode node = first.root()["a"];
  const JsonDocument second = std::move(first);
  EXPECT_EQ(node.as_string(), "text");
  EXPECT_EQ(second.root()["a"].as_string(), "text");
}

TEST(JsonDocument, says_where_the_text_goes_wrong) {
  struct Row {
    const char* text;
    std::size_t line, column, offset;
    const char* message;
  };
  const Row rows[] = {
      {"", 1, 1, 0, "the text ends where a value should be"},
      {"{\"a\":1,}", 1, 8, 7, "a name in double quotes is missing"},
      {"{\n  \"a\": 1\n  \"b\": 2}", 3, 3, 13, "a comma or } is missing"},
      {"[1 2]", 1, 4, 3, "a comma or ] is missing"},
      {"[1,]", 1, 4, 3, "no value begins like this"},
      {"{\"a\" 1}", 1, 6, 5, "a colon is missing behind a name"},
      {"[\"abc", 1, 2, 1, "a string does not end"},
      {"[\"\\x\"]", 1, 3, 2, "an escape that there is not"},
      {"[\"\\ud800\"]", 1, 3, 2, "half of a surrogate pair"},
      {"[\"a\tb\"]", 1, 4, 3, "a control byte within a string"},
      {"[\"\xff\"]", 1, 3, 2, "bytes that are not UTF-8"},
      {"[\"\xc0\xaf\"]", 1, 3, 2, "bytes that are not UTF-8"},
      {"[01]", 1, 3, 2, "a number with a leading zero"},
      {"[1.]", 1, 4, 3, "a digit is missing"},
      {"[18446744073709551616]", 1, 2, 1, "an integer of more than 64 bits"},
      {"[-9223372036854775809]", 1, 2, 1, "an integer of more than 64 bits"},
      {"[1e999]", 1, 2, 1, "a number that no double reaches"},
      {"[NaN]", 1, 2, 1, "no value begins like this"},
      {"[tru]", 1, 2, 1, "no value begins like this"},
      {"1 2", 1, 3, 2, "something is left behind the value"},
      {"\xef\xbb\xbf{}", 1, 1, 0, "a byte order mark stands before the text"},
      {"{\"a\":1,\"a\":2}", 1, 1, 0, "an object has two members named \"a\""},
      {"{\"a\":1,\"\\u0061\":2}", 1, 1, 0, "an object has two members named \"a\""},
  };
  for (const Row& row : rows) {
    const JsonError error = error_of(row.text);
    EXPECT_EQ(error.message, row.message) << row.text;
    EXPECT_EQ(error.line, row.line) << row.text;
    EXPECT_EQ(error.column, row.column) << row.text;
    EXPECT_EQ(error.offset, row.offset) << row.text;
  }
  EXPECT_EQ(error_of("[1 2]").text(), "line 1, column 4 (offset 3): a comma or ] is missing");
}

TEST(JsonDocument, depth_and_size_have_limits) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_EQ(error_of(nested(32)).message, "(none)");
  EXPECT_EQ(error_of(nested(33)).message, "more levels than 32");
  EXPECT_EQ(error_of(nested(33)).offset, 32U);
  EXPECT_EQ(error_of(nested(200'000)).message, "more levels than 32");
  EXPECT_EQ(error_of("[1,2,3]", {.bytes = 6}).message, "the text is longer than 6 bytes");
  EXPECT_EQ(error_of("[1,2,3]", {.bytes = 7}).message, "(none)");
}

TEST(JsonDocument, many_members_are_compared_too) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"m" + std::to_string(i) + "\":0,";
  EXPECT_EQ(error_of(text + "\"n\":0}").message, "(none)");
  EXPECT_EQ(error_of(text + "\"m500\":0}").message, "an object has two members named \"m500\"");
}

// What the parser takes the scan finds nothing wrong with, and the other way round.
TEST(JsonDocument, the_scan_for_errors_agrees_with_the_parser_about_every_change_of_a_byte) {
  const std::string text = R"({"a":[1,-2.5e3,true,null],"b":"x\u00e9\n\ud83d\ude00é"} )";
  const std::string bytes = "\"\\{}[],:0e-. tnu\n\x01\xff\xc3";
  int refused = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char byte : bytes) {
      std::string changed = text;
      changed[i] = byte;
      const bool taken = error_of(changed).message == "(none)";
      const auto found = app::find_json_error(changed, {});
      const bool repeats = error_of(changed).message.find("two members") != std::string::npos;
      EXPECT_EQ(taken || repeats, !found) << changed << (found ? found->text() : "");
      refused += taken ? 0 : 1;
    }
    const std::string cut = text.substr(0, i);
    EXPECT_EQ(error_of(cut).message == "(none)", !app::find_json_error(cut, {})) << cut;
  }
  EXPECT_GT(refused, 500);
}

}  // namespace weft
