// Time-outs to the millisecond, and clients that go, in virtual time.

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <string_view>

#include "ksvc/sim/sim_peer.hpp"
#include "sim_run.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// The network, a tick of the timers, and a turn.
constexpr nanoseconds kMargin = milliseconds(5);

SimRunOptions lasting(nanoseconds time) {
  SimRunOptions options;
  options.drain_after = time;
  return options;
}

// A client that does what a test tells it, and notes what comes and when.
class Talk {
 public:
  explicit Talk(SimRun& run) : world_(run.world()), peer_(world_, run.port()) {
    peer_.on_bytes = [this](std::string_view bytes) {
      if (received_.empty()) first_at_ = world_.now() - begin_;
      received_ += bytes;
    };
    peer_.on_end = [this](int os_errno) {
      ended_at_ = world_.now() - begin_;
      end_errno_ = os_errno;
      if (os_errno == 0) peer_.close();
    };
  }

  ksvc::SimPeer& peer() { return peer_; }
  Talk& say(nanoseconds when, std::string bytes) {
    world_.after(when, [this, bytes = std::move(bytes)] { peer_.send(bytes); });
    return *this;
  }
  const std::string& received() const { return received_; }
  int status() const { return received_.size() < 12 ? 0 : std::stoi(received_.substr(9, 3)); }
  bool announces_close() const {
    return received_.find("\r\nConnection: close\r\n") != std::string::npos;
  }
  nanoseconds first_at() const { return first_at_; }
  nanoseconds ended_at() const { return ended_at_; }
  std::size_t times_asked() const {
    constexpr std::string_view kAsked = "HTTP/1.1 100 Continue\r\n\r\n";
    std::size_t count = 0;
    for (std::size_t at = received_.find(kAsked); at != std::string::npos;
         at = received_.find(kAsked, at + 1)) {
      ++count;
    }
    return count;
  }

 private:
  ksvc::SimWorld& world_;
  ksvc::SimPeer peer_;
  ksvc::TimePoint begin_ = world_.now();
  nanoseconds first_at_{0};
  nanoseconds ended_at_{0};
  int end_errno_ = 0;
  std::string received_;
};

std::string head_of(std::string_view target, std::string_view version = "HTTP/1.1") {
  return "GET " + std::string(target) + " " + std::string(version) + "\r\nHost: sim\r\n\r\n";
}

void expect_about(nanoseconds actual, nanoseconds expected) {
  EXPECT_GE(actual.count(), expected.count());
  EXPECT_LE(actual.count(), (expected + kMargin).count());
}

void expect_nothing_left(SimRun& run, std::uint64_t connections) {
  EXPECT_EQ(run.counters().accepted.value(), connections);
  EXPECT_EQ(run.counters().closed.value(), connections);
  EXPECT_EQ(run.worker().parked(), 0U);
  EXPECT_EQ(run.world().open_descriptors(), 1U);  // the listener
  EXPECT_EQ(run.backend().buffers().lent() + run.backend().buffers().detached(), 0U);
}

}  // namespace

TEST(SimulatedTimeouts, a_head_that_trickles_in_has_its_time_from_the_first_byte) {
  SimRun run(1, lasting(seconds(10)));
  run.site().site.limits.head_timeout = seconds(2);
  Talk talk(run);
  for (int i = 0; i < 40; ++i) talk.say(seconds(1) + milliseconds(i * 100), i == 0 ? "GET /" : "x");
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(talk.status(), 408);
  EXPECT_TRUE(talk.announces_close());
  expect_about(talk.first_at(), seconds(3));
}

TEST(SimulatedTimeouts, a_body_has_its_time_from_when_it_is_waited_for) {
  SimRun run(1, lasting(seconds(10)));
  run.site().site.limits.body_timeout = seconds(2);
  Talk talk(run);
  talk.say(seconds(1), "POST /echo HTTP/1.1\r\nHost: sim\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 40; ++i) talk.say(seconds(1) + milliseconds(i * 100), "x");
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(talk.status(), 408);
  EXPECT_TRUE(talk.announces_close());
  expect_about(talk.first_at(), seconds(3));
}

TEST(SimulatedTimeouts, a_body_that_exceeds_the_time_of_the_request_is_its_clients_fault) {
  SimRun run(1, lasting(seconds(10)));
  run.site().site.limits.body_timeout = seconds(5);
  run.site().site.limits.request_timeout = seconds(2);
  Talk talk(run);
  talk.say(seconds(1), "POST /echo HTTP/1.1\r\nHost: sim\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(talk.status(), 408);
  expect_about(talk.first_at(), seconds(3));
}

TEST(SimulatedTimeouts, a_request_has_its_time_from_its_first_byte) {
  SimRun run(1, lasting(seconds(10)));
  run.site().site.limits.request_timeout = seconds(3);
  Talk talk(run);
  const std::string head = head_of("/sleep/60000");
  talk.say(seconds(1), head.substr(0, 10)).say(seconds(2), head.substr(10));
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(talk.status(), 503);
  EXPECT_TRUE(talk.announces_close());
  expect_about(talk.first_at(), seconds(4));
  EXPECT_LT(talk.ended_at(), seconds(4) + 2 * kMargin);
}

TEST(SimulatedTimeouts, each_request_of_a_connection_has_its_own_time) {
  SimRun run(1, lasting(seconds(40)));
  run.site().site.limits.request_timeout = seconds(3);
  Talk talk(run);
  std::string batch;
  for (int i = 0; i < 10; ++i) batch += head_of("/sleep/2500");
  talk.say(seconds(1), batch);
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(run.counters().answers[2].value(), 10U);
  EXPECT_EQ(run.counters().answers[5].value(), 0U);
}

TEST(SimulatedTimeouts, what_is_answered_before_stays_answered) {
  SimRun run(1, lasting(seconds(10)));
  run.site().site.limits.request_timeout = seconds(2);
  Talk talk(run);
  talk.say(seconds(1), head_of("/hello") + head_of("/sleep/60000") + head_of("/hello"));
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(run.counters().answers[2].value(), 1U);  // and not the one behind
  EXPECT_EQ(run.counters().answers[5].value(), 1U);
  expect_about(talk.ended_at(), seconds(3));
}

TEST(SimulatedTimeouts, an_idle_connection_and_a_reader_have_their_own) {
  SimRun run(1, lasting(seconds(30)));
  run.site().site.limits.idle_timeout = seconds(4);
  run.site().site.limits.write_timeout = seconds(6);
  run.site().site.limits.request_timeout = seconds(2);
  Talk idle(run);
  Talk reader(run);
  reader.peer().pause();
  reader.say(seconds(1), head_of("/big/500000"));
  bool looked = false;
  run.world().after(milliseconds(6'900), [&] { EXPECT_EQ(run.counters().closed.value(), 1U); });
  run.world().after(milliseconds(7'100), [&] {
    looked = true;
    EXPECT_EQ(run.counters().closed.value(), 2U);
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(looked);
  expect_about(idle.ended_at(), seconds(4));
}

// ---- Clients that go while their handler is parked
// -----------------------------------------------------------------------------

TEST(SimulatedTimeouts, a_client_that_resets_while_its_handler_is_parked_cancels_it) {
  SimRun run(1, lasting(seconds(10)));
  std::deque<Talk> talks;
  for (int i = 0; i < 100; ++i) {
    talks.emplace_back(run).say(milliseconds(i), head_of("/sleep/9000") + head_of("/hello"));
  }
  run.world().after(milliseconds(500), [&] { EXPECT_EQ(run.worker().parked(), 100U); });
  run.world().after(seconds(1), [&] {
    for (Talk& talk : talks) talk.peer().reset();
  });
  run.world().after(seconds(1) + kMargin, [&] { expect_nothing_left(run, 100); });
  EXPECT_EQ(run.run(), "");
}

TEST(SimulatedTimeouts, a_client_that_closes_while_its_handler_is_parked_cancels_it) {
  SimRun run(1, lasting(seconds(10)));
  std::deque<Talk> talks;
  for (int i = 0; i < 100; ++i)
    talks.emplace_back(run).say(milliseconds(i), head_of("/sleep/9000"));
  run.world().after(milliseconds(500), [&] { EXPECT_EQ(run.worker().parked(), 100U); });
  run.world().after(seconds(1), [&] {
    for (Talk& talk : talks) talk.peer().close();
  });
  run.world().after(seconds(2), [&] { expect_nothing_left(run, 100); });
  EXPECT_EQ(run.run(), "");
}

// The end comes with the request, before its handler has parked.
TEST(SimulatedTimeouts, a_client_that_asks_and_goes_at_once_cancels_its_handler) {
  SimRun run(1, lasting(seconds(10)));
  std::deque<Talk> talks;
  for (int i = 0; i < 100; ++i) talks.emplace_back(run);
  run.world().after(seconds(1), [&] {
    for (Talk& talk : talks) {
      talk.peer().send(head_of("/sleep/9000"));
      talk.peer().close();
    }
  });
  run.world().after(seconds(2), [&] { expect_nothing_left(run, 100); });
  EXPECT_EQ(run.run(), "");
}

TEST(SimulatedTimeouts, a_half_closed_client_is_asked_seldom_and_answered_at_last) {
  SimRun run(1, lasting(seconds(25)));
  Talk talk(run);
  talk.say(seconds(1), head_of("/sleep/15000"));
  run.world().after(seconds(2), [&] { talk.peer().finish(); });
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(run.counters().answers[2].value(), 1U);
  EXPECT_TRUE(talk.received().ends_with("\r\n\r\n15000"));
  EXPECT_GE(talk.times_asked(), 1U);
  EXPECT_LE(talk.times_asked(), 6U);
  expect_about(talk.ended_at(), seconds(16));
}

TEST(SimulatedTimeouts, a_half_closed_client_of_http_1_0_is_asked_nothing) {
  SimRun run(1, lasting(seconds(10)));
  Talk talk(run);
  talk.say(seconds(1), head_of("/sleep/5000", "HTTP/1.0"));
  run.world().after(seconds(2), [&] { talk.peer().finish(); });
  EXPECT_EQ(run.run(), "");
  EXPECT_EQ(talk.times_asked(), 0U);
  EXPECT_TRUE(talk.received().ends_with("\r\n\r\n5000"));
}

TEST(SimulatedTimeouts, a_client_that_shuts_its_side_first_and_goes_later_is_noticed) {
  SimRun run(1, lasting(seconds(20)));
  Talk talk(run);
  talk.say(seconds(1), head_of("/sleep/15000"));
  run.world().after(milliseconds(1'500), [&] { talk.peer().finish(); });
  run.world().after(seconds(3), [&] { talk.peer().close(); });
  run.world().after(seconds(3) + seconds(5), [&] { expect_nothing_left(run, 1); });
  EXPECT_EQ(run.run(), "");
}

TEST(SimulatedTimeouts, a_drain_whose_grace_is_over_gives_up_bodies) {
  SimRun run(1, lasting(seconds(2)));
  run.site().site.limits.drain_grace = seconds(1);
  Talk talk(run);
  talk.say(seconds(1), "POST /echo HTTP/1.1\r\nHost: sim\r\nContent-Length: 100\r\n\r\nabc");
  run.run();  // says that the grace period was over
  EXPECT_EQ(talk.status(), 408);
  EXPECT_EQ(run.counters().closed.value(), 1U);
}

}  // namespace weft::http::test
