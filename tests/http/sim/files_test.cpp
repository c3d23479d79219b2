// Files as answers, on a kernel that does with them what kernels may do.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "ksvc/sim/sim_peer.hpp"
#include "sim_run.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::size_t kSize = 1'500'000;

SimRunOptions with_a_file(std::size_t bytes = kSize) {
  SimRunOptions options;
  options.file_bytes = bytes;
  options.drain_after = seconds(30);
  return options;
}

// A client that asks for the file, and what it has got.
class Asker {
 public:
  Asker(SimRun& run, std::size_t bytes, nanoseconds rests = nanoseconds(0))
      : peer_(run.world(), run.port()) {
    peer_.on_bytes = [this, &run, rests](std::string_view bytes) {
      received_ += bytes;
      if (rests.count() == 0) return;
      peer_.pause();
      run.world().after(rests, [this] { peer_.resume(); });
    };
    peer_.on_end = [this](int os_errno) {
      is_reset_ = os_errno != 0;
      peer_.close();
    };
    peer_.send("GET /file/" + std::to_string(bytes) + " HTTP/1.1\r\nHost: sim\r\n\r\n");
  }

  ksvc::SimPeer& peer() { return peer_; }
  std::string body() const {
    const std::size_t end = received_.find("\r\n\r\n");
    return end == std::string::npos ? std::string() : received_.substr(end + 4);
  }
  bool is_reset() const { return is_reset_; }

 private:
  ksvc::SimPeer peer_;
  std::string received_;
  bool is_reset_ = false;
};

bool begins(const std::string& whole, const std::string& part) {
  return whole.compare(0, part.size(), part) == 0;
}

}  // namespace

TEST(SimulatedFiles, arrive_whole_however_short_the_sends_are) {
  for (const Model model : {Model::green, Model::coroutine, Model::callback}) {
    SimRunOptions options = with_a_file();
    options.model = model;
    options.world.faults.short_write = 700;
    options.world.faults.reorder = 300;
    options.world.socket_buffer_bytes = 4'096;
    SimRun run(1, options);
    ClientPlan plan;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{70'000}, kSize, std::size_t{0}}) {
      plan.asks.push_back(file_part(bytes));
      plan.asks.push_back(get("/hello", "hello"));
    }
    plan.depth = 4;
    const SimClient& client = run.add_client(std::move(plan));
    EXPECT_EQ(run.run(), "");
    EXPECT_EQ(client.checker().answered(), 8U);
  }
}

TEST(SimulatedFiles, reader_that_makes_progress_may_take_longer_than_the_write_timeout) {
  SimRunOptions options = with_a_file();
  options.world.socket_buffer_bytes = 64 * 1024;
  options.drain_after = seconds(120);
  SimRun run(1, options);
  // 64 KiB in 100 ms: a step of a MiB takes 1.6 s, and the whole longer than a request may.
  run.site().site.limits.write_timeout = milliseconds(1'000);
  run.site().site.limits.request_timeout = milliseconds(1'200);
  Asker slow(run, kSize, milliseconds(100));
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(slow.body() == big_body(kSize)) << slow.body().size();
}

TEST(SimulatedFiles, reader_that_takes_nothing_is_reset) {
  SimRun run(1, with_a_file());
  Asker stopped(run, kSize);
  stopped.peer().pause();
  run.world().after(seconds(20), [&] {
    EXPECT_EQ(run.counters().closed.value(), 1U);
    EXPECT_EQ(run.worker().parked(), 0U);
    stopped.peer().resume();
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_LT(stopped.body().size(), kSize);
}

TEST(SimulatedFiles, client_that_goes_ends_the_sending) {
  SimRun run(1, with_a_file());
  Asker goes(run, kSize);
  goes.peer().pause();
  run.world().after(milliseconds(50), [&] { goes.peer().reset(); });
  run.world().after(seconds(1), [&] {
    EXPECT_EQ(run.counters().closed.value(), 1U);
    EXPECT_EQ(run.worker().parked(), 0U);
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(run.site().complaints.empty());
}

TEST(SimulatedFiles, file_that_becomes_shorter_ends_in_a_reset_not_in_other_bytes) {
  SimRun run(1, with_a_file());
  Asker asker(run, kSize);
  asker.peer().pause();
  run.world().after(milliseconds(50), [&] {
    run.world().descriptor(run.site().file).file->resize(600'000);
    asker.peer().resume();
  });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(asker.is_reset());
  EXPECT_LE(asker.body().size(), 600'000U);
  EXPECT_TRUE(begins(big_body(kSize), asker.body()));
  EXPECT_EQ(run.site().complaints.size(), 1U);
}

TEST(SimulatedFiles, file_that_cannot_be_read_ends_in_a_reset) {
  SimRun run(1, with_a_file());
  run.world().fail_next<ksvc::SendFile>(EIO);
  Asker asker(run, kSize);
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(asker.is_reset());
  EXPECT_EQ(asker.body(), "");
  ASSERT_EQ(run.site().complaints.size(), 1U);
  EXPECT_NE(run.site().complaints.front().find("cannot be read"), std::string::npos);
}

TEST(SimulatedFiles, what_the_back_end_cannot_send_is_read_and_written) {
  SimRun run(1, with_a_file());
  const int file = ::memfd_create("file", MFD_CLOEXEC);
  const std::string bytes = big_body(200'000);
  ASSERT_EQ(::pwrite(file, bytes.data(), bytes.size(), 0), 200'000);
  const int simulated = std::exchange(run.site().file, file);
  run.world().fail_next<ksvc::SendFile>(EOPNOTSUPP);
  Asker asker(run, 200'000);
  run.world().after(seconds(20), [&] { run.site().file = simulated; });
  EXPECT_EQ(run.run(), "");
  EXPECT_TRUE(asker.body() == bytes);
  ::close(file);
}

}  // namespace weft::http::test
