// A server whose document has a bit of everything, and words that would be markup if a page let
// them.
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <weft/weft.hpp>

namespace {

// Runs where it becomes an element.
constexpr const char* kHostile = "<img src=x onerror=\"window.broken=1\"></script><b>not bold</b>";

struct Part {
  std::string label;
  std::optional<int> size;
};
struct Thing {
  std::string name;
  int count = 1;
  std::vector<Part> parts;
};
struct Search {
  std::string words;
  std::vector<int> sizes;
};

}  // namespace

template <>
struct weft::Schema<Part> {
  static constexpr auto fields =
      weft::fields(weft::field("label", &Part::label, weft::length(1, 8)),
                   weft::field("size", &Part::size, weft::range(1, 9)));
};
template <>
struct weft::Schema<Thing> {
  static constexpr std::string_view description = "<i>A thing</i> &amp; more";
  static constexpr auto fields = weft::fields(
      weft::field("name", &Thing::name, weft::length(1, 20), weft::about("<u>Its</u> name")),
      weft::field("count", &Thing::count, weft::defaulted(), weft::range(1, 99)),
      weft::field("parts", &Thing::parts, weft::defaulted()));
};
template <>
struct weft::Schema<Search> {
  static constexpr auto fields =
      weft::fields(weft::field("words", &Search::words), weft::field("sizes", &Search::sizes));
};

int main(int argc, char** argv) {
  weft::App app;
  app.openapi({.title = std::string("Things ") + kHostile,
               .version = "2.0",
               .description = std::string("All `things`.\n\n") + kHostile,
               .path = "/api/openapi.json",
               .docs_path = "/api/docs",
               .tags = {{.name = "things", .description = kHostile}},
               .security_schemes = {{.name = "token"}}});
  auto things = app.group("/things");
  things.describe({.tags = {"things"}});
  things.post("", weft::describe_route({.summary = kHostile, .id = "makeThing"}),
              weft::typed([](Thing thing) -> weft::Created<Thing> { return {std::move(thing)}; }));
  things.get(
      "/{id:int}/{rest:path}", weft::describe_route({.id = "showThing"}),
      weft::typed([](int id, const std::string& rest, const weft::FromQuery<Search>& search) {
        return Thing{search->words + " " + rest,
                     id,
                     {{kHostile, search->sizes.empty() ? 0 : search->sizes.back()}}};
      }));
  things.del("/{id:int}", weft::describe_route({.id = "dropThing", .deprecated = true}),
             weft::typed([](int) {}));
  app.get("/secret", weft::describe_route({.id = "secret", .security = {"token"}}),
          [](weft::Context& c) { c.text(c.header("authorization", "none")); });
  return app.run(weft::Options::from_arguments(argc, argv));
}
