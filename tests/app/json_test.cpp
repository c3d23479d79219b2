#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include <weft/json.hpp>

namespace weft {

namespace {

struct Point {
  int x = 0;
  std::optional<std::string> name;
};

enum class Level { low, high };

}  // namespace

template <>
struct Schema<Point> {
  static constexpr auto fields = weft::fields(field("x", &Point::x), field("name", &Point::name));
};

template <>
struct Names<Level> {
  static constexpr auto names = weft::names<Level>({{"low", Level::low}, {"high", Level::high}});
};

namespace {

std::string json(const JsonValue& value) {
  std::string out;
  write_json(value, out);
  return out;
}

}  // namespace

TEST(Json, braces_around_pairs_make_an_object) {
  const std::string id = "42";
  EXPECT_EQ(json({{"id", id}}), R"({"id":"42"})");
  EXPECT_EQ(json({{"a", 1}, {"b", 2}}), R"({"a":1,"b":2})");
  EXPECT_EQ(json({{"a", "b"}}), R"({"a":"b"})");
  EXPECT_EQ(json({{"a", "b"}, {"c", "d"}}), R"({"a":"b","c":"d"})");
  EXPECT_EQ(json({{id, id}, {std::string_view("k"), 1}}), R"({"42":"42","k":1})");
}

TEST(Json, braces_around_plain_values_make_an_array) {
  EXPECT_EQ(json({1, 2, 3}), "[1,2,3]");
  EXPECT_EQ(json({"a", "b"}), R"(["a","b"])");
  EXPECT_EQ(json({"a", 1, true, nullptr, 0.5}), R"(["a",1,true,null,0.5])");
  EXPECT_EQ(json({"a"}), R"(["a"])");
}

TEST(Json, objects_and_arrays_nest_in_objects) {
  EXPECT_EQ(json({{"id", 1}, {"name", "user42"}, {"ok", true}, {"list", {1, 2, 3}}}),
            R"({"id":1,"name":"user42","ok":true,"list":[1,2,3]})");
  EXPECT_EQ(json({{"where", {{"city", "Ulm"}, {"at", {48.4, 9.99}}}}}),
            R"({"where":{"city":"Ulm","at":[48.4,9.99]}})");
  EXPECT_EQ(json({{"one", {{"a", "b"}}}, {"two", {"a", "b"}}}),
            R"({"one":{"a":"b"},"two":["a","b"]})");
}

TEST(Json, arrays_of_braced_values_are_spelled_out) {
  EXPECT_EQ(json(json_array({json_object({{"id", 1}}), json_object({{"id", 2}})})),
            R"([{"id":1},{"id":2}])");
  EXPECT_EQ(json({{"rows", json_array({json_array({1}), json_array({2, 3})})}}),
            R"({"rows":[[1],[2,3]]})");
  EXPECT_EQ(json({{"a", json_array({})}, {"o", json_object({})}}), R"({"a":[],"o":{}})");
  EXPECT_EQ(json(json_array({json_array({})})), "[[]]");
}

TEST(Json, ranges_maps_and_types_with_a_schema_are_values) {
  const std::vector<std::string> tags{"a", "b\"c"};
  const Point point{1, std::nullopt};
  const std::map<std::string, std::vector<Point>> lines{{"x", {point, {2, "two"}}}};
  EXPECT_EQ(json(tags), R"(["a","b\"c"])");
  EXPECT_EQ(json(point), R"({"x":1,"name":null})");
  EXPECT_EQ(json({{"tags", tags}, {"point", point}, {"lines", lines}}),
            R"({"tags":["a","b\"c"],"point":{"x":1,"name":null},)"
            R"("lines":{"x":[{"x":1,"name":null},{"x":2,"name":"two"}]}})");
  EXPECT_EQ(json({{"deep", {{"tags", tags}}}, {"two", {tags, tags}}}),
            R"({"deep":{"tags":["a","b\"c"]},"two":[["a","b\"c"],["a","b\"c"]]})");
  EXPECT_EQ(json({{"none", std::optional<Point>()}, {"some", std::optional<Point>(point)}}),
            R"({"none":null,"some":{"x":1,"name":null}})");
  const int numbers[] = {3, 1};
  EXPECT_EQ(json({{"array", numbers},
                  {"list", std::list<bool>{true}},
                  {"bits", std::vector<bool>{true, false}},
                  {"set", std::set<int>{2, 1}},
                  {"optionals", std::vector<std::optional<int>>{1, std::nullopt}},
                  {"level", Level::high}}),
            R"({"array":[3,1],"list":[true],"bits":[true,false],"set":[1,2],)"
            R"("optionals":[1,null],"level":"high"})");
  EXPECT_EQ(json(std::vector<JsonValue>{1, "a", nullptr, tags}), R"([1,"a",null,["a","b\"c"]])");
  EXPECT_EQ(json(std::vector<int>()), "[]");
  EXPECT_EQ(json(std::map<std::string_view, int>()), "{}");
}

TEST(Json, what_a_type_describes_counts_for_a_place_that_is_too_small) {
  const std::vector<std::string> tags{"a", "b"};
  char out[4] = {'-', '-', '-', '-'};
  EXPECT_EQ(write_json(JsonValue{{"t", tags}}, out, 3), 15U);
  EXPECT_EQ(std::string(out, 4), "{\"t-");
  EXPECT_TRUE(detail::holds_described(JsonValue{{"a", {{"b", tags}}}}));
  EXPECT_FALSE(detail::holds_described(JsonValue{{"a", {{"b", 1}}}}));
}

TEST(Json, empty_braces_and_absent_values_are_null) {
  const std::optional<int> none;
  const std::optional<std::string_view> text = "x";
  const char* const nothing = nullptr;
  EXPECT_EQ(json({}), "null");
  EXPECT_EQ(json({{"a", none}, {"b", text}, {"c", nothing}, {"d", {}}}),
            R"({"a":null,"b":"x","c":null,"d":null})");
}

TEST(Json, integers_are_written_whole) {
  EXPECT_EQ(json(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(json(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(json(std::uint8_t{200}), "200");
  EXPECT_EQ(json(static_cast<signed char>(-5)), "-5");
  EXPECT_EQ(json(0), "0");
}

TEST(Json, numbers_read_back_the_same) {
  EXPECT_EQ(json(0.1), "0.1");
  EXPECT_EQ(json(-0.0), "-0");
  EXPECT_EQ(json(1e300), "1e+300");
  EXPECT_EQ(json(3.0), "3");
  for (const double number : {5e-324, 1.7976931348623157e308, 1.0 / 3.0, 123456.789}) {
    EXPECT_EQ(std::strtod(json(number).c_str(), nullptr), number);
  }
  EXPECT_EQ(json(0.5F), "0.5");
}

TEST(Json, numbers_that_are_not_finite_become_null) {
  EXPECT_EQ(json(std::nan("")), "null");
  EXPECT_EQ(json(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json(-std::numeric_limits<double>::infinity()), "null");
}

TEST(Json, characters_are_no_values) {
  EXPECT_FALSE((std::is_constructible_v<JsonValue, char>));
  EXPECT_FALSE((std::is_constructible_v<JsonValue, char32_t>));
  EXPECT_FALSE((std::is_constructible_v<JsonValue, void*>));
}

TEST(Json, quotes_backslashes_and_control_bytes_are_escaped_at_every_distance) {
  EXPECT_EQ(json("\"\\/\b\f\n\r\t"), R"("\"\\/\b\f\n\r\t")");
  EXPECT_EQ(json(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  for (std::size_t before = 0; before < 20; ++before) {
    const std::string plain(before, 'x');
    EXPECT_EQ(json(plain + "\"" + plain), "\"" + plain + "\\\"" + plain + "\"");
    EXPECT_EQ(json(plain + "\x1f"), "\"" + plain + "\\u001f\"");
  }
  EXPECT_EQ(json({{"a\"b", 1}}), R"({"a\"b":1})");
}

TEST(Json, every_byte_of_ascii_survives_or_is_escaped) {
  for (int byte = 0x20; byte < 0x80; ++byte) {
    const std::string text(9, static_cast<char>(byte));
    std::string expected;
    for (int i = 0; i < 9; ++i) {
      if (byte == '"' || byte == '\\') expected += '\\';
      expected += static_cast<char>(byte);
    }
    EXPECT_EQ(json(text), "\"" + expected + "\"");
  }
}

TEST(Json, well_formed_utf_8_passes_through) {
  for (const std::string text :
       {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf4\x8f\xbf\xbf", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}) {
    EXPECT_EQ(json(text), "\"" + text + "\"");
    EXPECT_EQ(json("1234567" + text + "x"), "\"1234567" + text + "x\"");
  }
}

TEST(Json, each_broken_part_of_utf_8_becomes_one_replacement_character) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(json("a\xff"
                 "b"),
            "\"a" + bad + "b\"");
  EXPECT_EQ(json("\x80\x80"), "\"" + bad + bad + "\"");                      // stray continuations
  EXPECT_EQ(json("\xc0\xaf"), "\"" + bad + bad + "\"");                      // overlong
  EXPECT_EQ(json("\xe0\x80\x80"), "\"" + bad + bad + bad + "\"");            // overlong
  EXPECT_EQ(json("\xed\xa0\x80"), "\"" + bad + bad + bad + "\"");            // surrogate
  EXPECT_EQ(json("\xf4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"");  // too large
  EXPECT_EQ(json("\xe2\x82"), "\"" + bad + "\"");                            // cut off
  EXPECT_EQ(json("\xe2\x82x"), "\"" + bad + "x\"");
  EXPECT_EQ(json("\xf0\x9f\x98\xc3\xa9"), "\"" + bad + "\xc3\xa9\"");
}

TEST(Json, text_is_appended_to_what_the_string_holds) {
  std::string out = "x=";
  write_json({{"a", 1}}, out);
  EXPECT_EQ(out, R"(x={"a":1})");
}

TEST(Json, a_bounded_buffer_gets_what_fits_and_the_size_that_is_needed) {
  const std::string whole = json({{"name", "a\"b\xff"}, {"list", {1, 2.5, false}}});
  for (std::size_t capacity = 0; capacity <= whole.size() + 2; ++capacity) {
    std::string buffer(capacity + 4, '#');
    const std::size_t needed =
        write_json({{"name", "a\"b\xff"}, {"list", {1, 2.5, false}}}, buffer.data(), capacity);
    EXPECT_EQ(needed, whole.size());
    const std::size_t written = std::min(capacity, whole.size());
    EXPECT_EQ(buffer.substr(0, written), whole.substr(0, written));
    EXPECT_EQ(buffer.substr(written), std::string(buffer.size() - written, '#'));
  }
}

TEST(Json, an_empty_view_is_an_empty_string) { EXPECT_EQ(json(std::string_view()), "\"\""); }

}  // namespace weft
