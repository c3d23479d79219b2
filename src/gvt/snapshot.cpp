#include "gvt/snapshot.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <span>
#include <tuple>
#include <utility>

#include "gvt/backtrace.hpp"
#include "gvt/scheduler.hpp"
#include "gvt/symbols.hpp"
#include "ksvc/core/assert.hpp"
#include "weft/blocking.hpp"
#include "weft/detail/spin_lock.hpp"
#include "weft/detail/waiter.hpp"

namespace weft {

namespace gvt {

std::vector<SeenThread> look_at(Scheduler& scheduler, bool backtraces) {
  std::vector<SeenThread> seen;
  const TimePoint now{detail::now_ns()};
  scheduler.for_each_green_thread([&](const GreenThread& thread, bool ready) {
    SeenThread& one = seen.emplace_back();
    one.info.id = thread.task.id;
    if (thread.task.name != nullptr) one.info.name = thread.task.name;
    one.info.worker = scheduler.index();
    const bool runs = &thread == &scheduler.running();
    if (runs) {
      one.info.state = GreenThreadInfo::State::running;
      if (backtraces) one.address_count = backtrace(one.addresses);
      return;
    }
    one.info.state = ready ? GreenThreadInfo::State::ready : GreenThreadInfo::State::waiting;
    if (!ready) {
      one.info.waits_for = thread.waiting.what;
      one.info.object = thread.waiting.object;
      one.info.since = now - thread.waiting.since;
    }
    if (backtraces) one.address_count = parked_backtrace(thread.context, one.addresses);
  });
  return seen;
}

namespace {

// Below it are the frames of a loop, which has perhaps gone on elsewhere.
bool begins_a_task(const std::string& function) {
  return function.starts_with("weft::detail::SpawnedTaskBase::run_task(") ||
         function.starts_with("weft::gvt::Scheduler::run_one(");
}

// What stands above the call that people know.
bool belongs_to_parking(const std::string& function) {
  return function.starts_with("weft::gvt::") || function.starts_with("weft::detail::") ||
         function.find("weft::gvt::Scheduler::for_each_green_thread") != std::string::npos;
}

}  // namespace

std::vector<GreenThreadInfo> told(std::vector<SeenThread> seen) {
  std::vector<GreenThreadInfo> all;
  Symbolizer symbolizer;
  for (SeenThread& one : seen) {
    for (void* address : std::span(one.addresses).first(one.address_count)) {
      const std::vector<Symbol> symbols = symbolizer.look_up(address);
      const std::string& function = symbols.back().function;
      if (begins_a_task(function)) break;
      if (one.info.backtrace.empty() && belongs_to_parking(function)) continue;
      for (const Symbol& symbol : symbols) one.info.backtrace.push_back(symbol.text());
    }
    all.push_back(std::move(one.info));
  }
  std::sort(all.begin(), all.end(), [](const GreenThreadInfo& a, const GreenThreadInfo& b) {
    return std::tie(a.worker, a.id) < std::tie(b.worker, b.id);
  });
  return all;
}

}  // namespace gvt

namespace {

// What all workers are asked at once, and who waits for the answers. Shared, since a worker that
// answers late must find it still there.
struct Question {
  struct ToWorker : detail::Runnable {
    ToWorker() noexcept : Runnable(&ToWorker::answer) {}

    static void answer(detail::Runnable& self);

    std::shared_ptr<Question> question;
    gvt::Scheduler* worker = nullptr;
    std::vector<gvt::SeenThread> seen;
    bool answered = false;
  };

  Question(bool with_backtraces, unsigned workers)
      : backtraces(with_backtraces), asked(workers), unanswered(workers) {}

  const bool backtraces;
  std::vector<ToWorker> asked;
  detail::SpinLock lock;  // of what follows, and of `answered`
  unsigned unanswered;
  detail::Waiter* waiter = nullptr;
};

void Question::ToWorker::answer(detail::Runnable& runnable) {
  auto& self = static_cast<ToWorker&>(runnable);
  const std::shared_ptr<Question> question = std::move(self.question);
  self.seen = gvt::look_at(*self.worker, question->backtraces);
  detail::Waiter* woken = nullptr;
  {
    const detail::SpinGuard guard(question->lock);
    self.answered = true;
    detail::Waiter* const waiter = question->waiter;
    if (--question->unanswered == 0 && waiter != nullptr && waiter->claim(detail::Outcome::woken)) {
      woken = waiter;
    }
  }
  if (woken != nullptr) woken->wake();
}

// The answers of the other workers.
std::vector<gvt::SeenThread> ask_others(gvt::Scheduler& here, const SnapshotOptions& options) {
  gvt::WorkerGroup& group = *here.group();
  const auto question = std::make_shared<Question>(options.backtraces, group.size() - 1);
  std::size_t next = 0;
  for (unsigned i = 0; i < group.size(); ++i) {
    if (i == here.index()) continue;
    Question::ToWorker& one = question->asked[next++];
    one.question = question;
    one.worker = &group.member(i);
    one.worker->post(one);
  }
  detail::Waiter waiter("the answers of other workers");
  bool wait = false;
  {
    const detail::SpinGuard guard(question->lock);
    wait = question->unanswered > 0;
    if (wait) question->waiter = &waiter;
  }
  if (wait) {
    waiter.wait(detail::deadline_after(
        std::chrono::duration_cast<std::chrono::nanoseconds>(options.patience).count()));
  }
  std::vector<gvt::SeenThread> all;
  const detail::SpinGuard guard(question->lock);
  question->waiter = nullptr;
  for (Question::ToWorker& one : question->asked) {
    if (!one.answered) continue;
    std::move(one.seen.begin(), one.seen.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

std::vector<GreenThreadInfo> snapshot(const SnapshotOptions& options) {
  gvt::Scheduler* const here = gvt::current_scheduler();
  WEFT_ASSERT(here != nullptr && "weft::snapshot is called by a green thread: see weft::run");
  std::vector<gvt::SeenThread> seen = gvt::look_at(*here, options.backtraces);
  if (here->group() != nullptr) {
    std::vector<gvt::SeenThread> others = ask_others(*here, options);
    std::move(others.begin(), others.end(), std::back_inserter(seen));
  }
  // Reading debug information takes long, and more of a stack than a green thread has.
  return blocking([&seen] { return gvt::told(std::move(seen)); });
}

std::string describe(const GreenThreadInfo& thread) {
  std::string text = "green thread " + std::to_string(thread.id);
  if (!thread.name.empty()) text += " \"" + thread.name + '"';
  text += " of worker " + std::to_string(thread.worker);
  switch (thread.state) {
    case GreenThreadInfo::State::running: text += ", running"; break;
    case GreenThreadInfo::State::ready: text += ", ready to run"; break;
    case GreenThreadInfo::State::waiting: {
      char words[64];
      text += ", waits for " + thread.waits_for;
      if (thread.object != nullptr) {
        std::snprintf(words, sizeof words, " (at %p)", thread.object);
        text += words;
      }
      std::snprintf(words, sizeof words, " for %.3f s",
                    std::chrono::duration<double>(thread.since).count());
      text += words;
      break;
    }
  }
  text += '\n';
  for (const std::string& frame : thread.backtrace) text += "    " + frame + '\n';
  return text;
}

}  // namespace weft
