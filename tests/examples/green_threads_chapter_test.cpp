// The code of docs/green-threads.md that no example has, compiled and run, and more of what it
// says.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/blocking.hpp"
#include "weft/cancel.hpp"
#include "weft/channel.hpp"
#include "weft/dns.hpp"
#include "weft/file.hpp"
#include "weft/green.hpp"
#include "weft/inspect.hpp"
#include "weft/local.hpp"
#include "weft/net.hpp"
#include "weft/pipe.hpp"
#include "weft/scope.hpp"
#include "weft/select.hpp"
#include "weft/signals.hpp"
#include "weft/sync.hpp"

namespace weft::examples {
namespace {

using namespace std::chrono_literals;

void tidy_up(bool& tidied) { tidied = true; }

TEST(Chapter, spawned_code_runs_when_its_maker_parks_and_in_order) {
  std::string said;
  weft::run([&] {
    auto child = weft::spawn([&] { said += "child "; });
    said += "maker ";
    child.join();
    said += "end";
  });
  EXPECT_EQ(said, "maker child end");
}

TEST(Chapter, an_exception_comes_out_of_join) {
  std::string caught;
  weft::run([&] {
    auto parsed = weft::spawn([] { return std::stoi("not a number"); });
    try {
      parsed.join();
    } catch (const std::invalid_argument& error) {
      caught = error.what();
    }
  });
  EXPECT_EQ(caught, "stoi");
}

TEST(Chapter, join_for_gives_up_and_cancel_ends_what_is_parked) {
  bool gave_up = false;
  bool cancelled = false;
  weft::run([&] {
    auto patient = weft::spawn({.name = "patient"}, [] { weft::sleep(1h); });
    if (!patient.join_for(10ms)) {
      gave_up = true;
      patient.cancel();
      try {
        patient.join();
      } catch (const weft::Cancelled&) {
        cancelled = true;
      }
    }
  });
  EXPECT_TRUE(gave_up && cancelled);
}

TEST(Chapter, a_failing_child_cancels_its_siblings_and_scope_throws_what_it_threw) {
  std::string caught;
  weft::run([&] {
    try {
      weft::scope([](weft::Scope& scope) {
        scope.spawn([] { weft::sleep(1h); });  // cancelled
        scope.spawn([] { throw std::runtime_error("disk full"); });
      });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
  });
  EXPECT_EQ(caught, "disk full");
}

TEST(Chapter, a_scope_gives_the_result_of_its_body) {
  int sum = 0;
  weft::run([&] {
    sum = weft::scope([](weft::Scope& scope) {
      auto left = scope.spawn([] { return 40; });
      auto right = scope.spawn([] { return 2; });
      return left.join() + right.join();
    });
  });
  EXPECT_EQ(sum, 42);
}

weft::Result<std::string> first_line(weft::TcpStream& stream) {
  return weft::with_timeout(2s, [&]() -> weft::Result<std::string> {
    std::string line;
    for (char byte = 0; byte != '\n'; line += byte) {
      if (const auto read = stream.read_exactly({&byte, 1}); !read) return read.error();
    }
    return line;
  });
}

TEST(Chapter, a_deadline_reaches_into_a_read) {
  weft::run([&] {
    auto listener = weft::TcpListener::bind("127.0.0.1", 0).value();
    auto server = weft::spawn([&] {
      auto peer = listener.accept().value();
      EXPECT_TRUE(peer.write("hello\nand more"));
    });
    auto stream = weft::TcpStream::connect("127.0.0.1", listener.port()).value();
    EXPECT_EQ(first_line(stream).value_or(""), "hello\n");
    server.join();
  });
}

TEST(Chapter, what_was_cancelled_stays_so_until_it_is_left_but_not_shielded) {
  bool again = false;
  bool tidied = false;
  bool free = false;
  weft::run([&] {
    weft::CancelSource stop;
    weft::Mutex mutex;
    stop.cancel();
    const auto result = weft::with_cancel(stop.token(), [&] {
      try {
        weft::sleep(1h);
      } catch (const weft::Cancelled&) {
        mutex.lock();  // does not have to wait: it works
        mutex.unlock();
        free = true;
        weft::shielded([&] { tidy_up(tidied); });
      }
      weft::sleep(1ms);  // throws again
      again = true;
    });
    EXPECT_EQ(result.error().code, weft::ErrorCode::cancelled);
    weft::sleep(1ms);  // out of it: as ever
  });
  EXPECT_TRUE(!again && tidied && free);
}

TEST(Chapter, trying_again_ends_with_the_deadline_further_out) {
  weft::run([] {
    weft::Channel<int> never;
    const auto result = weft::with_timeout(20ms, [&] {
      while (!weft::with_timeout(2ms, [&] { return never.receive_for(1h); })) {
        weft::check_cancelled();
      }
    });
    EXPECT_EQ(result.error().code, weft::ErrorCode::timed_out);
  });
}

TEST(Chapter, a_deadline_reaches_what_a_scope_spawns_and_not_what_spawn_does) {
  std::string said;
  weft::run([&] {
    weft::JoinHandle<void> plain;
    const auto result = weft::with_timeout(5ms, [&] {
      plain = weft::spawn([&] {
        weft::sleep(10ms);
        said += " plain";
      });
      weft::scope([&](weft::Scope& scope) {
        scope.spawn([&] {
          try {
            weft::sleep(1h);
          } catch (const weft::Cancelled&) {
            said += "scope's";
            throw;
          }
        });
      });
    });
    EXPECT_FALSE(result);
    plain.join();
  });
  EXPECT_EQ(said, "scope's plain");
}

TEST(Chapter, a_caught_exception_and_errno_are_still_there_after_a_wait) {
  std::string caught;
  int seen = 0;
  weft::run([&] {
    weft::spawn([] {
      try {
        throw std::logic_error("another one's");
      } catch (const std::logic_error&) {
        errno = EBADF;
        weft::yield();
      }
    });
    try {
      try {
        throw std::runtime_error("mine");
      } catch (const std::runtime_error&) {
        errno = ENOENT;
        weft::yield();
        seen = errno;
        throw;
      }
    } catch (const std::exception& error) {
      caught = error.what();
    }
  });
  EXPECT_EQ(caught, "mine");
  EXPECT_EQ(seen, ENOENT);
}

TEST(Chapter, deadlines_end_what_blocks_where_there_is_no_worker) {
  const weft::Channel<int> never;
  const auto result = weft::with_timeout(5ms, [&] { return never.receive(); });
  EXPECT_EQ(result.error().code, weft::ErrorCode::timed_out);
}

TEST(Chapter, computing_asks_whether_it_has_been_cancelled) {
  long sum = 0;
  weft::run([&] {
    const auto result = weft::with_timeout(5ms, [&] {
      for (;;) {
        weft::check_cancelled();
        sum += 1;
      }
    });
    EXPECT_EQ(result.error().code, weft::ErrorCode::timed_out);
  });
  EXPECT_GE(sum, 0) << "on a busy machine the first look may come too late";
}

TEST(Chapter, sends_and_receives_say_that_a_channel_is_closed) {
  weft::run([] {
    const weft::Channel<int> queue(2);
    EXPECT_TRUE(queue.send(1));
    EXPECT_TRUE(queue.send(2));
    EXPECT_FALSE(queue.try_send(3));
    queue.close();
    EXPECT_FALSE(queue.send(4));
    EXPECT_EQ(queue.receive(), 1);
    EXPECT_EQ(queue.receive(), 2);
    EXPECT_EQ(queue.receive(), std::nullopt);
  });
}

TEST(Chapter, select_says_which_case_it_was) {
  std::string said;
  weft::run([&] {
    const weft::Channel<std::string> requests(1);
    const weft::Channel<int> results(1);
    results.send(7);
    weft::select(
        weft::on_receive(results, [&](std::optional<int> value) { said = std::to_string(*value); }),
        weft::after(1s, [&] { said = "too late"; }));
    weft::select(weft::on_send(requests, "next", [&] { said += " sent"; }),
                 weft::otherwise([&] { said += " full"; }));
  });
  EXPECT_EQ(said, "7 sent");
}

TEST(Chapter, a_condition_variable_waits_with_its_predicate) {
  int taken = 0;
  weft::run([&] {
    weft::Mutex mutex;
    weft::CondVar changed;
    std::vector<int> items;
    auto consumer = weft::spawn([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return !items.empty(); });
      return items.back();
    });
    weft::yield();
    {
      const std::lock_guard lock(mutex);
      items.push_back(5);
    }
    changed.notify_one();
    taken = consumer.join();
  });
  EXPECT_EQ(taken, 5);
}

TEST(Chapter, the_other_locks) {
  int most = 0;
  weft::run([&] {
    weft::Semaphore permits(3);  // at most three at a time
    int now = 0;
    weft::scope([&](weft::Scope& scope) {
      for (int i = 0; i < 10; ++i) {
        scope.spawn([&] {
          permits.acquire();
          most = std::max(most, ++now);
          weft::sleep(1ms);
          --now;
          permits.release();
        });
      }
    });
  });
  EXPECT_EQ(most, 3);
}

weft::GreenLocal<std::string> t_request_id;

TEST(Chapter, every_green_thread_has_its_own_local) {
  std::string seen;
  weft::run([&] {
    t_request_id.get() = "main's";
    weft::spawn([&] { seen += "[" + t_request_id.get() + "]"; }).join();
    seen += t_request_id.get();
  });
  EXPECT_EQ(seen, "[]main's");
}

TEST(Chapter, files_pipes_and_names) {
  weft::run([] {
    const std::string path = testing::TempDir() + "chapter." + std::to_string(::getpid());
    auto file = weft::File::create(path);
    ASSERT_TRUE(file) << file.error().message();
    if (!file->write("to the disk") || !file->sync()) return;
    const auto text = weft::read_file(path);
    EXPECT_EQ(text.value_or(""), "to the disk");
    EXPECT_TRUE(weft::remove_file(path));

    auto pipe = weft::Pipe::create().value();
    auto writer = weft::spawn([&] { return pipe.writer.write("through a pipe").ok(); });
    std::string heard(14, '\0');
    EXPECT_TRUE(pipe.reader.read_exactly(heard));
    EXPECT_TRUE(writer.join());
    EXPECT_EQ(heard, "through a pipe");

    const auto addresses = weft::resolve("localhost", 80);
    EXPECT_TRUE(addresses && addresses->front().port() == 80);
  });
}

TEST(Chapter, signals_are_values) {
  int number = 0;
  // A thread of its own, whose signals stay blocked when it has ended.
  std::thread([&] {
    weft::Signals signals({SIGUSR1});
    weft::run([&] {
      auto stopped = weft::spawn([&] { return signals.next(); });
      ::raise(SIGUSR1);
      number = stopped.join().value_or(0);
    });
  }).join();
  EXPECT_EQ(number, SIGUSR1);
}

TEST(Chapter, the_same_calls_block_where_there_is_no_worker) {
  int sum = 0;
  const weft::Channel<int> numbers;  // shared by a worker and a thread that is none
  std::thread reader([&] {
    for (int number : numbers) sum += number;
  });
  weft::run([&] {
    for (int i = 1; i <= 4; ++i) numbers.send(i);
    numbers.close();
  });
  reader.join();
  EXPECT_EQ(sum, 10);
}

TEST(Chapter, options_of_a_run) {
  int ran = 0;
  weft::RunOptions options;
  options.workers = 2;
  options.topology = weft::RunOptions::Topology::one_reactor;
  weft::run([&] { ran = 1; }, options);
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace weft::examples
