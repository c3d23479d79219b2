// TcpListener and TcpStream over every back end.
#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gvt/sanitizer.hpp"
#include "ksvc/backend/basic_io_uring.hpp"
#include "net/address.hpp"
#include "weft/green.hpp"
#include "weft/net.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;
using Backend = RunOptions::Backend;

std::string patterned(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
  return bytes;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

class Tcp : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::io_uring) {
      const auto made = ksvc::BasicIoUring::create({});
      if (!made) GTEST_SKIP() << "io_uring is refused here: " << made.error().message();
    }
  }

  void run_here(std::function<void()> main) { run(std::move(main), {.backend = GetParam()}); }

  // Runs `serve` and `use` as green threads at the two ends of one connection.
  void run_pair(std::function<void(TcpStream)> serve, std::function<void(TcpStream)> use) {
    run_here([&] {
      auto listener = TcpListener::bind("127.0.0.1", 0);
      ASSERT_TRUE(listener);
      spawn([&, port = listener->port()] {
        auto stream = TcpStream::connect("127.0.0.1", port);
        ASSERT_TRUE(stream);
        use(std::move(stream).value());
      });
      auto accepted = listener->accept();
      ASSERT_TRUE(accepted);
      serve(std::move(accepted).value());
    });
  }
};

std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return info.param == Backend::epoll ? "epoll" : "io_uring";
}

INSTANTIATE_TEST_SUITE_P(EveryBackend, Tcp, testing::Values(Backend::io_uring, Backend::epoll),
                         backend_name);

void echo(TcpStream stream) {
  char buffer[4096];
  for (;;) {
    const auto got = stream.read(buffer);
    if (!got || *got == 0) return;
    if (!stream.write({buffer, *got})) return;
  }
}

TEST_P(Tcp, many_connections_are_echoed_at_once) {
  const int kClients = gvt::sanitizer::kEnabled ? 50 : 500;
  int echoed = 0;
  run_here([&] {
    auto listener = TcpListener::bind("127.0.0.1", 0);
    ASSERT_TRUE(listener);
    for (int i = 0; i < kClients; ++i) {
      spawn([&echoed, i, port = listener->port()] {
        auto stream = TcpStream::connect("localhost", port);
        ASSERT_TRUE(stream);
        for (int round = 0; round < 5; ++round) {
          const std::string said = "client " + std::to_string(i) + ", " + std::to_string(round);
          ASSERT_TRUE(stream->write(said));
          std::string heard(said.size(), '\0');
          ASSERT_TRUE(stream->read_exactly(heard));
          EXPECT_EQ(heard, said);
        }
        ++echoed;
      });
    }
    for (int i = 0; i < kClients; ++i) {
      auto accepted = listener->accept();
      ASSERT_TRUE(accepted);
      spawn([stream = std::move(accepted).value()]() mutable { echo(std::move(stream)); });
    }
  });
  EXPECT_EQ(echoed, kClients);
}

TEST_P(Tcp, no_descriptor_is_left_open_when_run_returns) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 5; ++i) {
    run_pair([](TcpStream server) { EXPECT_TRUE(server.write("hello")); },
             [](TcpStream client) {
               std::string got(5, '\0');
               EXPECT_TRUE(client.read_exactly(got));
             });
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(Tcp, read_exactly_waits_for_pieces_and_reports_a_stream_that_ends_too_soon) {
  run_pair(
      [](TcpStream server) {
        for (const char* piece : {"ab", "cd", "ef", "gh"}) {
          EXPECT_TRUE(server.write(piece));
          sleep(milliseconds(1));
        }
      },
      [](TcpStream client) {
        std::string six(6, '\0');
        EXPECT_TRUE(client.read_exactly(six));
        EXPECT_EQ(six, "abcdef");
        std::string more(6, '\0');
        const auto result = client.read_exactly(more);
        EXPECT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::end_of_stream);
      });
}

TEST_P(Tcp, end_of_the_stream_reads_as_zero_again_and_again) {
  run_pair([](TcpStream) {},
           [](TcpStream client) {
             char byte = 0;
             for (int i = 0; i < 3; ++i) {
               const auto got = client.read({&byte, 1});
               ASSERT_TRUE(got);
               EXPECT_EQ(*got, 0U);
             }
           });
}

TEST_P(Tcp, one_side_may_stop_writing_and_still_read) {
  run_pair(
      [](TcpStream server) {
        std::string heard;
        char buffer[16];
        for (;;) {
          const auto got = server.read(buffer);
          ASSERT_TRUE(got);
          if (*got == 0) break;
          heard.append(buffer, *got);
        }
        EXPECT_EQ(heard, "question");
        EXPECT_TRUE(server.write("answer"));
      },
      [](TcpStream client) {
        EXPECT_TRUE(client.write("question"));
        client.shutdown_write();
        std::string answer(6, '\0');
        EXPECT_TRUE(client.read_exactly(answer));
        EXPECT_EQ(answer, "answer");
      });
}

TEST_P(Tcp, large_writes_pass_each_other_in_both_directions) {
  const std::string sent = patterned(8 << 20);
  const auto talk = [&sent](TcpStream stream) {
    bool written = false;
    spawn([&] {
      EXPECT_TRUE(stream.write(sent));
      written = true;
    });
    std::string got(sent.size(), '\0');
    EXPECT_TRUE(stream.read_exactly(got));
    EXPECT_TRUE(got == sent);
    while (!written) yield();
  };
  run_pair(talk, talk);
}

TEST_P(Tcp, read_that_takes_too_long_times_out_and_the_stream_goes_on) {
  run_pair(
      [](TcpStream server) {
        char byte = 0;
        EXPECT_TRUE(server.read({&byte, 1}));
        EXPECT_TRUE(server.write("late"));
        EXPECT_TRUE(server.read({&byte, 1}));
      },
      [](TcpStream client) {
        client.set_timeout(milliseconds(10));
        char byte = 0;
        const auto due = std::chrono::steady_clock::now() + milliseconds(10);
        const auto got = client.read({&byte, 1});
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, ErrorCode::timed_out);
        EXPECT_GE(std::chrono::steady_clock::now(), due);
        client.set_timeout(milliseconds(0));
        EXPECT_TRUE(client.write("?"));
        std::string late(4, '\0');
        EXPECT_TRUE(client.read_exactly(late));
        EXPECT_EQ(late, "late");
      });
}

TEST_P(Tcp, write_to_a_peer_that_does_not_read_times_out) {
  bool given_up = false;
  run_pair(
      // Reads nothing until the other side has given up.
      [&](TcpStream) {
        while (!given_up) sleep(milliseconds(1));
      },
      [&](TcpStream client) {
        client.set_timeout(milliseconds(10));
        const auto result = client.write(patterned(32 << 20));
        given_up = true;
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::timed_out) << result.error().message();
      });
}

TEST_P(Tcp, write_to_a_peer_that_has_gone_is_a_reset_and_no_signal) {
  run_pair([](TcpStream) {},
           [](TcpStream client) {
             const std::string bytes = patterned(64 * 1024);
             Result<void> result;
             for (int i = 0; i < 1000 && result; ++i) {
               result = client.write(bytes);
               yield();
             }
             ASSERT_FALSE(result);
             EXPECT_EQ(result.error().code, ErrorCode::reset) << result.error().message();
           });
}

TEST_P(Tcp, connect_to_a_port_where_nobody_listens_is_refused) {
  // Bound, so that nobody else gets the port, but not listening.
  const int holder = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = net::parse_address("127.0.0.1", 0);
  ASSERT_EQ(::bind(holder, address->get(), address->size), 0);
  run_here([port = net::bound_port(holder)] {
    auto stream = TcpStream::connect("127.0.0.1", port);
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().os_errno, ECONNREFUSED);
  });
  ::close(holder);
}

TEST_P(Tcp, a_read_into_nothing_is_an_invalid_argument_not_the_end) {
  run_here([] {
    auto listener = TcpListener::bind("127.0.0.1", 0);
    ASSERT_TRUE(listener);
    auto stream = TcpStream::connect("127.0.0.1", listener->port());
    ASSERT_TRUE(stream);
    const auto got = stream->read({});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::invalid_argument);
  });
}

TEST_P(Tcp, connect_to_a_name_that_is_none_says_so) {
  run_here([] {
    auto stream = TcpStream::connect("no-such-name.invalid", 80);
    ASSERT_FALSE(stream);
    EXPECT_NE(stream.error().code, ErrorCode::invalid_argument);
  });
}

TEST_P(Tcp, port_in_use_is_told_by_bind) {
  run_here([] {
    auto first = TcpListener::bind("127.0.0.1", 0);
    ASSERT_TRUE(first);
    auto second = TcpListener::bind("127.0.0.1", first->port());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().os_errno, EADDRINUSE);
  });
}

TEST_P(Tcp, moved_streams_stay_open_and_are_closed_once) {
  run_pair(
      [](TcpStream server) {
        std::optional<TcpStream> kept(std::move(server));
        TcpStream again = std::move(*kept);
        kept.reset();
        EXPECT_TRUE(again.write("still here"));
      },
      [](TcpStream client) {
        std::string got(10, '\0');
        EXPECT_TRUE(client.read_exactly(got));
        EXPECT_EQ(got, "still here");
        char byte = 0;
        EXPECT_EQ(client.read({&byte, 1}).value_or(99), 0U);
      });
}

TEST_P(Tcp, ipv6_works_where_the_system_has_it) {
  run_here([] {
    auto listener = TcpListener::bind("::1", 0);
    if (!listener) GTEST_SKIP() << "no IPv6 here: " << listener.error().message();
    spawn([port = listener->port()] {
      auto stream = TcpStream::connect("::1", port);
      ASSERT_TRUE(stream) << stream.error().message();
      EXPECT_TRUE(stream->write("six"));
    });
    auto accepted = listener->accept();
    ASSERT_TRUE(accepted);
    std::string got(3, '\0');
    EXPECT_TRUE(accepted->read_exactly(got));
    EXPECT_EQ(got, "six");
  });
}

}  // namespace
}  // namespace weft
