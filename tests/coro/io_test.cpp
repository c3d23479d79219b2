// Coroutines and streams.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "on_every_runtime.hpp"

namespace weft {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class CoroIoOn : public OnEveryRuntime {};
INSTANTIATE_TEST_SUITE_P(EveryRuntime, CoroIoOn, every_runtime(), runtime_name);

using Pair = std::pair<UnixStream, UnixStream>;

Pair make_pair() { return UnixStream::pair().value(); }

std::string_view view(const std::array<char, 64>& buffer, std::size_t size) {
  return {buffer.data(), size};
}

Task<> echo(TcpStream stream) {
  std::array<char, 1024> buffer;
  for (;;) {
    const Result<std::size_t> count = co_await coro::read(stream, buffer);
    if (!count.ok() || *count == 0) co_return;
    const Result<void> written = co_await coro::write(stream, {buffer.data(), *count});
    if (!written.ok()) co_return;
  }
}

Task<> serve(TcpListener& listener, int clients) {
  std::vector<JoinHandle<void>> connections;
  for (int i = 0; i < clients; ++i) {
    Result<TcpStream> client = co_await coro::accept(listener);
    EXPECT_TRUE(client.ok());
    connections.push_back(coro::spawn(echo(std::move(client).value())));
  }
  for (auto& connection : connections) co_await coro::join(connection);
}

Task<> talk(std::uint16_t port, std::string text) {
  Result<TcpStream> connected = co_await coro::connect("127.0.0.1", port);
  EXPECT_TRUE(connected.ok());
  TcpStream& stream = *connected;
  std::string answer(text.size(), ' ');
  for (int i = 0; i < 5; ++i) {
    const Result<void> written = co_await coro::write(stream, text);
    EXPECT_TRUE(written.ok());
    const Result<void> read = co_await coro::read_exactly(stream, answer);
    EXPECT_TRUE(read.ok());
    EXPECT_EQ(answer, text);
  }
}

TEST_P(CoroIoOn, serves_coroutines_and_green_threads) {
  run_here([] {
    auto listener = TcpListener::bind("127.0.0.1", 0).value();
    auto server = coro::spawn(serve(listener, 11));
    auto green = weft::spawn([&] {
      auto stream = TcpStream::connect("127.0.0.1", listener.port()).value();
      EXPECT_TRUE(stream.write("green").ok());
      std::array<char, 5> answer;
      EXPECT_TRUE(stream.read_exactly(answer).ok());
    });
    std::vector<Task<>> clients;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(talk(listener.port(), std::string(static_cast<std::size_t>(i + 1), 'x')));
    }
    const auto all = [&]() -> Task<> { co_await coro::all(std::move(clients)); };
    coro::wait(all());
    green.join();
    server.join();
  });
}

TEST_P(CoroIoOn, writes_and_reads_more_than_fits_in_between) {
  run_here([] {
    Pair pair = make_pair();
    const std::string text(8U << 20U, 'q');
    std::string copy(text.size(), ' ');
    const auto write_all = [&]() -> Task<bool> {
      const Result<void> written = co_await coro::write(pair.first, text);
      pair.first.shutdown_write();
      co_return written.ok();
    };
    const auto read_all = [&]() -> Task<bool> {
      const Result<void> read = co_await coro::read_exactly(pair.second, copy);
      co_return read.ok();
    };
    const auto both = [&]() -> Task<> {
      const auto [written, read] = co_await coro::all(write_all(), read_all());
      EXPECT_TRUE(written && read);
    };
    coro::wait(both());
    EXPECT_EQ(copy, text);
  });
}

TEST_P(CoroIoOn, says_how_a_stream_ends) {
  run_here([] {
    const auto body = []() -> Task<> {
      Pair pair = make_pair();
      std::array<char, 64> buffer;
      EXPECT_TRUE((co_await coro::write(pair.first, "abc")).ok());
      pair.first.close();
      const Result<void> short_read = co_await coro::read_exactly(pair.second, buffer);
      EXPECT_EQ(short_read.error().code, ErrorCode::end_of_stream);
      EXPECT_EQ(view(buffer, 3), "abc");
      const Result<std::size_t> end = co_await coro::read(pair.second, buffer);
      EXPECT_EQ(end.value_or(1), 0U);
      const Result<void> written = co_await coro::write(pair.second, "to nobody");
      EXPECT_EQ(written.error().code, ErrorCode::reset);
      EXPECT_TRUE((co_await coro::write(pair.second, "")).ok());
      const Result<std::size_t> nowhere = co_await coro::read(pair.second, {});
      EXPECT_EQ(nowhere.error().code, ErrorCode::invalid_argument);
      const Result<std::size_t> closed = co_await coro::read(pair.first, buffer);
      EXPECT_FALSE(closed.ok());
    };
    coro::wait(body());
  });
}

TEST_P(CoroIoOn, a_refused_connection_is_an_error) {
  run_here([] {
    // Bound, and nobody listens.
    const int bound = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(bound, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::getsockname(bound, reinterpret_cast<sockaddr*>(&address), &size), 0);
    const std::uint16_t port = ntohs(address.sin_port);
    const auto body = [&]() -> Task<> {
      const Result<TcpStream> refused = co_await coro::connect("127.0.0.1", port);
      EXPECT_EQ(refused.error().os_errno, ECONNREFUSED);
      const Result<UnixStream> nobody = co_await coro::connect_unix("/nobody/listens/here");
      EXPECT_EQ(nobody.error().os_errno, ENOENT);
    };
    coro::wait(body());
    ::close(bound);
  });
}

TEST_P(CoroIoOn, unix_listeners_accept) {
  run_here([] {
    const std::string path = "@weft-coro-io-test-" + std::to_string(::getpid());
    auto listener = UnixListener::bind(path).value();
    const auto server = [&]() -> Task<> {
      Result<UnixStream> client = co_await coro::accept(listener);
      EXPECT_TRUE((co_await coro::write(*client, "hi")).ok());
    };
    const auto client = [&]() -> Task<> {
      Result<UnixStream> stream = co_await coro::connect_unix(path);
      std::array<char, 2> buffer;
      EXPECT_TRUE((co_await coro::read_exactly(*stream, buffer)).ok());
    };
    const auto both = [&]() -> Task<> { co_await coro::all(server(), client()); };
    coro::wait(both());
  });
}

TEST_P(CoroIoOn, cancelled_reads_end_and_touch_their_buffer_no_more) {
  run_here([] {
    Pair pair = make_pair();
    const auto read_once = [&]() -> Task<ErrorCode> {
      std::array<char, 64> buffer;
      co_return (co_await coro::read(pair.first, buffer)).error().code;
    };
    auto reader = coro::spawn(read_once());
    yield();
    reader.cancel();
    EXPECT_EQ(reader.join(), ErrorCode::cancelled);
    const auto limited = [&]() -> Task<> {
      const auto code = co_await coro::with_timeout(milliseconds(1), read_once());
      EXPECT_EQ(code.value(), ErrorCode::timed_out);
    };
    coro::wait(limited());
    pair.first.set_timeout(milliseconds(1));
    EXPECT_EQ(coro::wait(read_once()), ErrorCode::timed_out);
    pair.first.set_timeout(milliseconds(0));
    // What was cancelled has taken nothing that was sent after it.
    EXPECT_TRUE(pair.second.write("for the next").ok());
    std::array<char, 64> buffer;
    EXPECT_EQ(pair.first.read(buffer).value(), 12U);
  });
}

TEST_P(CoroIoOn, a_cancelled_one_begins_no_operation) {
  run_here([] {
    Pair pair = make_pair();
    EXPECT_TRUE(pair.second.write("there").ok());
    auto reader = coro::spawn([](UnixStream& stream) -> Task<ErrorCode> {
      co_await coro::yield();
      std::array<char, 64> buffer;
      co_return (co_await coro::read(stream, buffer)).error().code;
    }(pair.first));
    reader.cancel();
    EXPECT_EQ(reader.join(), ErrorCode::cancelled);
    std::array<char, 64> buffer;
    EXPECT_EQ(pair.first.read(buffer).value(), 5U);
  });
}

TEST_P(CoroIoOn, closing_a_stream_ends_what_waits_on_it) {
  run_here([] {
    Pair pair = make_pair();
    auto reader = coro::spawn([](UnixStream& stream) -> Task<ErrorCode> {
      std::array<char, 64> buffer;
      co_return (co_await coro::read(stream, buffer)).error().code;
    }(pair.first));
    yield();
    pair.first.close();
    EXPECT_EQ(reader.join(), ErrorCode::cancelled);
  });
}

TEST_P(CoroIoOn, a_write_that_has_no_room_is_cancelled) {
  run_here([] {
    Pair pair = make_pair();
    const std::string text(8U << 20U, 'q');
    const auto write_all = [&]() -> Task<ErrorCode> {
      co_return (co_await coro::write(pair.first, text)).error().code;
    };
    const auto limited = [&]() -> Task<> {
      const auto code = co_await coro::with_timeout(milliseconds(1), write_all());
      EXPECT_EQ(code.value(), ErrorCode::timed_out);
    };
    coro::wait(limited());
  });
}

TEST_P(CoroIoOn, reads_are_cancelled_by_other_threads_while_bytes_arrive) {
  run_here([] {
    for (int round = 0; round < 50; ++round) {
      Pair pair = make_pair();
      CancelSource source;
      std::thread other([&] {
        static_cast<void>(::send(pair.second.fd(), "x", 1, MSG_NOSIGNAL));
        source.cancel();
      });
      const auto read_on = [&]() -> Task<ErrorCode> {
        std::array<char, 64> buffer;
        for (;;) {
          const Result<std::size_t> count = co_await coro::read(pair.first, buffer);
          if (!count.ok()) co_return count.error().code;
        }
      };
      const auto body = [&]() -> Task<Result<ErrorCode>> {
        co_return co_await coro::with_cancel(source.token(), read_on());
      };
      EXPECT_EQ(coro::wait(body()).value(), ErrorCode::cancelled);
      other.join();
    }
  });
}

TEST(CoroIoOutside, blocks_the_thread) {
  auto listener = TcpListener::bind("127.0.0.1", 0).value();
  std::thread server([&] {
    const auto one = [&]() -> Task<> {
      Result<TcpStream> client = co_await coro::accept(listener);
      co_await echo(std::move(client).value());
    };
    coro::wait(one());
  });
  coro::wait(talk(listener.port(), "text"));
  server.join();
}

TEST(CoroIoOutside, a_timeout_ends_what_blocks) {
  Pair pair = make_pair();
  const auto read_once = [&]() -> Task<ErrorCode> {
    std::array<char, 64> buffer;
    co_return (co_await coro::read(pair.first, buffer)).error().code;
  };
  const auto limited = [&]() -> Task<> {
    const auto code = co_await coro::with_timeout(milliseconds(1), read_once());
    EXPECT_EQ(code.value(), ErrorCode::timed_out);
  };
  coro::wait(limited());
}

}  // namespace
}  // namespace weft
