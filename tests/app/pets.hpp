// What tests of typed handlers, and of the document of routes, are about: structs with Schemas.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/server/server_test.hpp"

namespace weft::app::test {

enum class Colour { red, dark_green };

struct Place {
  std::string city;
  std::optional<std::uint16_t> zip;
};

struct Pet {
  std::string name;
  std::uint8_t age = 3;
  Colour colour = Colour::red;
  double weight = 1.5;
  std::optional<Colour> collar;
  std::optional<std::string> mail;
  std::vector<std::string> tags;
  std::vector<Place> homes;
  std::optional<Place> birthplace;
  std::map<std::string, std::int64_t> scores;
  std::vector<Pet> children;
  std::string kind;
};

// Flat: comes from forms, too.
struct Login {
  std::string name;
  std::uint32_t pin = 0;
};

struct Wanted {
  std::string q;
  std::uint8_t page = 1;
  std::vector<int> ids;
  std::optional<double> limit;
};

struct Keys {
  std::string key;
};

struct Slot {
  int shelf = 0;
  std::string box;
};

// Reads itself from a part of a path.
struct Position {
  int shelf = 0;
  std::string box;

  static std::optional<Position> parse(std::string_view text) {
    if (text.size() < 3 || text[0] < '1' || text[0] > '9' || text[1] != '-') return std::nullopt;
    return Position{text[0] - '0', std::string(text.substr(2))};
  }
};

// And from a whole request.
struct Asker {
  std::string name;

  static Asker from_request(Context& c) {
    if (c.header("x-user").empty()) Context::abort(401, "Who are you?\n");
    return {std::string(c.header("x-user"))};
  }
  static void describe(RouteDescription& route) { route.error(401, "Nobody has said who asks"); }
};

namespace other {
// Of the same name as one of the others.
struct Place {
  int x = 0;
};
}  // namespace other

}  // namespace weft::app::test

namespace weft {

template <>
struct Names<app::test::Colour> {
  static constexpr auto names = weft::names<app::test::Colour>(
      {{"red", app::test::Colour::red}, {"dark green", app::test::Colour::dark_green}});
};
template <>
struct Schema<app::test::Place> {
  static constexpr bool refuse_unknown = true;
  static constexpr auto fields =
      weft::fields(field("city", &app::test::Place::city, length(1, 20)),
                   field("zip", &app::test::Place::zip, range(1, 65'000)));
};
template <>
struct Schema<app::test::other::Place> {
  static constexpr auto fields = weft::fields(field("x", &app::test::other::Place::x));
};
template <>
struct Schema<app::test::Pet> {
  static constexpr std::string_view description = "An animal of the house \"and more\" <b>";
  static constexpr auto fields = weft::fields(
      field("name", &app::test::Pet::name, length(1, 5), about("What it is called")),
      field("age", &app::test::Pet::age, defaulted(), range(0, 150),
            matches([](int age) { return age != 13; }, "must not be 13")),
      field("colour", &app::test::Pet::colour, defaulted()),
      field("weight", &app::test::Pet::weight, defaulted(), range(0.5, 99.5)),
      field("collar", &app::test::Pet::collar), field("mail", &app::test::Pet::mail, email()),
      field("tags", &app::test::Pet::tags, defaulted(), length(0, 2), each(one_of("a", "b"))),
      field("homes", &app::test::Pet::homes, defaulted()),
      field("birthplace", &app::test::Pet::birthplace),
      field("scores", &app::test::Pet::scores, defaulted(), length(0, 4)),
      field("children", &app::test::Pet::children, defaulted()),
      field("kind", &app::test::Pet::kind, one_of("cat", "dog")));
};
template <>
struct Schema<app::test::Login> {
  static constexpr auto fields =
      weft::fields(field("name", &app::test::Login::name), field("pin", &app::test::Login::pin));
};
template <>
struct Schema<app::test::Wanted> {
  static constexpr auto fields =
      weft::fields(field("q", &app::test::Wanted::q, length(1, 10)),
                   field("page", &app::test::Wanted::page, defaulted(), range(1, 200)),
                   field("ids", &app::test::Wanted::ids, length(0, 3)),
                   field("limit", &app::test::Wanted::limit));
};
template <>
struct Schema<app::test::Keys> {
  static constexpr auto fields = weft::fields(field("x-key", &app::test::Keys::key));
};
template <>
struct Schema<app::test::Slot> {
  static constexpr auto fields = weft::fields(field("shelf", &app::test::Slot::shelf, range(1, 9)),
                                              field("box", &app::test::Slot::box));
};

}  // namespace weft

namespace weft::app::test {

inline void plain(Context& c) { c.text("plain"); }

class Typed : public http::test::ServerTest {
 protected:
  http::test::Answer get(std::string_view target) { return connect().get(target); }
  http::test::Answer post(std::string_view target, std::string_view body,
                          std::string_view type = "application/json") {
    return connect().ask(
        http::test::post_request(target, body, "Content-Type: " + std::string(type) + "\r\n"));
  }
};

}  // namespace weft::app::test
