// The document and the page that are made of routes, over sockets.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <variant>

#include "openapi_rules.hpp"
#include "pets.hpp"

namespace weft::app::test {

namespace {

void add_pets(App& app) {
  auto pets = app.group("/pets");
  pets.describe({.tags = {"pets"}, .security = {"token"}});
  pets.post("", describe_route({.summary = "Take a pet in", .description = "With `care`."}),
            typed([](Pet pet) -> Created<Pet> { return {std::move(pet)}; }));
  pets.get(
      "", describe_route({.summary = "Find pets", .id = "findPets", .open = true}),
      typed([](const FromQuery<Wanted>&, const FromHeader<Keys>&) { return std::vector<Pet>(); }));
  pets.get("/{id:int}", typed([](std::int32_t) { return std::optional<Pet>(); }));
  pets.put("/{id:int}/place",
           describe_route({.tags = {"places"}, .deprecated = true})
               .answers<other::Place>(200, "Where it is")
               .answers(409, "It has a place"),
           typed([](std::int32_t, const FromJson<Place>&) -> WithStatus<202> { return {}; }));
  pets.del("/{id:uuid}", typed([](const std::string&) {}));
  pets.get("/{name:alpha}", describe_route({.summary = "By name"}),
           typed([](const std::string&) -> std::string { return "x"; }));
}

void add_rest(App& app) {
  app.get("/plain", plain);
  app.any("/any/{thing}", plain);
  app.post("/any/{thing}", describe_route({.summary = "Its own"}), plain);
  app.get("/files/{rest:path}", plain);
  app.get("/hex/:digits", describe_route().path_value<std::string>(), plain);
  app.get("/hidden", describe_route({.hidden = true}).answers<Slot>(), plain);
  app.post("/login",
           typed([](const Login&) -> std::variant<std::string, WithStatus<401>> { return ""; }));
  app.post("/form/{shelf}/{box:hex}",
           typed([](const FromPath<Slot>&, const FromForm<Login>&) { return 1; }));
  app.route("CONNECT", "/tunnel", plain);
}

const OpenApiOptions kPets{
    .title = "Pets & <others>",
    .version = "1.2",
    .description = "What lives here.",
    .servers = {{.url = "/", .description = "this one"}},
    .tags = {{.name = "pets", .description = "All of them"}},
    .security_schemes = {{.name = "token", .format = "JWT"},
                         {.name = "key", .kind = SecurityScheme::Kind::header, .field = "X-Key"},
                         {.name = "login", .kind = SecurityScheme::Kind::basic},
                         {.name = "who",
                          .kind = SecurityScheme::Kind::open_id,
                          .url = "https://example.org/.well-known/openid-configuration"}},
    .security = {"key", "login"}};

const std::filesystem::path kGolden =
    std::filesystem::path(WEFT_SOURCE_DIR) / "tests/vectors/openapi";

std::string golden(const std::string& name) {
  std::ifstream file(kGolden / name);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class OpenApi : public Typed {
 protected:
  // An App without the routes that all tests have.
  void SetUp() override {
    Typed::SetUp();
    own.emplace();
  }
  void TearDown() override {
    if (own) own->stop();
    Typed::TearDown();
  }
  http::test::Answer ask(std::string_view target, std::string_view fields = {}) {
    http::test::Client client(own->port());
    return client.ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" +
                      std::string(fields) + "\r\n");
  }

  std::optional<App> own;
};
INSTANTIATE_TEST_SUITE_P(Backends, OpenApi, http::test::every_backend, http::test::backend_of);

}  // namespace

TEST_P(OpenApi, the_document_of_many_routes_is_as_it_was_and_keeps_the_rules) {
  own->openapi(kPets);
  add_pets(*own);
  add_rest(*own);
  own->start(options);
  const http::test::Answer answer = ask("/openapi.json");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("content-type"), "application/json");
  EXPECT_EQ(app::test::broken_rules(answer.body), std::vector<std::string>());
  if (std::getenv("WEFT_WRITE_VECTORS") != nullptr) {
    std::ofstream(kGolden / "pets.json") << answer.body;
  }
  EXPECT_EQ(answer.body, golden("pets.json"));
  EXPECT_EQ(answer.body.find("hidden"), std::string::npos);
  EXPECT_EQ(answer.body.find("tunnel"), std::string::npos);
}

TEST_P(OpenApi, errors_have_the_applications_shape_in_it) {
  own->error_format(ErrorFormat::problem);
  own->openapi({});
  own->post("/pets", typed([](Login login) { return std::optional<Login>(login); }));
  own->start(options);
  const http::test::Answer answer = ask("/openapi.json");
  EXPECT_EQ(app::test::broken_rules(answer.body), std::vector<std::string>());
  const auto parsed = JsonDocument::parse(answer.body);
  const JsonNode root = std::get<JsonDocument>(parsed).root();
  const JsonNode answers = root["paths"]["/pets"]["post"]["responses"];
  const auto schema_of = [&](std::string_view status) {
    return answers[status]["content"]["application/problem+json"]["schema"]["$ref"].as_string();
  };
  EXPECT_EQ(schema_of("404"), "#/components/schemas/Problem");
  EXPECT_EQ(schema_of("415"), "#/components/schemas/Problem");
  EXPECT_EQ(schema_of("400"), "#/components/schemas/JsonError");
  EXPECT_EQ(schema_of("422"), "#/components/schemas/FieldErrors");
  for (const char* name : {"Problem", "JsonError", "FieldErrors"}) {
    const JsonNode properties = root["components"]["schemas"][name]["properties"];
    for (const char* member : {"type", "title", "status", "detail"}) {
      EXPECT_TRUE(properties[member].exists()) << name << " " << member;
    }
  }
}

TEST_P(OpenApi, a_group_says_what_its_routes_share_and_a_route_has_the_last_word) {
  own->openapi({});
  auto pets = own->group("/pets");
  pets.describe(describe_route({.tags = {"pets"}}).error(401, "Nobody").error(404, "No pet"));
  pets.describe(describe_route().header<Keys>());
  pets.get("/{id:int}", typed([](std::int32_t) { return std::optional<Login>(); }));
  pets.get("", describe_route().error(404, "None at all"), plain);
  pets.get("/{at}/asker", typed([](Position, const Asker& asker) { return asker.name; }));
  EXPECT_THROW(pets.describe(describe_route().json_body<Login>()), std::invalid_argument);
  EXPECT_THROW(pets.describe(describe_route().path_value<int>()), std::invalid_argument);
  own->start(options);
  const http::test::Answer answer = ask("/openapi.json");
  EXPECT_EQ(app::test::broken_rules(answer.body), std::vector<std::string>());
  const auto parsed = JsonDocument::parse(answer.body);
  const JsonNode paths = std::get<JsonDocument>(parsed).root()["paths"];
  const auto meaning = [&](std::string_view path, std::string_view status) {
    return paths[path]["get"]["responses"][status]["description"].as_string().value_or("");
  };
  EXPECT_EQ(meaning("/pets/{id}", "401"), "Nobody");
  EXPECT_EQ(meaning("/pets/{id}", "404"), "No pet");
  EXPECT_EQ(meaning("/pets", "401"), "Nobody");
  EXPECT_EQ(meaning("/pets", "404"), "None at all");
  EXPECT_EQ(meaning("/pets/{at}/asker", "401"), "Nobody has said who asks");
  EXPECT_EQ(paths["/pets"]["get"]["tags"].at(0).as_string(), "pets");
  EXPECT_EQ(paths["/pets"]["get"]["parameters"].at(0)["name"].as_string(), "x-key");
  EXPECT_EQ(paths["/pets/{id}"]["get"]["responses"]["404"]["content"].size(), 1U);
}

TEST_P(OpenApi, files_of_forms_and_bodies_of_bytes_are_described) {
  own->openapi({});
  own->post("/photos",
            describe_route()
                .form<Login>()
                .file("photo", {.about = "A portrait", .type = "image/png"})
                .file("more", {.several = true, .required = false}),
            plain);
  own->put("/photos/{id}", describe_route().bytes_body("image/png"), plain);
  EXPECT_THROW(describe_route().bytes_body("png"), std::invalid_argument);
  EXPECT_THROW(own->get("/x", describe_route().file("a"), plain), std::invalid_argument);
  own->start(options);
  const http::test::Answer answer = ask("/openapi.json");
  EXPECT_EQ(app::test::broken_rules(answer.body), std::vector<std::string>());
  const auto parsed = JsonDocument::parse(answer.body);
  const JsonNode paths = std::get<JsonDocument>(parsed).root()["paths"];
  const JsonNode content = paths["/photos"]["post"]["requestBody"]["content"];
  ASSERT_EQ(content.size(), 1U) << answer.body;
  const JsonNode form = content["multipart/form-data"];
  const JsonNode fields = form["schema"]["properties"];
  EXPECT_EQ(fields["name"]["type"].as_string(), "string");
  EXPECT_EQ(fields["photo"]["contentMediaType"].as_string(), "image/png");
  EXPECT_EQ(fields["photo"]["description"].as_string(), "A portrait");
  EXPECT_EQ(fields["more"]["type"].as_string(), "array");
  EXPECT_EQ(fields["more"]["items"]["contentMediaType"].as_string(), "application/octet-stream");
  EXPECT_EQ(form["schema"]["required"].size(), 3U);
  EXPECT_EQ(form["encoding"]["photo"]["contentType"].as_string(), "image/png");
  EXPECT_TRUE(paths["/photos"]["post"]["responses"]["415"].exists());
  const JsonNode bytes = paths["/photos/{id}"]["put"]["requestBody"]["content"];
  EXPECT_EQ(bytes["image/png"]["schema"]["contentMediaType"].as_string(), "image/png");
}

TEST_P(OpenApi, an_application_without_routes_has_a_document_too) {
  own->openapi({.title = "Nothing", .path = "/api/v1.json", .docs_path = ""});
  own->start(options);
  const http::test::Answer answer = ask("/api/v1.json");
  EXPECT_EQ(answer.body,
            "{\n  \"openapi\": \"3.1.0\",\n  \"info\": {\n    \"title\": \"Nothing\",\n"
            "    \"version\": \"0.1.0\"\n  },\n  \"paths\": {},\n  \"components\": {\n"
            "    \"schemas\": {}\n  }\n}\n");
  EXPECT_EQ(app::test::broken_rules(answer.body), std::vector<std::string>());
  EXPECT_EQ(ask("/docs").status, 404);
}

TEST_P(OpenApi, routes_that_come_later_are_in_it_and_names_stay) {
  own->openapi({});
  own->post("/z", typed([](Place place) { return place; }));
  own->start(options);
  const http::test::Answer before = ask("/openapi.json");
  const std::string same = "If-None-Match: " + before.field("etag") + "\r\n";
  EXPECT_EQ(ask("/openapi.json", same).status, 304);
  // As compress() makes it, and as clients with several may ask.
  const std::string weak = "If-None-Match: \"other\", W/" + before.field("etag") + "\r\n";
  EXPECT_EQ(ask("/openapi.json", weak).status, 304);
  EXPECT_EQ(ask("/docs", "If-None-Match: *\r\n").status, 304);
  // Listed before the other, but the name is taken.
  own->post("/a", typed([](other::Place place) { return place; }));
  const http::test::Answer after = ask("/openapi.json", same);
  EXPECT_EQ(after.status, 200);
  EXPECT_EQ(app::test::broken_rules(after.body), std::vector<std::string>());
  const auto parsed = JsonDocument::parse(after.body);
  const JsonNode root = std::get<JsonDocument>(parsed).root();
  const auto reference = [&](std::string_view path) {
    return root["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
               ["$ref"]
                   .as_string();
  };
  EXPECT_EQ(reference("/a"), "#/components/schemas/Place_2");
  EXPECT_EQ(reference("/z"), "#/components/schemas/Place");
  EXPECT_TRUE(root["components"]["schemas"]["Place_2"]["properties"]["x"].exists());
}

TEST_P(OpenApi, it_goes_through_the_middleware_that_was_there_before) {
  own->use([](Context& c, Next& next) {
    if (c.header("x-in") != "yes") Context::abort(401, "who?\n");
    next();
  });
  own->openapi({});
  own->start(options);
  EXPECT_EQ(ask("/openapi.json").status, 401);
  EXPECT_EQ(ask("/docs").status, 401);
  EXPECT_EQ(ask("/openapi.json", "X-In: yes\r\n").status, 200);
}

TEST_P(OpenApi, the_page_is_whole_and_runs_nothing_but_its_own_script) {
  own->openapi({.title = "A <script>alert(1)</script> & \"more\"",
                .path = "/v1/api/openapi.json",
                .docs_path = "/v1/docs",
                .servers = {{.url = "https://api.example.org/v1"}, {.url = "/x; script-src *"}}});
  own->start(options);
  const http::test::Answer answer = ask("/v1/docs");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("content-type"), "text/html; charset=utf-8");
  const std::string policy = answer.field("content-security-policy");
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  EXPECT_EQ(policy.find('*'), std::string::npos) << policy;
  EXPECT_NE(policy.find("connect-src 'self' https://api.example.org;"), std::string::npos);
  EXPECT_NE(answer.body.find("<title>A &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more"),
            std::string::npos);
  EXPECT_NE(answer.body.find("data-document=\"./api/openapi.json\""), std::string::npos);
  EXPECT_EQ(answer.body.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(answer.body.find("@script@"), std::string::npos);
  // Nothing is loaded from elsewhere, and no attribute is a script or a style.
  EXPECT_EQ(answer.body.find("src="), std::string::npos);
  EXPECT_EQ(answer.body.find(" style="), std::string::npos);
  EXPECT_EQ(answer.body.find("innerHTML"), std::string::npos);
  const std::string same = "If-None-Match: " + answer.field("etag") + "\r\n";
  EXPECT_EQ(ask("/v1/docs", same).status, 304);
}

TEST_P(OpenApi, the_page_keeps_its_policy_behind_one_for_all_answers) {
  own->use(secure_headers());
  own->openapi({});
  own->start(options);
  const http::test::Answer answer = ask("/docs");
  const std::string name = "\nContent-Security-Policy:";
  const std::size_t first = answer.head.find(name);
  ASSERT_NE(first, std::string::npos) << answer.head;
  EXPECT_EQ(answer.head.find(name, first + 1), std::string::npos) << answer.head;
  EXPECT_NE(answer.field("content-security-policy").find("script-src 'sha256-"), std::string::npos);
}

TEST(OpenApiRules, a_broken_document_is_told_from_a_sound_one) {
  const std::string sound = golden("pets.json");
  ASSERT_EQ(app::test::broken_rules(sound), std::vector<std::string>());
  const std::pair<std::string_view, std::string_view> changes[] = {
      {"\"3.1.0\"", "\"3.0\""},
      {"\"version\"", "\"edition\""},
      {"\"operationId\": \"findPets\"", "\"operationId\": \"post_pets\""},
      {"#/components/schemas/Pet\"", "#/components/schemas/Dog\""},
      {"\"in\": \"path\"", "\"in\": \"route\""},
      {"\"required\": true", "\"required\": false"},
      {"\"description\": \"Created\"", "\"description\": 7"},
      {"\"/pets\"", "\"pets\""},
      {"\"token\": []", "\"tocken\": []"},
      {"\"type\": \"integer\"", "\"type\": \"int\""},
      {"\"201\"", "\"21\""},
  };
  for (const auto& [from, to] : changes) {
    std::string broken = sound;
    const std::size_t at = broken.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    broken.replace(at, from.size(), to);
    EXPECT_NE(app::test::broken_rules(broken), std::vector<std::string>()) << from;
  }
}

TEST(Describe, type_names_lose_namespaces_and_brackets) {
  using detail::short_type_name;
  EXPECT_EQ(short_type_name("f() [with T = weft::{anonymous}::Place; std::string_view = int]"),
            "Place");
  EXPECT_EQ(short_type_name("f() [T = weft::(anonymous namespace)::Place]"), "Place");
  EXPECT_EQ(short_type_name("f() [T = shop::Page<shop::User, int>]"), "Page_User_int");
  EXPECT_EQ(short_type_name(detail::spelled_with_type<other::Place>()), "Place");
  EXPECT_EQ(short_type_name(detail::spelled_with_type<Pet>()), "Pet");
}

TEST(Describe, a_default_is_what_the_struct_begins_with) {
  const SchemaDescription made = describe<Pet>();
  const ObjectDescription& pet = made.objects.at(0);
  EXPECT_EQ(pet.fields[0].fallback, "");
  EXPECT_EQ(pet.fields[1].fallback, "3");
  EXPECT_EQ(pet.fields[2].fallback, "\"red\"");
  EXPECT_EQ(pet.fields[6].fallback, "[]");
}

}  // namespace weft::app::test
