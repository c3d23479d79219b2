// Streams and listeners in every mode: what ends a call early, and what both ends see.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/modes.hpp"
#include "weft/cancel.hpp"
#include "weft/detail/task_state.hpp"
#include "weft/net.hpp"

namespace weft {
namespace {

using std::chrono::milliseconds;

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

class Streams : public EveryMode {
 protected:
  struct Ends {
    TcpStream server;
    TcpStream client;
  };

  static Ends connected() {
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    auto client = TcpStream::connect("127.0.0.1", listener.port()).value();
    return {listener.accept().value(), std::move(client)};
  }

  // A stream whose peer does not read, and which has no room left. The buffers of a Unix socket
  // do not grow.
  struct FullStream {
    FullStream() {
      stream.set_timeout(milliseconds(20));
      const auto result = stream.write(patterned(4 << 20));
      EXPECT_EQ(result.error().code, ErrorCode::timed_out);
      stream.set_timeout(milliseconds(0));
    }

    std::pair<UnixStream, UnixStream> pair = UnixStream::pair().value();
    UnixStream& stream = pair.first;
  };
};

INSTANTIATE_TEST_SUITE_P(EveryMode, Streams, every_mode(), mode_name);

TEST_P(Streams, bytes_go_both_ways) {
  run_here([&] {
    Ends ends = connected();
    const std::string sent = patterned(1 << 20);
    std::string got(sent.size(), '\0');
    std::string echoed(sent.size(), '\0');
    const auto write = [&] { EXPECT_TRUE(ends.client.write(sent)); };
    const auto read = [&] { EXPECT_TRUE(ends.client.read_exactly(echoed)); };
    const auto echo = [&] {
      EXPECT_TRUE(ends.server.read_exactly(got));
      EXPECT_TRUE(ends.server.write(got));
    };
    if (on_os_threads()) {
      // A stream is for one of them at a time.
      together({[&] { write(), read(); }, echo});
    } else {
      together({write, echo, read});
    }
    EXPECT_TRUE(echoed == sent);
  });
}

TEST_P(Streams, several_buffers_arrive_as_one_stream) {
  run_here([&] {
    Ends ends = connected();
    const std::string large = patterned(2 << 20);
    std::vector<std::string_view> buffers{"", "head ", "", large, " tail", ""};
    // More than one call of the system takes.
    for (int i = 0; i < 3000; ++i) buffers.push_back("x");
    std::string expected;
    for (const auto& buffer : buffers) expected += buffer;
    std::string got(expected.size(), '\0');
    together({[&] { EXPECT_TRUE(ends.client.writev(buffers)); },
              [&] { EXPECT_TRUE(ends.server.read_exactly(got)); }});
    EXPECT_TRUE(got == expected);
    EXPECT_TRUE(ends.client.writev({"a", "bc"}));
    EXPECT_TRUE(ends.client.writev({}));
    got.resize(3);
    EXPECT_TRUE(ends.server.read_exactly(got));
    EXPECT_EQ(got, "abc");
  });
}

TEST_P(Streams, a_read_times_out_and_the_stream_goes_on) {
  run_here([&] {
    Ends ends = connected();
    ends.client.set_timeout(milliseconds(5));
    char byte = 0;
    EXPECT_EQ(ends.client.read({&byte, 1}).error().code, ErrorCode::timed_out);
    EXPECT_TRUE(ends.server.write("x"));
    EXPECT_TRUE(ends.client.read({&byte, 1}));
    EXPECT_EQ(byte, 'x');
  });
}

TEST_P(Streams, a_write_times_out_and_so_does_one_of_several_buffers) {
  run_here([&] {
    FullStream full;
    full.stream.set_timeout(milliseconds(5));
    EXPECT_EQ(full.stream.write("x").error().code, ErrorCode::timed_out);
    EXPECT_EQ(full.stream.writev({"x", "y"}).error().code, ErrorCode::timed_out);
  });
}

TEST_P(Streams, an_accept_times_out) {
  run_here([&] {
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    listener.set_timeout(milliseconds(5));
    EXPECT_EQ(listener.accept().error().code, ErrorCode::timed_out);
  });
}

TEST_P(Streams, a_deadline_around_it_ends_a_read_an_accept_and_a_write) {
  run_here([&] {
    Ends ends = connected();
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    char byte = 0;
    const auto read = with_timeout(milliseconds(5), [&] { return ends.client.read({&byte, 1}); });
    EXPECT_EQ(read.error().code, ErrorCode::timed_out);
    const auto accepted = with_timeout(milliseconds(5), [&] { return listener.accept(); });
    EXPECT_EQ(accepted.error().code, ErrorCode::timed_out);
    FullStream full;
    const auto written = with_timeout(milliseconds(5), [&] { return full.stream.write("x"); });
    EXPECT_EQ(written.error().code, ErrorCode::timed_out);
  });
}

TEST_P(Streams, cancelling_ends_a_read_an_accept_and_a_write) {
  run_here([&] {
    Ends ends = connected();
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    FullStream full;
    CancelSource source;
    const CancelToken token = source.token();
    together({[&, token] {
                char byte = 0;
                const auto got = with_cancel(token, [&] { return ends.client.read({&byte, 1}); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&, token] {
                const auto got = with_cancel(token, [&] { return listener.accept(); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&, token] {
                const auto got = with_cancel(token, [&] { return full.stream.write("x"); });
                EXPECT_EQ(got.error().code, ErrorCode::cancelled);
              },
              [&] { source.cancel(); }});
  });
}

TEST_P(Streams, a_caller_that_is_cancelled_already_begins_nothing) {
  run_here([&] {
    Ends ends = connected();
    EXPECT_TRUE(ends.server.write("x"));
    CancelSource source;
    source.cancel();
    const auto got = with_cancel(source.token(), [&]() -> Result<void> {
      char byte = 0;
      EXPECT_EQ(ends.client.read({&byte, 1}).error().code, ErrorCode::cancelled);
      EXPECT_EQ(ends.client.writev({"x"}).error().code, ErrorCode::cancelled);
      auto stream = TcpStream::connect("127.0.0.1", 1);
      EXPECT_EQ(stream.error().code, ErrorCode::cancelled);
      return {};
    });
    EXPECT_TRUE(got);
  });
}

TEST_P(Streams, a_peer_that_resets_is_told_as_a_reset) {
  run_here([&] {
    Ends ends = connected();
    const ::linger at_once{1, 0};
    EXPECT_EQ(::setsockopt(ends.server.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    together({[&] {
                char byte = 0;
                EXPECT_EQ(ends.client.read({&byte, 1}).error().code, ErrorCode::reset);
              },
              [&] { ends.server.close(); }});
    Result<void> written;
    for (int i = 0; i < 100 && written; ++i) written = ends.client.write("x");
    EXPECT_EQ(written.error().code, ErrorCode::reset);
  });
}

TEST_P(Streams, each_side_of_a_stream_is_shut_down_for_itself) {
  run_here([&] {
    Ends ends = connected();
    char byte = 0;
    ends.client.shutdown_write();
    EXPECT_EQ(ends.server.read({&byte, 1}).value_or(9), 0U);
    EXPECT_EQ(ends.client.write("x").error().code, ErrorCode::reset);
    EXPECT_TRUE(ends.server.write("x"));
    EXPECT_EQ(ends.client.read({&byte, 1}).value_or(9), 1U);
    together({[&] {
                char more = 0;
                EXPECT_EQ(ends.client.read({&more, 1}).value_or(9), 0U);
              },
              [&] { EXPECT_TRUE(ends.client.shutdown(ShutdownSide::read)); }});
    EXPECT_TRUE(ends.server.shutdown(ShutdownSide::both));
    EXPECT_EQ(ends.server.write("x").error().code, ErrorCode::reset);
  });
}

TEST_P(Streams, a_closed_stream_refuses_everything) {
  run_here([&] {
    Ends ends = connected();
    ends.client.close();
    EXPECT_FALSE(ends.client.is_open());
    char byte = 0;
    EXPECT_EQ(ends.client.read({&byte, 1}).error().os_errno, EBADF);
    EXPECT_EQ(ends.client.write("x").error().os_errno, EBADF);
    EXPECT_EQ(ends.client.writev({"x"}).error().os_errno, EBADF);
    EXPECT_EQ(ends.client.shutdown(ShutdownSide::both).error().os_errno, EBADF);
    EXPECT_EQ(ends.client.peer_endpoint().error().os_errno, EBADF);
    EXPECT_EQ(ends.server.read({&byte, 1}).value_or(9), 0U);
    ends.client.close();
  });
}

TEST_P(Streams, both_ends_know_their_endpoints) {
  run_here([&] {
    for (const char* host : {"127.0.0.1", "::1"}) {
      auto listener = TcpListener::bind(host, 0);
      if (!listener) continue;  // no IPv6 here
      auto client = TcpStream::connect(*listener->local_endpoint());
      ASSERT_TRUE(client);
      auto server = listener->accept();
      ASSERT_TRUE(server);
      EXPECT_EQ(client->peer_endpoint()->port(), listener->port());
      EXPECT_EQ(client->peer_endpoint()->host(), host);
      EXPECT_EQ(client->peer_endpoint()->to_string(), server->local_endpoint()->to_string());
      EXPECT_TRUE(*client->local_endpoint() == *server->peer_endpoint());
    }
  });
}

TEST_P(Streams, options_are_those_that_were_asked_for) {
  run_here([&] {
    Ends ends = connected();
    const auto option = [&](int level, int name) {
      int value = -1;
      socklen_t size = sizeof value;
      EXPECT_EQ(::getsockopt(ends.client.fd(), level, name, &value, &size), 0);
      return value;
    };
    EXPECT_NE(option(IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_TRUE(ends.client.set_no_delay(false));
    EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_TRUE(ends.client.set_keep_alive({.idle = std::chrono::seconds(7), .questions = 3}));
    EXPECT_NE(option(SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 7);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 10);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_TRUE(ends.client.clear_keep_alive());
    EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 0);
  });
}

TEST_P(Streams, a_port_is_shared_only_where_all_agree) {
  run_here([&] {
    auto first = TcpListener::bind("127.0.0.1", 0, {.backlog = 1, .reuse_port = true}).value();
    EXPECT_TRUE(TcpListener::bind("127.0.0.1", first.port(), {.reuse_port = true}));
    EXPECT_EQ(TcpListener::bind("127.0.0.1", first.port()).error().os_errno, EADDRINUSE);
  });
}

TEST_P(Streams, a_host_name_is_looked_up) {
  run_here([&] {
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    // Not the spelling that is known without looking it up.
    auto client = TcpStream::connect("LocalHost", listener.port());
    if (!client) GTEST_SKIP() << "this system does not know localhost";
    EXPECT_TRUE(listener.accept());
  });
}

// Closing while others wait is for green threads of one worker.
class ClosedStreams : public Streams {};

INSTANTIATE_TEST_SUITE_P(EveryBackend, ClosedStreams, every_backend(), mode_name);

TEST_P(ClosedStreams, closing_ends_what_others_are_parked_in) {
  const std::size_t before = open_descriptors();
  run_here([&] {
    Ends ends = connected();
    FullStream full;
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    std::vector<JoinHandle<void>> handles;
    handles.push_back(spawn([&] {
      char byte = 0;
      EXPECT_EQ(ends.client.read({&byte, 1}).error().code, ErrorCode::cancelled);
    }));
    handles.push_back(
        spawn([&] { EXPECT_EQ(full.stream.write("x").error().code, ErrorCode::cancelled); }));
    handles.push_back(
        spawn([&] { EXPECT_EQ(listener.accept().error().code, ErrorCode::cancelled); }));
    yield();
    ends.client.close();
    full.stream.close();
    listener.close();
    for (auto& handle : handles) handle.join();
  });
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(ClosedStreams, a_stream_may_end_while_someone_reads_all_of_it) {
  const std::size_t before = open_descriptors();
  run_here([&] {
    Ends ends = connected();
    auto stream = std::make_unique<TcpStream>(std::move(ends.client));
    auto handle = spawn([reading = stream.get()] {
      std::string got(10, '\0');
      EXPECT_EQ(reading->read_exactly(got).error().code, ErrorCode::cancelled);
    });
    yield();
    // The first half arrives in the same turn in which the stream goes.
    EXPECT_TRUE(ends.server.write("12345"));
    stream.reset();
    handle.join();
    char byte = 0;
    const auto got = ends.server.read({&byte, 1});
    EXPECT_TRUE(got ? *got == 0 : got.error().code == ErrorCode::reset);
  });
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(ClosedStreams, the_number_of_a_closed_one_is_not_given_out_while_someone_waits) {
  run_here([&] {
    Ends ends = connected();
    const int number = ends.client.fd();
    bool ended = false;
    auto handle = spawn([&] {
      char byte = 0;
      EXPECT_EQ(ends.client.read({&byte, 1}).error().code, ErrorCode::cancelled);
      ended = true;
    });
    yield();
    ends.client.close();
    EXPECT_FALSE(ends.client.is_open());
    EXPECT_FALSE(ended);
    EXPECT_GE(::fcntl(number, F_GETFD), 0) << "the wait has not come to its end";
    handle.join();
    char byte = 0;
    EXPECT_EQ(ends.server.read({&byte, 1}).value_or(9), 0U) << "and now it is closed";
  });
}

TEST_P(ClosedStreams, whoever_may_move_no_longer_may_where_the_back_end_remembers_descriptors) {
  run_here([&] {
    auto mover = spawn({.placement = Placement::any}, [&] {
      auto pair = UnixStream::pair().value();
      EXPECT_FALSE(detail::current_task().stays);
      EXPECT_TRUE(pair.first.write("x"));
      EXPECT_EQ(detail::current_task().stays, GetParam() == Mode::epoll);
    });
    mover.join();
  });
}

TEST_P(ClosedStreams, two_readers_at_once_are_a_broken_promise) {
  EXPECT_DEATH(run_here([&] {
                 Ends ends = connected();
                 const auto read = [&] {
                   char byte = 0;
                   static_cast<void>(ends.client.read({&byte, 1}));
                 };
                 spawn(read);
                 spawn(read);
                 yield();
               }),
               "one green thread may read");
}

}  // namespace
}  // namespace weft
