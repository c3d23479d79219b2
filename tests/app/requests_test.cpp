// What handlers ask of requests and answer with, over sockets: binding, forms, uploads, cookies,
// redirects, downloads and events.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "http/server/server_test.hpp"

namespace weft {

namespace {

enum class Color { red, green };

struct Address {
  std::string city;
  std::optional<std::uint16_t> zip;
};

struct Person {
  std::string name;
  int age = 0;
  std::optional<std::string> mail;
  std::vector<std::string> tags;
  std::vector<Address> homes;
  Color color = Color::red;
  std::map<std::string, double> scores;
  bool admin = false;
  std::int8_t small = 0;
};

struct Labels {
  std::vector<std::optional<std::string>> labels;
};

struct FlatLabels {
  std::vector<std::string> labels;
};

// Digits; strokes between them do not count.
struct Isbn {
  std::string digits;

  static constexpr std::string_view wanted = "must be an ISBN";
  static std::optional<Isbn> parse(std::string_view text) {
    Isbn made;
    for (const char c : text) {
      if (c == '-') continue;
      if (c < '0' || c > '9') return std::nullopt;
      made.digits += c;
    }
    return made;
  }
  const std::string& to_text() const { return digits; }
};

struct Volume {
  Isbn isbn;
  std::vector<Isbn> others;
};

struct Search {
  std::string q;
  std::uint8_t page = 1;
  std::vector<int> ids;
  std::optional<double> limit;
  Color color = Color::green;
  bool exact = false;
};

}  // namespace

template <>
struct Names<Color> {
  static constexpr auto names = weft::names<Color>({{"red", Color::red}, {"green", Color::green}});
};

template <>
struct Schema<Address> {
  static constexpr std::string_view name = "Address";
  static constexpr bool refuse_unknown = true;
  static constexpr auto fields = weft::fields(field("city", &Address::city, length(1, 20)),
                                              field("zip", &Address::zip, range(1, 65'000)));
};

template <>
struct Schema<Person> {
  static constexpr auto fields = weft::fields(
      field("name", &Person::name, length(1, 5)),
      field("age", &Person::age, range(0, 150),
            matches([](int age) { return age != 13; }, "must not be 13")),
      field("mail", &Person::mail, email()),
      field("tags", &Person::tags, defaulted(), length(0, 2), each(one_of("a", "b"))),
      field("homes", &Person::homes, defaulted()), field("color", &Person::color, defaulted()),
      field("scores", &Person::scores, defaulted()), field("admin", &Person::admin, defaulted()),
      field("small", &Person::small, defaulted()));
  static void check(const Person& person, Complaints& complaints) {
    if (person.admin && person.age < 18) complaints.add("admin", "must be of age");
  }
};

template <>
struct Schema<Labels> {
  static constexpr auto fields = weft::fields(field("labels", &Labels::labels, each(length(1, 3))));
};

template <>
struct Schema<FlatLabels> {
  static constexpr auto fields =
      weft::fields(field("labels", &FlatLabels::labels, each(length(1, 3))));
};

template <>
struct Schema<Volume> {
  static constexpr auto fields =
      weft::fields(field("isbn", &Volume::isbn), field("others", &Volume::others, defaulted()));
};

template <>
struct Schema<Search> {
  static constexpr auto fields = weft::fields(
      field("q", &Search::q, length(1, 10)),
      field("page", &Search::page, defaulted(), range(1, 200)),
      field("ids", &Search::ids, length(0, 3)), field("limit", &Search::limit),
      field("color", &Search::color, defaulted()), field("exact", &Search::exact, defaulted()));
};

namespace {

class Requests : public http::test::ServerTest {
 protected:
  http::test::Answer post(std::string_view target, std::string_view body, std::string_view type) {
    http::test::Client client = connect();
    return client.ask(
        http::test::post_request(target, body, "Content-Type: " + std::string(type) + "\r\n"));
  }
  http::test::Answer json(std::string_view body) {
    return post("/person", body, "application/json");
  }
  void add_person() {
    app.post("/person", [](Context& c) { c.json(c.bind<Person>()); });
    start();
  }
};

std::string error_text(std::string_view field, std::string_view path, std::string_view message) {
  std::string text;
  write_json(JsonValue{{"field", field}, {"path", path}, {"message", message}}, text);
  return text;
}

}  // namespace

TEST_P(Requests, a_struct_is_bound_from_json_and_written_back) {
  add_person();
  const std::string whole =
      R"({"name":"Zoë","age":30,"mail":"z@example.org","tags":["a","b"],"homes":[{"city":"Bern",)"
      R"("zip":3000},{"city":"Ulm","zip":null}],"color":"green","scores":{"x":1.5,"y z":2},)"
      R"("admin":true,"small":-128})";
  http::test::Answer answer = json(whole);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("content-type"), "application/json");
  EXPECT_EQ(answer.body, whole);
  answer = json(R"({"unknown":[{}],"age":0,"name":"n","mail":null})");
  EXPECT_EQ(answer.body,
            R"({"name":"n","age":0,"mail":null,"tags":[],"homes":[],"color":"red","scores":{},)"
            R"("admin":false,"small":0})");
  EXPECT_EQ(
      post("/person", R"({"name":"n","age":0})", "application/vnd.x+json; charset=utf-8").status,
      200);
}

TEST_P(Requests, all_that_is_wrong_is_said_at_once_with_its_place) {
  add_person();
  http::test::Answer answer = json(
      R"({"name":"toolong","age":151,"mail":"x","tags":["c","d"],"homes":[{"city":"","zip":70000},)"
      R"({"zip":0,"x":1},5],"color":"blue","scores":{"y z":"1"},"admin":1,"small":128})");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.field("content-type"), "application/json");
  for (const std::string& expected : {
           error_text("name", "$.name", "must have at most 5 characters"),
           error_text("age", "$.age", "must be at most 150"),
           error_text("mail", "$.mail", "must be an e-mail address"),
           error_text("tags", "$.tags[0]", "must be one of a, b"),
           error_text("tags", "$.tags[1]", "must be one of a, b"),
           error_text("city", "$.homes[0].city", "must have at least 1 character"),
           error_text("zip", "$.homes[0].zip", "must be an integer from 0 to 65535"),
           error_text("city", "$.homes[1].city", "is missing"),
           error_text("zip", "$.homes[1].zip", "must be at least 1"),
           error_text("x", "$.homes[1].x", "is not known"),
           error_text("homes", "$.homes[2]", "must be an object"),
           error_text("color", "$.color", "must be one of red, green"),
           error_text("y z", "$.scores[\"y z\"]", "must be a number"),
           error_text("admin", "$.admin", "must be true or false"),
           error_text("small", "$.small", "must be an integer from -128 to 127"),
       }) {
    EXPECT_NE(answer.body.find(expected), std::string::npos) << expected << "\n" << answer.body;
  }
  EXPECT_EQ(json(R"({"name":"n","age":13})").body,
            "{\"errors\":[" + error_text("age", "$.age", "must not be 13") + "]}\n");
  EXPECT_EQ(json(R"({"name":"n","age":5,"admin":true})").body,
            "{\"errors\":[" + error_text("admin", "$.admin", "must be of age") + "]}\n");
  EXPECT_EQ(json("[]").body, "{\"errors\":[" + error_text("", "$", "must be an object") + "]}\n");
}

TEST_P(Requests, complaints_are_bounded) {
  app.post("/list", [](Context& c) { c.json(c.bind_json<std::vector<Person>>()); });
  start();
  std::string body = "[1";
  for (int i = 0; i < 1000; ++i) body += ",1";
  const http::test::Answer answer = post("/list", body + "]", "application/json");
  EXPECT_EQ(answer.status, 422);
  EXPECT_NE(answer.body.find("$[31]"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find("$[32]"), std::string::npos) << answer.body;
}

TEST_P(Requests, each_bad_element_of_a_list_is_a_complaint_up_to_the_bound) {
  app.post("/labels", [](Context& c) { c.json(c.bind<Labels>()); });
  app.post("/form", [](Context& c) { c.json(c.bind<FlatLabels>()); });
  start();
  std::string body = R"({"labels":["",null)";
  for (int i = 0; i < 1000; ++i) body += R"(,"long")";
  const http::test::Answer answer = post("/labels", body + "]}", "application/json");
  EXPECT_EQ(answer.status, 422);
  EXPECT_NE(answer.body.find(error_text("labels", "$.labels[0]", "must have at least 1 character")),
            std::string::npos)
      << answer.body;
  EXPECT_EQ(answer.body.find("$.labels[1]"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("$.labels[32]"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find("$.labels[33]"), std::string::npos) << answer.body;
  EXPECT_EQ(post("/form", "labels=a&labels=&labels=bb", "application/x-www-form-urlencoded").body,
            "{\"errors\":[" +
                error_text("labels", "$.labels[1]", "must have at least 1 character") + "]}\n");
}

TEST_P(Requests, a_type_of_ones_own_is_read_from_a_text_and_written_as_one) {
  app.get("/books/:isbn", [](Context& c) {
    c.json({{"isbn", c.param_as<Isbn>("isbn")}, {"next", c.query_as<Isbn>("next", Isbn{"none"})}});
  });
  app.post("/books", [](Context& c) { c.json(c.bind<Volume>()); });
  start();
  EXPECT_EQ(connect().get("/books/1-23?next=4").body, R"({"isbn":"123","next":"4"})");
  EXPECT_EQ(connect().get("/books/12").body, R"({"isbn":"12","next":"none"})");
  EXPECT_EQ(connect().get("/books/x").body, "isbn must be an ISBN\n");
  EXPECT_EQ(connect().get("/books/1?next=%ff").status, 400);
  EXPECT_EQ(post("/books", R"({"isbn":"7-8","others":["9"]})", "application/json").body,
            R"({"isbn":"78","others":["9"]})");
  const http::test::Answer bad =
      post("/books", R"({"isbn":7,"others":["x","1","y"]})", "application/json");
  EXPECT_EQ(bad.body, "{\"errors\":[" + error_text("isbn", "$.isbn", "must be an ISBN") + "," +
                          error_text("others", "$.others[0]", "must be an ISBN") + "," +
                          error_text("others", "$.others[2]", "must be an ISBN") + "]}\n");
}

TEST_P(Requests, literals_and_ranges_of_what_has_a_schema_are_answered) {
  app.get("/homes", [](Context& c) {
    const std::vector<Address> homes{{"Bern", 3000}, {"Ulm", {}}};
    if (c.query("long").empty()) return c.json({{"items", homes}, {"total", homes.size()}});
    c.json(std::vector<Address>(1000, {"Chur", 7000}));
  });
  app.get("/bytes", [](Context& c) { c.bytes(R"({"ready":true})", "application/json"); });
  start();
  EXPECT_EQ(connect().get("/homes").body,
            R"({"items":[{"city":"Bern","zip":3000},{"city":"Ulm","zip":null}],"total":2})");
  const http::test::Answer many = connect().get("/homes?long=1");
  EXPECT_EQ(many.field("content-type"), "application/json");
  EXPECT_EQ(many.body.size(), 1000 * std::string(R"({"city":"Chur","zip":7000},)").size() + 1);
  EXPECT_EQ(connect().get("/bytes").body, R"({"ready":true})");
}

TEST_P(Requests, what_is_no_json_is_a_400_with_its_place_and_another_type_a_415) {
  add_person();
  const http::test::Answer answer = json("{\"name\":\n 7,}");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            "{\"error\":\"the body is no JSON\",\"message\":\"a name in double quotes is "
            "missing\",\"line\":2,\"column\":4,\"offset\":12}\n");
  EXPECT_EQ(post("/person", "{}", "text/plain").status, 415);
  EXPECT_EQ(post("/person", "name=n", "application/x-www-form-urlencoded").status, 415);
  EXPECT_EQ(connect().ask(http::test::post_request("/person", "{}")).status, 415);
  expect_still_serving();
}

TEST_P(Requests, a_flat_struct_is_bound_from_forms_and_queries) {
  app.post("/search", [](Context& c) { c.json(c.bind<Search>()); });
  app.get("/search", [](Context& c) { c.json(c.bind_query<Search>()); });
  app.get("/path/:q/:page", [](Context& c) { c.json(c.bind_path<Search>()); });
  app.get("/header", [](Context& c) { c.json(c.bind_header<Search>()); });
  start();
  const std::string made =
      R"({"q":"a b&","page":7,"ids":[1,-2],"limit":0.5,"color":"red","exact":true})";
  const std::string text = "q=a+b%26&page=7&ids=1&ids=-2&limit=0.5&color=red&exact=on";
  EXPECT_EQ(post("/search", text, "application/x-www-form-urlencoded").body, made);
  EXPECT_EQ(connect().get("/search?" + text).body, made);
  EXPECT_EQ(post("/search", made, "application/json").body, made);
  EXPECT_EQ(connect().get("/path/x%2Fy/9").body,
            R"({"q":"x/y","page":9,"ids":[],"limit":null,"color":"green","exact":false})");
  EXPECT_EQ(connect().ask("GET /header HTTP/1.1\r\nHost: a\r\nQ: z\r\nLimit: 2\r\n\r\n").body,
            R"({"q":"z","page":1,"ids":[],"limit":2,"color":"green","exact":false})");
  const http::test::Answer bad =
      connect().get("/search?q=&page=256&ids=x&limit=nan&color=blue&exact=yes");
  EXPECT_EQ(bad.status, 422);
  for (const std::string& expected : {
           error_text("q", "$.q", "must have at least 1 character"),
           error_text("page", "$.page", "must be an integer from 0 to 255"),
           error_text("ids", "$.ids[0]", "must be an integer from -2147483648 to 2147483647"),
           error_text("limit", "$.limit", "must be a number"),
           error_text("color", "$.color", "must be one of red, green"),
           error_text("exact", "$.exact", "must be true or false"),
       }) {
    EXPECT_NE(bad.body.find(expected), std::string::npos) << expected << "\n" << bad.body;
  }
  EXPECT_NE(connect().get("/search?q=a&q=b").body.find("is given more than once"),
            std::string::npos);
  EXPECT_NE(connect().get("/search?q=%ff").body.find("must be a text"), std::string::npos);
  EXPECT_NE(connect().get("/search").body.find("is missing"), std::string::npos);
}

TEST_P(Requests, single_values_have_types_and_garbage_is_a_400) {
  app.get("/items/:id", [](Context& c) {
    c.json({{"id", c.param_as<std::uint16_t>("id")}, {"page", c.query_as<int>("page", 1)}});
  });
  start();
  EXPECT_EQ(connect().get("/items/7").body, R"({"id":7,"page":1})");
  EXPECT_EQ(connect().get("/items/7?page=-3").body, R"({"id":7,"page":-3})");
  for (const std::string bad : {"x", "65536", "-1", "+1", "1x", "0x1", "%201"}) {
    EXPECT_EQ(connect().get("/items/" + bad).status, 400) << bad;
  }
  EXPECT_EQ(connect().get("/items/7?page=").status, 400);
  EXPECT_EQ(connect().get("/items/7?page=1e3").body,
            "page must be an integer from -2147483648 to 2147483647\n");
}

TEST_P(Requests, forms_and_uploads_are_taken_apart) {
  const std::string folder = testing::TempDir() + "weft_uploads_" + GetParam();
  std::filesystem::create_directories(folder);
  app.post("/form", [folder](Context& c) {
    c.read_form({.memory_bytes = 1000});
    std::string said = std::string(c.form("text")) + "," + std::string(c.form("none", "-"));
    for (const auto one : c.form_all("x")) said += "," + std::string(one);
    for (const Upload* one : c.uploads()) {
      const std::string path = folder + "/" + one->file_name();
      const bool saved = one->save_as(path).ok() && read_file(path).value() == one->read().value();
      said += "\n" + one->field() + " " + one->file_name() + " " + one->content_type() + " " +
              std::to_string(one->size()) + (one->in_memory() ? " memory" : " disk") +
              (saved ? " saved" : " lost");
    }
    c.text(said);
  });
  start();
  EXPECT_EQ(post("/form", "text=a%2Bb&x=1&x=2&x=", "application/x-www-form-urlencoded").body,
            "a+b,-,1,2,");
  std::string body = "--q\r\nContent-Disposition: form-data; name=text\r\n\r\nhi\r\n";
  body +=
      "--q\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../.etc/passwd\"\r\n\r\n";
  body += "small\r\n";
  body += "--q\r\nContent-Disposition: form-data; name=\"g\"; filename=\"big\"\r\n";
  body += "Content-Type: image/png\r\n\r\n" + std::string(100'000, 'g') + "\r\n--q--\r\n";
  const http::test::Answer answer = post("/form", body, "multipart/form-data; boundary=\"q\"");
  EXPECT_EQ(answer.body,
            "hi,-\nf passwd application/octet-stream 5 memory saved\ng big image/png 100000 disk "
            "saved");
  std::filesystem::remove_all(folder);
}

TEST_P(Requests, forms_that_are_malformed_or_too_large_are_refused) {
  app.post("/form", [](Context& c) {
    c.read_form({.parts = 2, .field_bytes = 4, .file_bytes = 6});
    c.text("taken");
  });
  start();
  const std::string urlencoded = "application/x-www-form-urlencoded";
  EXPECT_EQ(post("/form", "a=1&b=1234", urlencoded).status, 200);
  EXPECT_EQ(post("/form", "a=1&b=1&c=1", urlencoded).status, 413);
  EXPECT_EQ(post("/form", "a=12345", urlencoded).status, 413);
  EXPECT_EQ(post("/form", "a=%4", urlencoded).status, 400);
  const std::string field = "--b\r\nContent-Disposition: form-data; name=a";
  const std::string multipart = "multipart/form-data; boundary=b";
  EXPECT_EQ(post("/form", field + "\r\n\r\n1234\r\n--b--", multipart).status, 200);
  EXPECT_EQ(post("/form", field + "\r\n\r\n12345\r\n--b--", multipart).status, 413);
  EXPECT_EQ(post("/form", field + "; filename=x\r\n\r\n123456\r\n--b--", multipart).status, 200);
  EXPECT_EQ(post("/form", field + "; filename=x\r\n\r\n1234567\r\n--b--", multipart).status, 413);
  EXPECT_EQ(post("/form", field + "\r\n\r\n1\r\n--b", multipart).status, 400);
  EXPECT_EQ(post("/form", field, "multipart/form-data").status, 400);
  EXPECT_EQ(post("/form", field, "multipart/form-data; boundary=b; boundary=c").status, 400);
  EXPECT_EQ(post("/form", "{}", "application/json").status, 415);
  expect_still_serving();
}

TEST_P(Requests, answers_beyond_a_body) {
  app.get("/xml", [](Context& c) { c.xml("<a/>"); });
  app.get("/away", [](Context& c) { c.redirect("/there?x=1", 303); });
  app.get("/split", [](Context& c) { c.redirect(c.query("to")); });
  app.get("/odd", [](Context& c) { c.redirect("/", 200); });
  app.del("/it", [](Context& c) { c.no_content(); });
  app.get("/sign", [](Context& c) {
    c.set_cookie("sid", "abc", {.max_age = std::chrono::hours(1), .secure = true});
    c.clear_cookie("old").text("in");
  });
  const std::string path = testing::TempDir() + "weft_download_" + GetParam();
  ASSERT_TRUE(write_file(path, "content").ok());
  app.get("/get", [path](Context& c) { c.download(path, "Zoë \"1\"\r\nX: y.txt"); });
  app.get("/gone", [path](Context& c) { c.download(path + ".not", "x"); });
  start();
  EXPECT_EQ(connect().get("/xml").field("content-type"), "application/xml; charset=utf-8");
  const http::test::Answer away = connect().get("/away");
  EXPECT_EQ(away.status, 303);
  EXPECT_EQ(away.field("location"), "/there?x=1");
  EXPECT_EQ(connect().get("/split?to=/a%0d%0aSet-Cookie:%20x=y").status, 500);
  EXPECT_EQ(connect().get("/odd").status, 500);
  EXPECT_EQ(connect().ask("DELETE /it HTTP/1.1\r\nHost: a\r\n\r\n").status, 204);
  const std::string head = connect().get("/sign").head;
  EXPECT_NE(head.find("Set-Cookie: sid=abc; Path=/; Max-Age=3600; Secure; HttpOnly; "
                      "SameSite=Lax\r\n"),
            std::string::npos)
      << head;
  EXPECT_NE(head.find("Set-Cookie: old=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 "
                      "GMT; HttpOnly; SameSite=Lax\r\n"),
            std::string::npos)
      << head;
  const http::test::Answer file = connect().get("/get");
  EXPECT_EQ(file.body, "content");
  EXPECT_EQ(file.field("content-disposition"),
            "attachment; filename=\"Zo_ _1___X: y.txt\"; "
            "filename*=UTF-8''Zo%C3%AB%20%221%22__X%3A%20y.txt");
  const http::test::Answer gone = connect().get("/gone");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.field("content-disposition"), "");
  std::filesystem::remove(path);
}

TEST_P(Requests, events_go_out_as_they_happen) {
  app.get("/events", [this](Context& c) {
    auto events = c.events({.heartbeat = std::chrono::milliseconds(0)});
    events.send({.event = "news", .data = "a\r\nb\rc\n", .id = c.last_event_id(), .retry = {}});
    gate.pass();
    EXPECT_THROW(events.send({.event = "x\ny", .data = {}, .id = {}, .retry = {}}),
                 std::invalid_argument);
    events.comment("so\nfar");
    events.send("end");
  });
  start();
  http::test::Client client = connect();
  client.send("GET /events HTTP/1.0\r\nLast-Event-ID: 7\r\n\r\n");
  const http::test::Answer head = client.read_answer();
  EXPECT_EQ(head.field("content-type"), "text/event-stream");
  EXPECT_EQ(head.field("cache-control"), "no-cache");
  const std::string first = "event: news\nid: 7\ndata: a\ndata: b\ndata: c\ndata: \n\n";
  std::string seen;
  while (seen.size() < first.size()) {
    const std::string more = client.receive_some();
    ASSERT_FALSE(more.empty()) << seen;
    seen += more;
  }
  EXPECT_EQ(seen, first);
  gate.open();
  EXPECT_EQ(client.read_to_end(), ": so\n: far\n\ndata: end\n\n");
}

TEST_P(Requests, a_heartbeat_goes_on_while_the_handler_waits_and_a_client_that_goes_ends_it) {
  std::atomic<bool> ended{false};
  app.get("/events", [&](Context& c) {
    struct End {
      ~End() { ended = true; }
      std::atomic<bool>& ended;
    } end{ended};
    auto events = c.events({.heartbeat = std::chrono::milliseconds(1)});
    gate.pass();
  });
  start();
  http::test::Client client = connect();
  client.send("GET /events HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  std::string seen;
  while (seen.size() < 8) {
    const std::string more = client.receive_some();
    ASSERT_FALSE(more.empty());
    seen += more;
  }
  EXPECT_TRUE(seen.starts_with(": \n\n: \n\n")) << seen;
  client.reset();
  EXPECT_TRUE(http::test::eventually([&] { return ended.load(); }));
  expect_still_serving();
}

TEST_P(Requests, events_end_with_the_handler_of_whatever_kind_it_is) {
  Channel<int> go;
  app.get("/coroutine", [go](Context& c) -> Task<void> {
    auto events = c.events({.heartbeat = std::chrono::milliseconds(1)});
    while (co_await coro::receive(go)) events.send("one");
    events.send("end");
  });
  app.get("/callback", [go](Context& c, Respond respond) {
    {
      auto events = c.events({.heartbeat = std::chrono::milliseconds(1)});
      while (go.receive()) events.send("one");
      events.send("end");
    }
    respond();
  });
  start();
  http::test::Client coroutine = connect();
  coroutine.send("GET /coroutine HTTP/1.0\r\n\r\n");
  http::test::Client callback = connect();
  callback.send("GET /callback HTTP/1.0\r\n\r\n");
  const std::string beat = ": \n\n";
  for (http::test::Client* client : {&coroutine, &callback}) {
    EXPECT_EQ(client->read_answer().status, 200);
    std::string seen;
    while (seen.size() < 2 * beat.size()) {
      const std::string more = client->receive_some();
      ASSERT_FALSE(more.empty()) << seen;
      seen += more;
    }
    EXPECT_TRUE(seen.starts_with(beat + beat)) << seen;
  }
  EXPECT_TRUE(go.send(1));
  go.close();
  std::string all;
  for (http::test::Client* client : {&coroutine, &callback}) {
    const std::string rest = client->read_to_end();
    EXPECT_TRUE(rest.ends_with("data: end\n\n")) << rest;
    all += rest;
  }
  // One of them has had it.
  EXPECT_NE(all.find("data: one\n\n"), std::string::npos);
  expect_still_serving();
}

TEST_P(Requests, a_client_that_goes_ends_a_coroutine_and_its_events) {
  std::atomic<bool> ended{false};
  const Channel<int> never;
  app.get("/events", [&](Context& c) -> Task<void> {
    struct End {
      ~End() { ended = true; }
      std::atomic<bool>& ended;
    } end{ended};
    auto events = c.events({.heartbeat = std::chrono::milliseconds(1)});
    co_await coro::receive(never);
  });
  start();
  http::test::Client client = connect();
  client.send("GET /events HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  client.reset();
  EXPECT_TRUE(http::test::eventually([&] { return ended.load(); }));
  expect_still_serving();
}

TEST(SetCookie, what_a_browser_would_drop_or_misread_is_refused) {
  const auto is_refused = [](std::string_view name, std::string_view value,
                             const CookieOptions& options = {}) {
    try {
      set_cookie_text(name, value, options);
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  EXPECT_EQ(set_cookie_text("a", "b"), "a=b; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(set_cookie_text("__Host-a", "", {.secure = true, .same_site = SameSite::none}),
            "__Host-a=; Path=/; Secure; HttpOnly; SameSite=None");
  for (const char* name : {"", "a b", "a=b", "a;b", "a\r\nb"}) EXPECT_TRUE(is_refused(name, "v"));
  for (const char* value : {"a b", "a;b", "a,b", "\"a\"", "a\\b", "a\r\nb", "\xc3\xab"}) {
    EXPECT_TRUE(is_refused("n", value)) << value;
  }
  EXPECT_TRUE(is_refused("n", "v", {.path = "/a;b"}));
  EXPECT_TRUE(is_refused("n", "v", {.path = "a"}));
  EXPECT_TRUE(is_refused("n", "v", {.domain = "a b"}));
  EXPECT_TRUE(is_refused("__Secure-n", "v"));
  EXPECT_TRUE(is_refused("__secure-n", "v"));
  EXPECT_TRUE(is_refused("__Host-n", "v"));
  EXPECT_TRUE(is_refused("__Host-n", "v", {.path = "/a", .secure = true}));
  EXPECT_TRUE(is_refused("__Host-n", "v", {.domain = "a.b", .secure = true}));
  EXPECT_TRUE(is_refused("n", "v", {.same_site = SameSite::none}));
  EXPECT_TRUE(is_refused("n", std::string(4096, 'v')));
}

TEST(Describe, a_schema_is_data) {
  const SchemaDescription made = describe<std::vector<Person>>();
  EXPECT_EQ(made.root.kind, TypeDescription::Kind::array);
  ASSERT_EQ(made.objects.size(), 2U);
  const ObjectDescription& person = made.objects[made.root.element.at(0).object];
  ASSERT_EQ(person.fields.size(), 9U);
  EXPECT_EQ(person.fields[0].name, "name");
  EXPECT_TRUE(person.fields[0].required);
  EXPECT_EQ(person.fields[0].constraints.at(0).kind, Constraint::Kind::min_length);
  EXPECT_EQ(person.fields[0].constraints.at(1).length, 5U);
  EXPECT_EQ(person.fields[1].type.bits, 32U);
  EXPECT_EQ(person.fields[1].constraints.at(1).bound, 150);
  EXPECT_EQ(person.fields[1].constraints.at(2).message, "must not be 13");
  EXPECT_TRUE(person.fields[2].type.nullable);
  EXPECT_FALSE(person.fields[2].required);
  EXPECT_FALSE(person.fields[3].required);
  EXPECT_TRUE(person.fields[3].constraints.at(2).of_elements);
  EXPECT_EQ(person.fields[5].type.names, (std::vector<std::string>{"red", "green"}));
  const ObjectDescription& address = made.objects[person.fields[4].type.element.at(0).object];
  EXPECT_EQ(address.name, "Address");
  EXPECT_TRUE(address.refuses_unknown);
}

INSTANTIATE_TEST_SUITE_P(All, Requests,
                         testing::Values(std::string("epoll"), std::string("io_uring")),
                         http::test::backend_of);

}  // namespace weft
