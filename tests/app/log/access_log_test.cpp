// The access log: its formats, what is escaped in them, and what of a server's answers is in it.
#include "app/log/access_log.hpp"

#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "app/log/access_format.hpp"
#include "app/log/access_memory.hpp"
#include "app/log/escape.hpp"
#include "http/server/server_test.hpp"
#include "weft/middleware/logger.hpp"
#include "weft/test_client.hpp"

namespace weft {

namespace {

using http::test::Answer;
using http::test::eventually;
using RawClient = http::test::Client;

std::string escaped(std::string_view text) {
  std::string line(app::escaped_bound(text.size()), '#');
  line.resize(static_cast<std::size_t>(app::put_escaped(line.data(), text) - line.data()));
  return line;
}

std::string json_escaped(std::string_view text) {
  std::string line(app::escaped_bound(text.size()), '#');
  line.resize(static_cast<std::size_t>(app::put_json_escaped(line.data(), text) - line.data()));
  return line;
}

// A server with an access log, whose lines are taken as they come.
class AccessLogging : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/weft-access-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    path = folder + "/access.log";
    options.port = 0;
    options.quiet = true;
    options.access_log = path;
    app.get("/hello/{name}", [](Context& c) { c.text("hello"); });
    app.get("/empty", [](Context& c) { c.status(204); });
    app.get("/throws", [](Context&) { throw std::runtime_error("it broke"); });
    app.get("/sized", [](Context& c) { write_parts(c.stream("text/plain", 100'000)); });
    app.get("/chunked", [](Context& c) { write_parts(c.stream("text/plain")); });
    app.post("/body", [](Context& c) { c.text(std::to_string(c.body().size())); });
  }
  void TearDown() override {
    app.stop();
    std::filesystem::remove_all(folder);
  }

  static void write_parts(ResponseWriter out) {
    for (int i = 0; i < 100; ++i) out.write(std::string(1'000, 's'));
  }
  RawClient start(const std::string& format, unsigned workers = 1) {
    options.access_log_format = format;
    options.workers = workers;
    app.start(options);
    return RawClient(app.port());
  }
  std::vector<std::string> lines() const {
    std::ifstream file(path);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  // Waits for so many, of which the last is given.
  std::string line(std::size_t count) const {
    EXPECT_TRUE(eventually([&] { return lines().size() >= count; })) << lines().size();
    const auto all = lines();
    EXPECT_EQ(all.size(), count);
    return all.empty() ? std::string() : all.back();
  }

  std::string folder;
  std::string path;
  Options options;
  App app;
};

constexpr const char* kTime = R"(\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\])";

}  // namespace

// ---- Formats

struct Mistake {
  const char* format;
  const char* said;
};

TEST(AccessFormat, what_is_wrong_is_said_with_its_column_and_what_was_meant) {
  const Mistake mistakes[] = {
      {"", "column 1: it is neither common, combined nor json, and a pattern has a %"},
      {"combine",
       "column 1: it is neither common, combined nor json, and a pattern has a %; did you mean "
       "combined?"},
      {"%h %S", "column 4: there is no %S; did you mean %s?"},
      {"%h %Z", "column 4: there is no %Z; write %% for a percent sign"},
      {"100%", "column 4: a letter is missing behind the %; write %% for a percent sign"},
      {"%h %{Referer", "column 5: the { is not closed; put a } behind the name"},
      {"%{User Agent}i", "column 2: 'User Agent' is no name of a header"},
      {"%{}C", "column 2: '' is no name of a cookie"},
      {"%i", "column 1: %i needs a name, as in %{Name}i"},
      {"%I", "column 1: %I needs a name, as in %{body}I"},
      {"%{isoo}t", "column 2: %t takes no {isoo}; did you mean %{iso}t?"},
      {"%{x}s", "column 2: %s takes no {x}"},
      {"%h\n", "column 3: a control byte"},
  };
  for (const auto& [format, said] : mistakes) {
    EXPECT_EQ(app::access_format_mistake(format), said) << format;
  }
  for (const char* const good : {"common", "combined", "json", "%%", "%>s", "%h%%h", "%{us}T"}) {
    EXPECT_EQ(app::access_format_mistake(good), "") << good;
  }
}

TEST(AccessFormat, a_configuration_with_a_bad_one_is_refused_before_it_serves) {
  App app;
  Options options;
  options.port = 0;
  options.quiet = true;
  options.access_log = "/dev/null";
  options.access_log_format = "%h %S";
  try {
    app.start(options);
    FAIL() << "it started";
  } catch (const std::exception& error) {
    EXPECT_EQ(std::string(error.what()),
              "cannot log in the format \"%h %S\": column 4: there is no %S; did you mean %s?");
  }
  EXPECT_THROW(logger({.format = "%Q"}), std::invalid_argument);
}

// ---- Escaping

TEST(Escape, no_byte_can_end_a_line_or_a_quoted_text) {
  EXPECT_EQ(escaped("plain text"), "plain text");
  EXPECT_EQ(escaped("a\"b\\c"), "a\\\"b\\\\c");
  EXPECT_EQ(escaped("a\r\nb\tc\x1b[31m\x7f"), "a\\x0d\\x0ab\\x09c\\x1b[31m\\x7f");
  EXPECT_EQ(escaped("\xc3\xa4\x9b"), "\\xc3\\xa4\\x9b");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    for (const char c : escaped(one)) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << byte;
    const std::string json = json_escaped(one);
    EXPECT_EQ(json.find_first_of(std::string_view("\n\r\0\x1b", 4)), std::string::npos) << byte;
    if (byte == '"') {
      EXPECT_EQ(json, "\\\"");
    }
  }
}

TEST(Escape, a_byte_is_found_wherever_it_stands) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    for (std::size_t at = 0; at < 20; ++at) {
      const std::string before(at, 'a');
      EXPECT_EQ(escaped(before + one + "bcdefghij"), before + escaped(one) + "bcdefghij") << byte;
    }
  }
}

TEST(Escape, json_text_stays_utf8) {
  EXPECT_EQ(json_escaped("\xc3\xa4 \xf0\x9f\x90\xb3"), "\xc3\xa4 \xf0\x9f\x90\xb3");
  EXPECT_EQ(json_escaped("\xff\xc3"), "\\ufffd\\ufffd");
  EXPECT_EQ(json_escaped("\x01\"\\"), "\\u0001\\\"\\\\");
}

TEST(Escape, what_is_too_long_is_cut) {
  const std::string text(app::kMostLoggedBytes + 1, 'x');
  EXPECT_EQ(escaped(text), text.substr(1) + "...");
  EXPECT_EQ(escaped(text.substr(1)), text.substr(1));
}

TEST(AccessMemory, times_are_those_of_the_zone_of_the_process) {
  const char* const before = std::getenv("TZ");
  const std::string zone = before != nullptr ? before : "";
  ::setenv("TZ", "XYZ+03:30", 1);
  ::tzset();
  app::AccessMemory memory;
  EXPECT_EQ(memory.clf_time(971'211'336), "[10/Oct/2000:17:25:36 -0330]");
  EXPECT_EQ(memory.iso_time(971'211'336), "2000-10-10T20:55:36");
  before != nullptr ? ::setenv("TZ", zone.c_str(), 1) : ::unsetenv("TZ");
  ::tzset();
}

// ---- The lines of a server

TEST_F(AccessLogging, common_and_combined_are_as_everybody_reads_them) {
  RawClient client = start("combined");
  client.ask(
      "GET /hello/you?x=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: it \"is\" I\r\n"
      "Referer: http://b/\r\n\r\n");
  EXPECT_TRUE(std::regex_match(
      line(1), std::regex(std::string(R"(127\.0\.0\.1 - - )") + kTime +
                          R"( "GET /hello/you\?x=1 HTTP/1\.1" 200 5 "http://b/" "it \\"is\\" I")")))
      << line(1);
  client.get("/empty");
  EXPECT_TRUE(std::regex_match(line(2), std::regex(std::string(R"(127\.0\.0\.1 - - )") + kTime +
                                                   R"( "GET /empty HTTP/1\.1" 204 - "-" "-")")))
      << line(2);
}

TEST_F(AccessLogging, json_lines_have_all_of_it) {
  RawClient client = start("json");
  client.ask(
      "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nUser-Agent: \xff\"\r\n\r\nabc");
  EXPECT_TRUE(std::regex_match(
      line(1),
      std::regex(R"x(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","remote":"127.0.0.1",)x"
                 R"x("method":"POST","target":"/body","protocol":"HTTP/1.1","status":200,)x"
                 R"x("bytes":1,"request_bytes":3,"duration_us":\d+,"route":"/body",)x"
                 R"x("user":null,"referer":null,"user_agent":"\\ufffd\\"","complete":true\})x")))
      << line(1);
  client.ask("GET /" + std::string("\x01") + " HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(std::regex_match(
      line(2),
      std::regex(
          R"x(\{"time":"[^"]*","remote":"127.0.0.1","refused":"GET /\\u0001 HTTP/1.1",)x"
          R"x("status":400,"bytes":\d+,"request_bytes":0,"duration_us":\d+,)x"
          R"x("route":null,"user":null,"referer":null,"user_agent":null,"complete":true\})x")))
      << line(2);
}

TEST_F(AccessLogging, a_pattern_has_what_it_names) {
  app.get("/fields", [](Context& c) {
    c.set_header("x-request-id", "id-7");
    c.text("ok");
  });
  RawClient client = start(
      "%% %m %U [%q] %H %>s %B %R %X %{Host}i %{X-Request-Id}o %{content-type}o %{sid}C %{no}C "
      "%{no}i %{body}I");
  client.ask("GET /fields?a=b HTTP/1.1\r\nHost: a\r\nCookie: x=1; sid=s\r\n\r\n");
  EXPECT_EQ(line(1),
            "% GET /fields [?a=b] HTTP/1.1 200 2 /fields + a id-7 text/plain; charset=utf-8 s - - "
            "0");
  client.ask("GET /none HTTP/1.0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(line(2), "% GET /none [] HTTP/1.0 404 10 - - - - text/plain; charset=utf-8 - - - 0");
}

TEST_F(AccessLogging, whoever_was_found_out_is_the_user) {
  const auto named = [](Context& c) {
    c.set(Identity{.name = std::string(c.query("name"))});
    c.text("ok");
  };
  app.get("/named", named);
  app.get("/basic", basic_auth({{"ada", "secret word"}}), [](Context& c) { c.text("ok"); });
  RawClient client = start("%u|%R");
  const auto user = [&](std::size_t count, const std::string& target,
                        const std::string& fields = {}) {
    client.ask("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    return line(count);
  };
  EXPECT_EQ(user(1, "/hello/a"), "-|/hello/{name}");
  EXPECT_EQ(user(2, "/named?name=ada"), "ada|/named");
  EXPECT_EQ(user(3, "/basic"), "-|/basic");
  // "ada:secret word"
  EXPECT_EQ(user(4, "/basic", "Authorization: Basic YWRhOnNlY3JldCB3b3Jk\r\n"), "ada|/basic");
  // It is a word of the line, whatever it is made of, and nobody is called like nobody.
  EXPECT_EQ(user(5, "/named?name=a+b%22%0d%0a+"), "a\\x20b\\\"\\x0d\\x0a\\x20|/named");
  EXPECT_EQ(user(6, "/named?name=-"), "\\x2d|/named");
  EXPECT_EQ(user(7, "/named?name="), "-|/named");
  const std::string long_name(app::kMostLoggedBytes + 10, 'n');
  EXPECT_EQ(user(8, "/named?name=" + long_name),
            long_name.substr(0, app::kMostLoggedBytes) + "...|/named");
}

TEST_F(AccessLogging, the_user_is_in_json) {
  app.get("/named", [](Context& c) {
    c.set(Identity{.name = "ada \"l\""});
    c.text("ok");
  });
  start("json").get("/named");
  EXPECT_NE(line(1).find(R"("route":"/named","user":"ada \"l\"","referer":null)"),
            std::string::npos)
      << line(1);
}

TEST_F(AccessLogging, the_user_is_in_common_lines) {
  app.get("/named", [](Context& c) {
    c.set(Identity{.name = "ada l"});
    c.text("ok");
  });
  start("common").get("/named");
  EXPECT_TRUE(std::regex_match(line(1), std::regex(std::string(R"(127\.0\.0\.1 - ada\\x20l )") +
                                                   kTime + R"( "GET /named HTTP/1\.1" 200 2)")))
      << line(1);
}

TEST_F(AccessLogging, times_are_of_the_request) {
  app.get("/slow", [](Context& c) {
    weft::sleep(std::chrono::milliseconds(20));
    c.text("ok");
  });
  RawClient client = start("%D %{us}T %{ms}T %T %{usec}t %{sec}t %{msec}t");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  client.get("/slow");
  std::istringstream words(line(1));
  std::uint64_t micros = 0, again = 0, millis = 0, seconds = 9, at_us = 0, at_s = 0, at_ms = 0;
  words >> micros >> again >> millis >> seconds >> at_us >> at_s >> at_ms;
  EXPECT_GE(micros, 19'000U);
  EXPECT_EQ(again, micros);
  EXPECT_EQ(millis, micros / 1000);
  EXPECT_EQ(seconds, micros / 1'000'000);
  EXPECT_EQ(at_us / 1'000'000, at_s);
  EXPECT_EQ(at_us / 1'000, at_ms);
  // The clocks of the process and of the system differ by what a refresh of the date allows.
  const auto begun = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  EXPECT_NEAR(static_cast<double>(at_us), static_cast<double>(begun), 60e6);
}

TEST_F(AccessLogging, what_reaches_no_route_is_logged_too) {
  options.limits.head_timeout = std::chrono::milliseconds(1);
  RawClient client = start("%r|%s");
  client.get("/none");
  EXPECT_EQ(line(1), "GET /none HTTP/1.1|404");
  client.ask("DELETE /empty HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(line(2), "DELETE /empty HTTP/1.1|405");
  client.get("/throws");
  EXPECT_EQ(line(3), "GET /throws HTTP/1.1|500");
  RawClient(app.port()).ask("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(line(4), "BREW /pot HTTP/1.1|501");
  RawClient(app.port()).ask("GET /" + std::string(9'000, 'u') + " HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(line(5).ends_with("...|414")) << line(5).substr(0, 50);
  RawClient(app.port()).ask("GET / HT");
  EXPECT_EQ(line(6), "GET / HT|408");
}

TEST_F(AccessLogging, connections_that_are_one_too_many_are_logged) {
  options.limits.connections = 1;
  RawClient client = start("%r|%s|%h|%X");
  client.get("/hello/a");
  EXPECT_EQ(line(1), "GET /hello/a HTTP/1.1|200|127.0.0.1|+");
  RawClient other(app.port());
  EXPECT_EQ(other.read_answer().status, 503);
  EXPECT_EQ(line(2), "-|503|127.0.0.1|-");
}

TEST_F(AccessLogging, nobody_forges_a_line) {
  RawClient client = start("%h \"%r\" \"%{User-Agent}i\" \"%{X}i\"");
  client.ask(
      "GET /%0d%0a127.0.0.1?\x22 HTTP/1.1\r\nHost: a\r\nUser-Agent: \" 200 \\\r\n"
      "X: \xe2\x80\xa8\x85\r\n\r\n");
  EXPECT_EQ(line(1),
            R"(127.0.0.1 "GET /%0d%0a127.0.0.1?\" HTTP/1.1" "\" 200 \\" "\xe2\x80\xa8\x85")");
  RawClient(app.port()).ask("GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n");
  EXPECT_EQ(line(2), R"(127.0.0.1 "GET / HTTP/1.1" "-" "-")");
  RawClient(app.port()).ask("G\x1b[2J\"\\ / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(line(3), R"(127.0.0.1 "G\x1b[2J\"\\ / HTTP/1.1" "-" "-")");
}

TEST_F(AccessLogging, sizes_are_those_of_the_bodies_as_they_were_sent) {
  std::ofstream(folder + "/file") << std::string(300'000, 'f');
  const FileRoot root = FileRoot::open(folder).value();
  app.get("/file", [&root](Context& c) { c.file(root, "file"); });
  RawClient client = start("%m %U %B %{body}I %X");
  EXPECT_EQ(client.get("/sized").body.size(), 100'000U);
  EXPECT_EQ(line(1), "GET /sized 100000 0 +");
  EXPECT_EQ(client.get("/file").body.size(), 300'000U);
  EXPECT_EQ(line(2), "GET /file 300000 0 +");
  EXPECT_EQ(client.ask("GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\n\r\n").status, 206);
  EXPECT_EQ(line(3), "GET /file 10 0 +");
  client.send("HEAD /chunked HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_answer(true);
  EXPECT_EQ(line(4), "HEAD /chunked 0 0 +");
  client.send("HEAD /hello/a HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_answer(true);
  EXPECT_EQ(line(5), "HEAD /hello/a 0 0 +");
  client.ask(
      "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
  EXPECT_EQ(line(6), "POST /body 1 6 +");
  RawClient chunked(app.port());
  chunked.send("GET /chunked HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_GT(chunked.read_to_end().size(), 100'000U);
  EXPECT_EQ(line(7), "GET /chunked 100000 0 -");
}

TEST_F(AccessLogging, an_answer_that_was_cut_off_says_what_was_sent_of_it) {
  http::test::Gate gate;
  app.get("/long", [&gate](Context& c) {
    auto out = c.stream("text/plain");
    out.write("begun");
    out.flush();
    gate.pass();
    for (;;) out.write(std::string(64 * 1024, 'x'));
  });
  app.get("/waits", [&gate](Context& c) {
    gate.pass();
    c.text("never seen");
  });
  start("%U %s %X %B");
  {
    RawClient client(app.port());
    client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
    client.reset();
  }
  EXPECT_EQ(line(1), "/long 200 X 5");
  {
    RawClient client(app.port());
    client.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
    // The other one was cancelled, and is still counted.
    ASSERT_TRUE(eventually([&] { return gate.waiting() == 2; }));
    client.reset();
  }
  EXPECT_EQ(line(2), "/waits 499 X 0");
}

TEST_F(AccessLogging, every_request_has_its_line_on_every_model_and_back_end) {
  for (const char* const backend : {"epoll", "io_uring"}) {
    if (!http::test::why_not(backend).empty()) continue;
    for (const char* const model : {"green", "coroutine", "callback"}) {
      std::filesystem::remove(path);
      options.backend = backend;
      options.model = model;
      RawClient client = start("%r %s", 2);
      std::string batch;
      for (int i = 0; i < 50; ++i) {
        batch += "GET /hello/" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
      }
      client.send(batch);
      for (int i = 0; i < 50; ++i) ASSERT_EQ(client.read_answer().status, 200);
      client.get("/throws");
      EXPECT_EQ(line(51), "GET /throws HTTP/1.1 500") << backend << " " << model;
      const auto all = lines();
      for (std::size_t i = 0; i < 50; ++i) {
        EXPECT_EQ(all[i], "GET /hello/" + std::to_string(i) + " HTTP/1.1 200");
      }
      app.stop();
    }
  }
}

TEST_F(AccessLogging, a_log_is_opened_anew_when_it_is_asked_to) {
  RawClient client = start("%U");
  client.get("/hello/1");
  EXPECT_EQ(line(1), "/hello/1");
  std::filesystem::rename(path, path + ".1");
  app.reopen_logs();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(path); }));
  client.get("/hello/2");
  EXPECT_EQ(line(1), "/hello/2");
}

// The lines of a log are made when they are written, which may be when the log has gone.
TEST_F(AccessLogging, a_log_that_goes_before_its_writer_leaves_its_lines) {
  auto writer = std::make_shared<LogWriter>(path);
  std::size_t asked = 0;
  for (int round = 0; round < 20; ++round) {
    App own;
    own.use(logger({.format = "%m %U%q %{X-Round}i", .writer = writer}));
    own.get("/{name}", [](Context& c) { c.text("hello"); });
    TestClient client(own);
    for (int i = 0; i < 10; ++i, ++asked) {
      const std::string path_asked = "/" + std::to_string(i) + "?a=b";
      const auto answer =
          client.request(TestRequest("GET", path_asked).header("X-Round", std::to_string(round)));
      ASSERT_EQ(answer.status(), 200);
    }
  }
  ASSERT_TRUE(writer->flush());
  const auto all = lines();
  ASSERT_EQ(all.size(), asked);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], "GET /" + std::to_string(i % 10) + "?a=b " + std::to_string(i / 10));
  }
}

TEST_F(AccessLogging, a_pattern_may_name_more_than_is_usual) {
  std::string format;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    format += "%{X-" + std::to_string(i) + "}i ";
    expected += (i % 2 == 0 ? "v" + std::to_string(i) : "-") + " ";
  }
  RawClient client = start(format);
  std::string fields;
  for (int i = 0; i < 100; i += 2) {
    fields += "X-" + std::to_string(i) + ": v" + std::to_string(i) + "\r\n";
  }
  client.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(line(1), expected);
}

TEST_F(AccessLogging, what_is_long_is_cut_and_says_so) {
  RawClient client = start("%{X-Long}i|%{X-Long}i|%U");
  const std::string most(app::kMostLoggedBytes, '"');
  client.send("GET /hello/a HTTP/1.1\r\nHost: x\r\nX-Long: " + most + "\"\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  std::string quoted;
  for (std::size_t i = 0; i < most.size(); ++i) quoted += "\\\"";
  EXPECT_EQ(line(1), quoted + "...|" + quoted + "...|/hello/a");
}

TEST_F(AccessLogging, what_is_logged_last_is_there_when_the_server_has_stopped) {
  {
    RawClient client = start("%U");
    for (int i = 0; i < 200; ++i) client.get("/hello/" + std::to_string(i));
  }
  app.stop();
  ASSERT_EQ(lines().size(), 200U);
  EXPECT_EQ(lines().back(), "/hello/199");
}

TEST_F(AccessLogging, a_log_that_cannot_be_opened_keeps_the_server_from_starting) {
  options.access_log = folder + "/none/access.log";
  EXPECT_THROW(app.start(options), std::runtime_error);
  EXPECT_EQ(app.port(), 0);
}

// ---- Levels of what the server says of itself

TEST_F(AccessLogging, a_level_leaves_out_what_matters_less) {
  const auto said_with = [this](const std::string& level) {
    options.log_level = level;
    options.quiet = false;
    testing::internal::CaptureStderr();
    RawClient client = start("common");
    client.get("/throws");
    RawClient(app.port()).ask("nonsense\r\n\r\n");
    app.stop();
    return testing::internal::GetCapturedStderr();
  };
  const std::string error = said_with("error");
  EXPECT_EQ(error.find("weft: http://"), std::string::npos) << error;
  EXPECT_NE(error.find("it broke"), std::string::npos) << error;
  EXPECT_NE(said_with("info").find("weft: http://"), std::string::npos);
  options.log_level = "loud";
  EXPECT_THROW(app.start(options), std::runtime_error);
}

TEST_F(AccessLogging, debug_says_what_was_wrong_with_a_request) {
  options.log_level = "debug";
  testing::internal::CaptureStderr();
  RawClient client = start("common");
  client.ask("GET / HTTP/1.1\r\n\r\n");
  app.stop();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("weft: refused a request of 127.0.0.1:"), std::string::npos) << said;
  EXPECT_NE(said.find(" with 400: "), std::string::npos) << said;
}

}  // namespace weft
