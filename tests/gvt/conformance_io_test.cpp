// What streams and listeners promise to green threads, asked of every back end and topology there
// is, and of the simulated kernel.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "every_kernel.hpp"
#include "weft/cancel.hpp"
#include "weft/scope.hpp"

namespace weft::test {
namespace {

using std::chrono::milliseconds;

using IoConformance = OnEveryKernel;
INSTANTIATE_TEST_SUITE_P(EveryKernel, IoConformance, testing::ValuesIn(every_kernel()),
                         kernel_name);

TEST_P(IoConformance, streams_carry_bytes_both_ways) {
  run_here([](Ground& ground) {
    auto [left, right] = ground.make_pair();
    const std::string sent(50'000, 'x');
    std::string there(sent.size(), ' ');
    std::string back(sent.size(), ' ');
    scope([&, &one = left, &other = right](Scope& threads) {
      threads.spawn([&] { EXPECT_TRUE(one.write(sent).ok()); });
      threads.spawn([&] { EXPECT_TRUE(one.read_exactly(back).ok()); });
      EXPECT_TRUE(other.read_exactly(there).ok());
      EXPECT_TRUE(other.write(there).ok());
    });
    EXPECT_EQ(there, sent);
    EXPECT_EQ(back, sent);
  });
}

TEST_P(IoConformance, listener_accepts_all_who_connect) {
  run_here([](Ground& ground) {
    Listener listener = ground.make_listener(4);
    int echoed = 0;
    scope([&](Scope& threads) {
      for (int i = 0; i < 10; ++i) {
        threads.spawn([&] {
          auto client = ground.connect(listener.address());
          ASSERT_TRUE(client.ok()) << client.error().message();
          char byte = 0;
          EXPECT_TRUE(client->write("a").ok());
          EXPECT_TRUE(client->read_exactly({&byte, 1}).ok());
          echoed += byte == 'a' ? 1 : 0;
        });
      }
      for (int i = 0; i < 10; ++i) {
        auto server = listener.accept();
        ASSERT_TRUE(server.ok()) << server.error().message();
        char byte = 0;
        EXPECT_TRUE(server->read_exactly({&byte, 1}).ok());
        EXPECT_TRUE(server->write({&byte, 1}).ok());
      }
    });
    EXPECT_EQ(echoed, 10);
  });
}

TEST_P(IoConformance, connecting_to_a_listener_without_room_can_be_cancelled) {
  run_here([](Ground& ground) {
    Listener listener = ground.make_listener(1);
    const auto first = ground.connect(listener.address());
    EXPECT_TRUE(first.ok());
    scope([&](Scope& threads) {
      for (int i = 0; i < 10; ++i) {
        threads.spawn([&, i] {
          const auto late =
              with_timeout(milliseconds(i % 3), [&] { return ground.connect(listener.address()); });
          EXPECT_EQ(late.error().code, ErrorCode::timed_out);
        });
      }
    });
  });
}

TEST_P(IoConformance, cancelled_read_has_taken_no_byte) {
  run_here([](Ground& ground) {
    auto [end, peer] = ground.make_pair();
    for (int round = 0; round < 20; ++round) {
      auto reading = spawn([&from = end] {
        char byte = 0;
        return from.read({&byte, 1});
      });
      for (int i = 0; i < round % 4; ++i) yield();
      auto writing = spawn([&to = peer] { return to.write("x"); });
      for (int i = 0; i < round % 3; ++i) yield();
      reading.cancel();
      const auto got = reading.join();
      EXPECT_TRUE(writing.join().ok());
      char byte = 0;
      // Either this one has it or the next.
      if (!got) {
        EXPECT_TRUE(end.read_exactly({&byte, 1}).ok());
      }
      EXPECT_EQ(with_timeout(milliseconds(0), [&, &from = end] { return from.read({&byte, 1}); })
                    .error()
                    .code,
                ErrorCode::timed_out);
    }
  });
}

TEST_P(IoConformance, close_ends_what_is_parked_on_the_stream) {
  run_here([](Ground& ground) {
    auto [end, peer] = ground.make_pair();
    auto reading = spawn([&from = end] {
      char byte = 0;
      return from.read({&byte, 1});
    });
    until_one_waits_for("I/O");
    end.close();
    EXPECT_EQ(reading.join().error().code, ErrorCode::cancelled);
    char byte = 0;
    const auto seen = peer.read({&byte, 1});
    EXPECT_TRUE(seen.ok() && *seen == 0);
  });
}

}  // namespace
}  // namespace weft::test
