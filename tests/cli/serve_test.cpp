// Serves folders with the built `weft` program, on a Unix socket and on one that it is handed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/program.hpp"
#include "net/address.hpp"
#include "net/shared_listener.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;
using weft::detail::Descriptor;

class Serve : public testing::Test {
 protected:
  Serve() {
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    socket = folder + "/socket";
    root = folder + "/www";
    fs::create_directories(root + "/docs/deep");
    fs::create_directories(root + "/bare");
    fs::create_directories(root + "/.git");
    fs::create_directories(folder + "/outside");
    write(root + "/index.html", "the front page");
    write(root + "/docs/index.html", "the index of docs");
    write(root + "/docs/start.txt", "start here");
    write(root + "/bare/a<b>.txt", "a");
    write(root + "/bare/.hidden", "hidden");
    write(root + "/.git/config", "secret");
    write(folder + "/outside/secret.txt", "secret");
    fs::create_directory_symlink(folder + "/outside", root + "/way-out");
  }
  ~Serve() override { fs::remove_all(folder); }

  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  // A server of the folder, ready when its start-up line has been read.
  Program serve(std::vector<std::string> more = {}, int handed_over = -1) {
    std::vector<std::string> words{"serve", root};
    if (handed_over < 0) words.insert(words.end(), {"--uds", socket});
    words.insert(words.end(), more.begin(), more.end());
    return Program(words, {}, handed_over);
  }
  // The whole answer.
  std::string ask(const std::string& target, const std::string& method = "GET",
                  const std::string& fields = {}) const {
    const Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = net::unix_address(socket);
    if (::connect(client.fd(), (*address).get(), (*address).size) != 0) return "cannot connect";
    const std::string request =
        method + " " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + "\r\n";
    ::send(client.fd(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer;
    std::array<char, 4096> block{};
    for (ssize_t got = 1; got > 0;) {
      got = ::recv(client.fd(), block.data(), block.size(), 0);
      if (got > 0) answer.append(block.data(), static_cast<std::size_t>(got));
    }
    return answer;
  }
  static std::string status_of(const std::string& answer) { return answer.substr(9, 3); }
  static std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  std::string folder = "/tmp/weft-serve-XXXXXX";
  std::string socket;
  std::string root;
};

void expect_says(const std::string& text, const std::string& words) {
  EXPECT_NE(text.find(words), std::string::npos) << "no \"" << words << "\" in:\n" << text;
}

}  // namespace

TEST_F(Serve, files_and_the_index_of_each_folder_are_served) {
  Program program = serve();
  const std::string line = program.read_line();
  EXPECT_TRUE(line.starts_with("weft: unix:" + socket + " on ")) << line;
  EXPECT_EQ(body_of(ask("/")), "the front page");
  expect_says(ask("/"), "Content-Type: text/html");
  EXPECT_EQ(body_of(ask("/index.html")), "the front page");
  EXPECT_EQ(body_of(ask("/docs/")), "the index of docs");
  EXPECT_EQ(body_of(ask("/docs/start.txt")), "start here");
  EXPECT_EQ(body_of(ask("/docs/start.txt", "HEAD")), "");
  const std::string moved = ask("/docs");
  EXPECT_EQ(status_of(moved), "301");
  expect_says(moved, "\r\nLocation: /docs/\r\n");
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.finish().status, 0);
  EXPECT_FALSE(fs::exists(socket));
}

TEST_F(Serve, what_is_not_there_or_not_for_others_is_404) {
  for (const bool listing : {false, true}) {
    Program program =
        serve(listing ? std::vector<std::string>{"--listing"} : std::vector<std::string>{});
    program.read_line();
    for (const char* const target :
         {"/missing", "/missing/", "/../outside/secret.txt", "/docs/../../outside/secret.txt",
          "/%2e%2e/outside/secret.txt", "/docs/%2e%2e/%2e%2e/outside/", "/.git/config", "/.git/",
          "/.git", "/bare/.hidden", "/way-out/secret.txt", "/way-out/", "/way-out", "//docs/",
          "/docs//start.txt", "/docs%2fstart.txt", "/docs/start.txt/", "/docs%5c", "/%00"}) {
      const std::string answer = ask(target);
      const std::string status = status_of(answer);
      EXPECT_TRUE(status == "404" || status == "400") << target << ": " << answer;
      EXPECT_EQ(answer.find("secret\n"), std::string::npos) << target;
      EXPECT_EQ(answer.find("<ul>"), std::string::npos) << target << ": " << answer;
    }
    if (!listing) {
      EXPECT_EQ(status_of(ask("/bare/")), "404");
    }
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.finish().status, 0);
  }
}

TEST_F(Serve, a_listing_is_shown_when_asked_for_and_only_without_an_index) {
  Program program = serve({"--listing", "--no-server-header"});
  program.read_line();
  const std::string bare = ask("/bare/");
  EXPECT_EQ(status_of(bare), "200");
  expect_says(bare, "<li><a href=\"./a%3Cb%3E.txt\">a&lt;b&gt;.txt</a>");
  expect_says(bare, "<a href=\"../\">");
  EXPECT_EQ(bare.find("hidden"), std::string::npos);
  EXPECT_EQ(bare.find("Server:"), std::string::npos);
  EXPECT_EQ(body_of(ask("/docs/")), "the index of docs");
  EXPECT_EQ(body_of(ask("/bare/a%3Cb%3E.txt")), "a");
  fs::remove(root + "/index.html");
  const std::string top = ask("/");
  expect_says(top, "<a href=\"./docs/\">docs/</a>");
  EXPECT_EQ(top.find("../"), std::string::npos);
  EXPECT_EQ(top.find(".git"), std::string::npos);
}

TEST_F(Serve, the_index_may_have_another_name) {
  Program program = serve({"--index", "start.txt"});
  program.read_line();
  EXPECT_EQ(body_of(ask("/docs/")), "start here");
  EXPECT_EQ(status_of(ask("/")), "404");
}

TEST_F(Serve, pages_caching_and_packed_files_are_as_the_flags_say) {
  write(root + "/long.txt", std::string(5'000, 'a'));
  write(root + "/packed.txt", "as it is");
  write(root + "/packed.txt.gz", "packed");
  Program program = serve({"--fallback", "index.html", "--cache-control", "max-age=60",
                           "--precompressed", "--compress"});
  program.read_line();
  EXPECT_EQ(body_of(ask("/users/7")), "the front page");
  EXPECT_EQ(status_of(ask("/users/7.js")), "404");
  expect_says(ask("/docs/start.txt"), "\r\nCache-Control: max-age=60\r\n");
  EXPECT_EQ(body_of(ask("/packed.txt")), "as it is");
  const std::string packed = ask("/packed.txt", "GET", "Accept-Encoding: gzip\r\n");
  expect_says(packed, "\r\nContent-Encoding: gzip\r\n");
  EXPECT_EQ(body_of(packed), "packed");
  expect_says(ask("/long.txt", "GET", "Accept-Encoding: br\r\n"), "\r\nContent-Encoding: br\r\n");
}

TEST_F(Serve, a_socket_that_is_handed_over_is_served_and_stays) {
  auto listening = net::listen_on(net::ListenPath{.path = socket});
  ASSERT_TRUE(std::holds_alternative<net::PathListener>(listening));
  const Descriptor listener(std::get<net::PathListener>(listening).fd);
  for (const char* const fd : {"systemd", "3"}) {
    Program program = serve({"--fd", fd, "--workers", "2"}, listener.fd());
    const std::string line = program.read_line();
    EXPECT_TRUE(line.starts_with("weft: unix:" + socket + " on ")) << line;
    EXPECT_EQ(body_of(ask("/docs/start.txt")), "start here");
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.finish().status, 0);
    EXPECT_TRUE(fs::exists(socket));
  }
}

TEST_F(Serve, what_it_cannot_do_is_said) {
  const Outcome nowhere = run_weft({"serve", root + "/nowhere"});
  EXPECT_EQ(nowhere.status, 1);
  expect_says(nowhere.text, "cannot open the folder " + root + "/nowhere: No such file");
  const Outcome none = run_weft({"serve"});
  EXPECT_EQ(none.status, 2);
  expect_says(none.text, "DIR|APP.lua|MODULE:NAME is missing: the folder whose files are served");
  const Outcome index = run_weft({"serve", root, "--index", "../secret"});
  EXPECT_EQ(index.status, 2);
  expect_says(index.text, "--index must be the name of a file");
  const Outcome fallback = run_weft({"serve", root, "--fallback", "../secret"});
  EXPECT_EQ(fallback.status, 2);
  expect_says(fallback.text, "--fallback must be a file beneath the folder");
  const Outcome caching = run_weft({"serve", root, "--cache-control", "a\nb"});
  EXPECT_EQ(caching.status, 2);
  expect_says(caching.text, "--cache-control holds a control byte");
  const Outcome two = run_weft({"serve", root, "--uds", socket, "--port", "0"});
  EXPECT_EQ(two.status, 2);
  expect_says(two.text, "are both given");
  write(folder + "/file", "");
  const Outcome taken = run_weft({"serve", root, "--uds", folder + "/file"});
  EXPECT_EQ(taken.status, 1);
  expect_says(taken.text, "something other than a socket is there");
}

}  // namespace weft::cli
