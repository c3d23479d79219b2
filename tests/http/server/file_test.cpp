// Files as answers, against a running server.

#include "weft/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "server_test.hpp"
#include "stream_client.hpp"
#include "weft/file_root.hpp"

namespace weft::http::test {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLong = 3'000'000;
// Does not say whether reading it would wait, and gives a page at a time.
constexpr const char* kInParts = "/sys/kernel/btf/vmlinux";

class Files : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    std::string name = (fs::temp_directory_path() / "weft_files_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    fs::create_directories(folder / "www/sub");
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{10'000},
                                   std::size_t{65'536}, std::size_t{65'537}, kLong}) {
      write("www/" + std::to_string(size) + ".txt", pattern(size));
    }
    write("www/sub/page.html", "<p>");
    write("www/.hidden", "secret");
    write("outside.txt", "secret");
    root.emplace(FileRoot::open((folder / "www").string()).value());
    for (const char* method : {"GET", "HEAD"}) {
      app.route(method, "/files/*path", [this](Context& c) { c.file(*root, c.param("path")); });
    }
    app.get("/as-it-is", [this](Context& c) { c.file((folder / c.query("name")).string()); });
    app.get("/in-parts", [](Context& c) { c.file(kInParts); });
    app.get("/in-parts-awaited", [](Context& c) -> Task<void> {
      co_await coro::yield();
      c.file(kInParts);
    });
    app.get("/missing", [this](Context& c) {
      c.status(404);
      EXPECT_TRUE(c.file((folder / "www/sub/page.html").string()));
    });
  }
  void TearDown() override {
    ServerTest::TearDown();
    std::error_code ignored;
    if (!folder.empty()) fs::remove_all(folder, ignored);
  }
  void write(const std::string& name, const std::string& contents) const {
    std::ofstream(folder / name, std::ios::binary) << contents;
  }
  static std::string request(const std::string& target, const std::string& fields = {}) {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  }

  fs::path folder;
  std::optional<FileRoot> root;
};
INSTANTIATE_TEST_SUITE_P(Topologies, Files, every_topology, backend_of);

}  // namespace

TEST_P(Files, of_every_size_arrive_whole_and_keep_the_connection) {
  start();
  Client client = connect();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{10'000},
                                 std::size_t{65'536}, std::size_t{65'537}, kLong}) {
    const Answer answer = client.get("/files/" + std::to_string(size) + ".txt");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("content-length"), std::to_string(size));
    EXPECT_EQ(answer.field("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(answer.field("accept-ranges"), "bytes");
    EXPECT_NE(answer.field("etag"), "");
    EXPECT_EQ(answer.field("last-modified").size(), 29U);
    EXPECT_TRUE(answer.body == pattern(size)) << size;
  }
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Files, pipelined_with_others_come_in_order) {
  start();
  Client client = connect();
  std::string all;
  for (int i = 0; i < 5; ++i) {
    all += request("/files/10000.txt") + request("/echo/a") + request("/files/65537.txt") +
           request("/files/3000000.txt") + request("/files/0.txt") + request("/echo/b");
  }
  client.send(all);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(client.read_answer().body == pattern(10'000));
    EXPECT_EQ(client.read_answer().body, "a");
    EXPECT_TRUE(client.read_answer().body == pattern(65'537));
    EXPECT_TRUE(client.read_answer().body == pattern(kLong));
    EXPECT_EQ(client.read_answer().status, 200);
    EXPECT_EQ(client.read_answer().body, "b");
  }
}

TEST_P(Files, head_says_what_get_would) {
  start();
  Client client = connect();
  for (const char* name : {"0.txt", "10000.txt", "3000000.txt"}) {
    client.send("HEAD /files/" + std::string(name) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    const Answer head = client.read_answer(true);
    const Answer whole = client.get("/files/" + std::string(name));
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.field("content-length"), whole.field("content-length"));
    EXPECT_EQ(head.field("etag"), whole.field("etag"));
  }
}

TEST_P(Files, conditions_and_ranges_are_answered) {
  start();
  Client client = connect();
  fs::last_write_time(folder / "www/10000.txt",
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  const std::string tag = client.get("/files/10000.txt").field("etag");
  const Answer same = client.ask(request("/files/10000.txt", "If-None-Match: " + tag + "\r\n"));
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("etag"), tag);
  EXPECT_EQ(same.field("content-length"), "");
  for (const char* name : {"10000", "3000000"}) {
    const std::size_t size = std::stoul(name);
    const std::string target = "/files/" + std::string(name) + ".txt";
    const Answer last = client.ask(request(target, "Range: bytes=-1\r\n"));
    EXPECT_EQ(last.status, 206);
    EXPECT_EQ(last.body, pattern(size).substr(size - 1));
    EXPECT_EQ(last.field("content-range"), "bytes " + std::to_string(size - 1) + "-" +
                                               std::to_string(size - 1) + "/" +
                                               std::to_string(size));
    const Answer most = client.ask(request(target, "Range: bytes=1-\r\n"));
    EXPECT_TRUE(most.body == pattern(size).substr(1));
    const Answer none = client.ask(request(target, "Range: bytes=9999999-\r\n"));
    EXPECT_EQ(none.status, 416);
    EXPECT_EQ(none.field("content-range"), "bytes */" + std::to_string(size));
  }
  EXPECT_EQ(client.get("/").body, "hello");
}

TEST_P(Files, ways_out_of_the_folder_are_not_there) {
  fs::create_symlink("../outside.txt", folder / "www/out.txt");
  fs::create_symlink("/etc/passwd", folder / "www/absolute.txt");
  fs::create_symlink("sub/page.html", folder / "www/in.html");
  ASSERT_EQ(::mkfifo((folder / "www/pipe").c_str(), 0600), 0);
  start();
  std::optional<Client> client(connect());
  EXPECT_EQ(client->get("/files/in.html").body, "<p>");
  EXPECT_EQ(client->get("/files/sub/page.html").field("content-type"), "text/html; charset=utf-8");
  for (const char* path : {"../outside.txt",
                           "sub/../../outside.txt",
                           "%2e%2e/outside.txt",
                           "..%2foutside.txt",
                           "%2E./outside.txt",
                           ".hidden",
                           "%2ehidden",
                           "sub/.hidden",
                           "sub/..",
                           "sub",
                           "sub/",
                           ".",
                           "sub%2fpage.html",
                           "sub%5cpage.html",
                           "sub\\page.html",
                           "10000.txt%00",
                           "10000.txt/",
                           "/etc/passwd",
                           "sub//page.html",
                           "out.txt",
                           "absolute.txt",
                           "pipe",
                           "none.txt"}) {
    const Answer answer = client->get("/files/" + std::string(path));
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << path << ": " << answer.status;
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    if (answer.announces_close()) client.emplace(connect());
  }
  EXPECT_EQ(client->get("/as-it-is?name=outside.txt").body, "secret");
  EXPECT_EQ(client->get("/as-it-is?name=none.txt").status, 404);
  EXPECT_EQ(client->get("/as-it-is?name=www").status, 404);
}

TEST_P(Files, another_status_is_sent_with_all_of_the_file) {
  start();
  Client client = connect();
  const Answer answer = client.ask(request("/missing", "Range: bytes=0-0\r\n"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "<p>");
  EXPECT_EQ(answer.field("etag"), "");
}

TEST_P(Files, far_parts_of_a_sparse_file_are_found) {
  write("www/sparse.bin", "");
  fs::resize_file(folder / "www/sparse.bin", (std::uintmax_t{5} << 30) + 3);
  start();
  Client client = connect();
  const Answer far = client.ask(request("/files/sparse.bin", "Range: bytes=5368709118-\r\n"));
  EXPECT_EQ(far.status, 206);
  EXPECT_EQ(far.field("content-range"), "bytes 5368709118-5368709122/5368709123");
  EXPECT_EQ(far.body, std::string(5, '\0'));
  const Answer part = client.ask(request("/files/sparse.bin", "Range: bytes=-200000\r\n"));
  EXPECT_EQ(part.body.size(), 200'000U);
}

TEST_P(Files, a_slow_reader_gets_all_of_it) {
  options.limits.write_timeout = std::chrono::seconds(20);
  start();
  Client client = connect(4096);
  client.send(request("/files/3000000.txt"));
  EXPECT_TRUE(client.read_answer().body == pattern(kLong));
}

TEST_P(Files, a_reader_that_stops_is_reset_and_one_that_goes_is_forgotten) {
  options.limits.write_timeout = std::chrono::milliseconds(100);
  write("www/large.bin", std::string(20 << 20, 'l'));
  start();
  connect().get("/");
  const std::size_t descriptors = open_descriptors();
  Client stops = connect(4096);
  stops.send(request("/files/large.bin"));
  EXPECT_TRUE(eventually([&] { return stops.sees_reset(); }));
  Client goes = connect(4096);
  goes.send(request("/files/large.bin"));
  ASSERT_TRUE(goes.has_input(hang_guard));
  goes.reset();
  stops.close();
  EXPECT_TRUE(all_connections_closed());
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors; }));
  expect_still_serving();
}

TEST_P(Files, a_file_that_becomes_shorter_cuts_the_connection_off) {
  write("www/shrinks.bin", std::string(20 << 20, 's'));
  start();
  Client client = connect(4096);
  client.send(request("/files/shrinks.bin"));
  ASSERT_TRUE(client.has_input(hang_guard));
  fs::resize_file(folder / "www/shrinks.bin", 15 << 20);
  const std::string all = client.read_to_end();
  EXPECT_LT(all.size(), 16U << 20U);
  EXPECT_EQ(all.find_first_not_of('s', all.find("\r\n\r\n") + 4), std::string::npos);
  EXPECT_TRUE(all_connections_closed());
  EXPECT_EQ(app.stats().handler_errors, 1U);
}

TEST_P(Files, a_file_that_grows_is_sent_as_it_was) {
  write("www/grows.bin", std::string(20 << 20, 'g'));
  start();
  Client client = connect(4096);
  client.send(request("/files/grows.bin") + request("/echo/next"));
  ASSERT_TRUE(client.has_input(hang_guard));
  fs::resize_file(folder / "www/grows.bin", 25 << 20);
  EXPECT_EQ(client.read_answer().body.size(), 20U << 20U);
  EXPECT_EQ(client.read_answer().body, "next");
}

TEST_P(Files, what_comes_in_parts_reaches_nobody_else) {
  std::string expected(300'000, '\0');
  std::ifstream file(kInParts, std::ios::binary);
  file.read(expected.data(), static_cast<std::streamsize>(expected.size()));
  if (!file) GTEST_SKIP() << kInParts << " cannot be read here";
  start();
  Client client = connect();
  Client other = connect();
  for (const std::size_t size : {std::size_t{50'000}, std::size_t{300'000}}) {
    const std::string range = "Range: bytes=0-" + std::to_string(size - 1) + "\r\n";
    for (const char* target : {"/in-parts", "/in-parts-awaited"}) {
      for (int i = 0; i < 10; ++i) {
        client.send(request(target, range));
        for (int j = 0; j < 10; ++j) EXPECT_EQ(other.get("/").body, "hello");
        const Answer answer = client.read_answer();
        EXPECT_EQ(answer.status, 206);
        EXPECT_TRUE(answer.body == expected.substr(0, size)) << target << ' ' << size;
      }
    }
  }
}

// A name that nobody has asked for is looked up where that may wait, which is given up at once.
TEST_P(Files, opening_that_is_cancelled_is_answered_as_the_cancellation_is) {
  options.limits.request_timeout = std::chrono::milliseconds(50);
  app.get("/late/:name", [this](Context& c) {
    try {
      weft::sleep(std::chrono::hours(1));
    } catch (const Cancelled&) {
    }
    c.file((folder / std::string(c.param("name"))).string());
  });
  start();
  for (int i = 0; i < 3; ++i) {
    Client client = connect();
    const Answer answer = client.get("/late/never-seen-" + std::to_string(i));
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_TRUE(answer.announces_close());
  }
}

TEST_P(Files, many_answers_leave_no_descriptor_behind) {
  start();
  Client client = connect();
  client.get("/files/10000.txt");
  // A file is closed when its answer is out, and before the next is begun.
  client.get("/");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.get("/files/10000.txt").status, 200);
    EXPECT_EQ(client.get("/files/none.txt").status, 404);
    EXPECT_EQ(client.ask(request("/files/65537.txt", "If-None-Match: *\r\n")).status, 304);
    if (i % 10 == 0) {
      EXPECT_EQ(client.get("/files/3000000.txt").status, 200);
    }
  }
  client.get("/");
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace weft::http::test
