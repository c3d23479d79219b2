// static_files() and App::files() over sockets: names, folders, packed siblings, caching,
// fallbacks.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "app/middleware/static_site.hpp"
#include "app/middleware/unpack.hpp"
#include "http/server/server_test.hpp"

namespace weft {

namespace {

namespace fs = std::filesystem;
using http::test::Answer;
using RawClient = http::test::Client;

class StaticFiles : public http::test::ServerTest {
 protected:
  StaticFiles() {
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    root = folder + "/www";
    for (const char* const name : {"/docs", "/bare", "/.git", "/.well-known", "/assets"}) {
      fs::create_directories(root + name);
    }
    fs::create_directories(folder + "/outside");
    write(root + "/index.html", "the front page");
    write(root + "/docs/index.html", "the index of docs");
    write(root + "/docs/start.txt", "start here");
    write(root + "/bare/a<b>&.txt", "a");
    write(root + "/bare/.hidden", "hidden");
    write(root + "/.git/config", "secret");
    write(root + "/.well-known/security.txt", "call us");
    write(root + "/assets/app.1f3.js", "code");
    write(root + "/model.glb", "model");
    write(root + "/a b.txt", "blank");
    write(folder + "/outside/secret.txt", "secret");
    fs::create_directory_symlink(folder + "/outside", root + "/way-out");
  }
  ~StaticFiles() override { fs::remove_all(folder); }

  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  Answer ask(std::string_view target, std::string_view fields = {},
             std::string_view method = "GET") {
    RawClient client = connect();
    client.send(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" +
                std::string(fields) + "\r\n");
    return client.read_answer(method == "HEAD");
  }

  std::string folder = "/tmp/weft-static-XXXXXX";
  std::string root;
};
INSTANTIATE_TEST_SUITE_P(Topologies, StaticFiles,
                         testing::Values("epoll", "io_uring", "io_uring_shared", "epoll_coroutine"),
                         http::test::backend_of);

void try_static_files(const std::string& folder, const StaticOptions& options = {}) {
  static_cast<void>(static_files(folder, options));
}

}  // namespace

TEST_P(StaticFiles, a_folder_is_served_beneath_a_path) {
  app.files("/files", root);
  app.group("/v1").files("/files/", root);
  app.get("/files/docs/live", [](Context& c) { c.text("a route"); });
  start();
  for (const std::string base : {"/files", "/v1/files"}) {
    EXPECT_EQ(ask(base + "/docs/start.txt").body, "start here");
    EXPECT_EQ(ask(base + "/").body, "the front page");
    EXPECT_EQ(ask(base + "/docs/").body, "the index of docs");
    EXPECT_EQ(ask(base + "/docs/").field("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(ask(base + "/a%20b.txt").body, "blank");
    const Answer head = ask(base + "/docs/start.txt", {}, "HEAD");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.field("content-length"), "10");
    EXPECT_EQ(ask(base).status, 301);
    EXPECT_EQ(ask(base).field("location"), base + "/");
    EXPECT_EQ(ask(base + "/docs?a=1&b=%2F").field("location"), base + "/docs/?a=1&b=%2F");
    EXPECT_EQ(ask(base + "/bare/").status, 404);
    EXPECT_EQ(ask(base + "/docs/start.txt", {}, "DELETE").status, 405);
  }
  EXPECT_EQ(ask("/files/docs/live").body, "a route");
}

TEST_P(StaticFiles, what_is_not_there_or_not_for_others_is_404) {
  app.files("/", root, {.listing = true, .precompressed = true});
  start();
  for (const char* const target : {"/missing",
                                   "/missing/",
                                   "/../outside/secret.txt",
                                   "/docs/../../outside/secret.txt",
                                   "/%2e%2e/outside/secret.txt",
                                   "/docs/%2e%2e/%2e%2e/outside/",
                                   "/.git/config",
                                   "/.git/",
                                   "/.git",
                                   "/bare/.hidden",
                                   "/way-out/secret.txt",
                                   "/way-out/",
                                   "/way-out",
                                   "//docs/",
                                   "/docs//start.txt",
                                   "/docs%2fstart.txt",
                                   "/docs/start.txt/",
                                   "/docs%5c",
                                   "/%00",
                                   "/.well-known/security.txt"}) {
    const Answer answer = ask(target, "Accept-Encoding: gzip, br, zstd\r\n");
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << target << answer.head;
    EXPECT_EQ(answer.body.find("<ul>"), std::string::npos) << target;
    EXPECT_EQ(answer.field("content-encoding"), "") << target;
  }
}

TEST_P(StaticFiles, in_front_of_routes_it_lets_the_rest_pass) {
  app.use(static_files(root, {.prefix = "/pub/", .well_known = true}));
  app.get("/pub/live", [](Context& c) { c.text("a route"); });
  app.post("/pub/docs/start.txt", [](Context& c) { c.text("posted"); });
  app.get("/pub/missing.txt", [](Context& c) { c.status(404).text("said by a route"); });
  start();
  EXPECT_EQ(ask("/pub/docs/start.txt").body, "start here");
  EXPECT_EQ(ask("/pub/a%20b.txt").body, "blank");
  EXPECT_EQ(ask("/pub/docs").field("location"), "/pub/docs/");
  EXPECT_EQ(ask("/pub").field("location"), "/pub/");
  EXPECT_EQ(ask("/pub/.well-known/security.txt").body, "call us");
  EXPECT_EQ(ask("/pub/.well-known/.x").status, 404);
  EXPECT_EQ(ask("/pub/live").body, "a route");
  EXPECT_EQ(ask("/pub/docs/start.txt", "Content-Length: 0\r\n", "POST").body, "posted");
  EXPECT_EQ(ask("/pub/missing.txt").body, "said by a route");
  EXPECT_EQ(ask("/public/docs/start.txt").status, 404);
  EXPECT_EQ(ask("/docs/start.txt").status, 404);
  EXPECT_EQ(ask("/echo/x").body, "x");
}

TEST_P(StaticFiles, packed_siblings_are_given_to_those_who_take_them) {
  const std::string body = test::prose(5'000);
  write(root + "/app.css", body);
  write(root + "/app.css.br", test::pack("br", body));
  write(root + "/app.css.gz", test::pack("gzip", body));
  write(root + "/only.css", body);
  app.files("/", root, {.precompressed = true});
  start();
  std::string tags;
  for (const auto& [accept, coding] :
       {std::pair{"zstd, br, gzip", "br"}, {"zstd, gzip", "gzip"}, {"gzip;q=0, *", "br"}}) {
    const Answer answer = ask("/app.css", "Accept-Encoding: " + std::string(accept) + "\r\n");
    EXPECT_EQ(answer.field("content-encoding"), coding) << accept;
    EXPECT_EQ(answer.field("content-type"), "text/css; charset=utf-8");
    EXPECT_EQ(answer.field("vary"), "Accept-Encoding");
    EXPECT_NE(answer.field("etag").find("-" + std::string(coding) + "\""), std::string::npos);
    EXPECT_EQ(test::unpack(coding, answer.body), body);
    const Answer same = ask("/app.css", "Accept-Encoding: " + std::string(accept) +
                                            "\r\nIf-None-Match: " + answer.field("etag") + "\r\n");
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(same.field("vary"), "Accept-Encoding");
    const Answer refused =
        ask("/app.css", "Accept-Encoding: " + std::string(accept) + "\r\nIf-Match: \"other\"\r\n");
    EXPECT_EQ(refused.status, 412);
    EXPECT_EQ(refused.field("content-encoding"), "");
  }
  for (const char* const accept : {"", "zstd", "identity", "br;q=0"}) {
    const Answer answer = ask("/app.css", "Accept-Encoding: " + std::string(accept) + "\r\n");
    EXPECT_EQ(answer.body, body) << accept;
    EXPECT_EQ(answer.field("content-encoding"), "") << accept;
    EXPECT_EQ(answer.field("vary"), "Accept-Encoding") << accept;
  }
  EXPECT_EQ(ask("/only.css", "Accept-Encoding: br\r\n").body, body);
  const Answer part = ask("/app.css", "Accept-Encoding: br\r\nRange: bytes=0-3\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, test::pack("br", body).substr(0, 4));
}

TEST_P(StaticFiles, cache_control_goes_by_pattern_and_types_by_ending) {
  app.files(
      "/", root,
      {.index = {"none.html", "index.html"},
       .cache_control = "no-cache",
       .cache_rules = {{"assets/*.*.js", "public, max-age=31536000, immutable"}, {"*.glb", ""}},
       .types = {{"glb", "model/gltf-binary"}, {"txt", "text/x-notes"}}});
  start();
  EXPECT_EQ(ask("/assets/app.1f3.js").field("cache-control"),
            "public, max-age=31536000, immutable");
  EXPECT_EQ(ask("/docs/").field("cache-control"), "no-cache");
  EXPECT_EQ(ask("/docs/").body, "the index of docs");
  EXPECT_EQ(ask("/model.glb").field("cache-control"), "");
  EXPECT_EQ(ask("/model.glb").field("content-type"), "model/gltf-binary");
  EXPECT_EQ(ask("/docs/start.txt").field("content-type"), "text/x-notes");
  EXPECT_EQ(ask("/missing").field("cache-control"), "");
}

TEST_P(StaticFiles, a_listing_shows_what_is_there_in_order_and_harmless) {
  app.files("/", root, {.listing = true, .listing_entries = 3});
  start();
  const Answer bare = ask("/bare/");
  EXPECT_EQ(bare.status, 200);
  EXPECT_NE(bare.body.find("<a href=\"./a%3Cb%3E%26.txt\">a&lt;b&gt;&amp;.txt</a>"),
            std::string::npos)
      << bare.body;
  EXPECT_EQ(bare.body.find("hidden"), std::string::npos);
  EXPECT_EQ(ask("/docs/").body, "the index of docs");
  EXPECT_EQ(ask("/assets").status, 301);
  // Of more than the bound nothing is shown.
  for (const char* const name : {"1", "2", "3"}) write(root + "/bare/" + name, "");
  EXPECT_EQ(ask("/bare/").status, 404);
  fs::remove(root + "/bare/3");
  // What is not served is not named either; what leads to another place here is.
  fs::remove(root + "/bare/2");
  fs::create_symlink("/etc/passwd", root + "/bare/absolute");
  fs::create_directory_symlink("../..", root + "/bare/above");
  fs::create_symlink("nowhere", root + "/bare/dangling");
  fs::create_directory_symlink("../docs", root + "/bare/beside");
  const std::string linked = ask("/bare/").body;
  EXPECT_EQ(linked.find("absolute"), std::string::npos) << linked;
  EXPECT_EQ(linked.find("above"), std::string::npos);
  EXPECT_EQ(linked.find("dangling"), std::string::npos);
  EXPECT_NE(linked.find("\"./beside/\""), std::string::npos);
  EXPECT_EQ(ask("/bare/absolute").status, 404);
  EXPECT_EQ(ask("/bare/beside/").body, "the index of docs");
  fs::remove(root + "/bare/beside");
  write(root + "/bare/2", "");
  const std::string page = ask("/bare/").body;
  EXPECT_LT(page.find(">1<"), page.find(">2<"));
  EXPECT_LT(page.find(">2<"), page.find(">a&lt;"));
}

TEST_P(StaticFiles, pages_that_are_not_there_are_the_fallback) {
  app.use(static_files(root, {.prefix = "/use", .fallback = "index.html"}));
  app.files("/spa", root, {.cache_control = "no-cache", .fallback = "index.html"});
  app.get("/use/missing", [](Context& c) { c.status(404).text("said by a route"); });
  start();
  for (const std::string base : {"/spa", "/use"}) {
    const Answer page = ask(base + "/users/7", "Accept: text/html,*/*;q=0.8\r\n");
    EXPECT_EQ(page.status, 200) << base;
    EXPECT_EQ(page.body, "the front page");
    EXPECT_EQ(page.field("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(ask(base + "/users/7").body, "the front page");
    EXPECT_EQ(ask(base + "/users/7", {}, "HEAD").status, 200);
    EXPECT_EQ(ask(base + "/users/7", "Accept: application/json\r\n").status, 404);
    EXPECT_EQ(ask(base + "/app.2.js").status, 404);
    EXPECT_EQ(ask(base + "/docs/start.txt").body, "start here");
  }
  EXPECT_EQ(ask("/use/missing").body, "said by a route");
  EXPECT_EQ(ask("/elsewhere").status, 404);
}

TEST(StaticOptions, what_makes_no_sense_is_refused) {
  EXPECT_THROW(try_static_files("/nowhere/at/all"), std::runtime_error);
  EXPECT_THROW(try_static_files("/tmp", {.prefix = "assets"}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.index = {"../x"}}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.index = {"a/b"}}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.cache_control = "a\r\nb"}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.cache_rules = {{"*", "\n"}}}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.fallback = ".hidden"}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.types = {{".glb", "a/b"}}}), std::invalid_argument);
  EXPECT_THROW(try_static_files("/tmp", {.types = {{"glb", "a\nb"}}}), std::invalid_argument);
  App app;
  EXPECT_THROW(app.files("/x", "/nowhere/at/all"), std::runtime_error);
}

TEST(StaticPattern, stars_stand_for_anything) {
  for (const auto& [text, pattern] : {std::pair{"", ""},
                                      {"", "*"},
                                      {"a/b.js", "*.js"},
                                      {"a/b.js", "a/*"},
                                      {"abcabd", "*ab*d"},
                                      {"a.js", "a.js"},
                                      {"aaab", "*aab"},
                                      {"x", "**"}}) {
    EXPECT_TRUE(app::fits_pattern(text, pattern)) << text << " " << pattern;
  }
  for (const auto& [text, pattern] :
       {std::pair{"a", ""}, {"", "a"}, {"a.jsx", "*.js"}, {"b/a", "a/*"}, {"abc", "*ab"}}) {
    EXPECT_FALSE(app::fits_pattern(text, pattern)) << text << " " << pattern;
  }
  // No blow-up.
  EXPECT_FALSE(app::fits_pattern(std::string(8'000, 'a'), std::string("*a*a*a*a*a*a*a*b")));
}

}  // namespace weft
