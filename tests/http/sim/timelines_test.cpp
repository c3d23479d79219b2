// Replays tests/vectors/http1/clock on the simulated server, in virtual time and in every
// connection model.

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "ksvc/sim/sim_peer.hpp"
#include "sim_run.hpp"
#include "timeline_file.hpp"

namespace weft::http::test {

namespace {

using std::chrono::milliseconds;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

struct TimedAnswer {
  int status = 0;
  std::string head;
  std::string body;

  std::string field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find('\r', begin) - begin);
  }
};

// The client of a timeline; its steps are planned when it is made, and taken while time goes on.
class TimelineClient {
 public:
  TimelineClient(SimRun& run, const Timeline& timeline)
      : run_(run), world_(run.world()), peer_(world_, run.port()) {
    peer_.on_bytes = [this](std::string_view bytes) { received_ += bytes; };
    peer_.on_end = [this](int os_errno) {
      end_errno_ = os_errno;
      if (os_errno == 0 && !stays_) peer_.close();
    };
    for (const TimelineStep& step : timeline.steps) {
      world_.after(step.at, [this, &step] { take(step); });
    }
  }
  TimelineClient(const TimelineClient&) = delete;
  TimelineClient& operator=(const TimelineClient&) = delete;

 private:
  void take(const TimelineStep& step) {
    SCOPED_TRACE(step.where);
    switch (step.kind) {
      case TimelineStep::Kind::send: return peer_.send(step.text);
      case TimelineStep::Kind::act: return act(step.text);
      case TimelineStep::Kind::expect:
        for (const auto& [name, value] : step.facts) expect(name, value);
    }
  }

  void act(const std::string& what) {
    if (what == "half_close") return peer_.finish();
    if (what == "close") return peer_.close();
    if (what == "reset") return peer_.reset();
    if (what == "stop_reading") return peer_.pause();
    if (what == "read") return peer_.resume();
    if (what.starts_with("take=")) {
      received_ += peer_.take(std::stoul(what.substr(5)));
    } else if (what == "stay") {
      stays_ = true;
    } else {
      ADD_FAILURE() << "nobody knows how to " << what;
    }
  }

  void expect(const std::string& name, const std::string& value) {
    if (name == "silence") {
      EXPECT_EQ(beginning(), "");
      EXPECT_FALSE(peer_.ended());
    } else if (name == "continue") {
      EXPECT_TRUE(received_.starts_with(kContinue)) << beginning();
      received_.erase(0, kContinue.size());
    } else if (name == "status") {
      answer_ = next_answer();
      EXPECT_EQ(std::to_string(answer_.status), value) << answer_.head;
    } else if (name == "answers") {
      for (std::size_t left = std::stoul(value); left > 0; --left) {
        ASSERT_EQ(next_answer().status, 200) << left << " are missing";
      }
    } else if (name == "body") {
      EXPECT_EQ(answer_.body, value);
    } else if (name == "body_bytes") {
      EXPECT_EQ(std::to_string(answer_.body.size()), value);
    } else if (name.starts_with("field.")) {
      EXPECT_EQ(answer_.field(name.substr(6)), value) << answer_.head;
    } else if (name == "connections") {
      const WorkerCounters& counters = run_.counters();
      EXPECT_EQ(std::to_string(counters.accepted.value() - counters.closed.value()), value);
    } else if (name == "end") {
      if (value != "reset") {
        EXPECT_EQ(beginning(), "");
      }
      const char* const end = !peer_.ended() ? "open" : end_errno_ == 0 ? "closed" : "reset";
      EXPECT_EQ(end, value);
    } else {
      ADD_FAILURE() << "unknown fact " << name;
    }
  }

  // Of what has arrived: enough to tell.
  std::string beginning() const { return received_.substr(0, 200); }

  // Taken off what has arrived; its status is 0 if it is not all there.
  TimedAnswer next_answer() {
    TimedAnswer answer;
    const std::size_t head_end = received_.find("\r\n\r\n");
    if (head_end == std::string::npos) return answer;
    answer.head = received_.substr(0, head_end + 2);
    const std::string length = answer.field("Content-Length");
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    if (received_.size() < head_end + 4 + size) return answer;
    answer.body = received_.substr(head_end + 4, size);
    answer.status = std::stoi(answer.head.substr(9, 3));
    received_.erase(0, head_end + 4 + size);
    return answer;
  }

  SimRun& run_;
  ksvc::SimWorld& world_;
  ksvc::SimPeer peer_;
  bool stays_ = false;
  int end_errno_ = 0;
  std::string received_;
  TimedAnswer answer_;
};

class Timelines : public testing::TestWithParam<Model> {};

std::string name_of(const testing::TestParamInfo<Model>& info) {
  switch (info.param) {
    case Model::green: return "green";
    case Model::coroutine: return "coroutine";
    case Model::callback: return "callback";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(Models, Timelines,
                         testing::Values(Model::green, Model::coroutine, Model::callback), name_of);

}  // namespace

TEST_P(Timelines, every_one_goes_as_claimed) {
  const std::vector<Timeline> timelines = read_timelines();
  EXPECT_GE(timelines.size(), 30U);
  for (const Timeline& timeline : timelines) {
    SCOPED_TRACE(timeline.where);
    SimRunOptions options;
    options.model = GetParam();
    options.drain_after = timeline.duration + milliseconds(1);
    SimRun run(1, options);
    for (const auto& set_in : timeline.limits) set_in(run.site().site.limits);
    TimelineClient client(run, timeline);
    EXPECT_EQ(run.run(), "");
  }
}

}  // namespace weft::http::test
