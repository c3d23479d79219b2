// StallDetector: a thread that notices when a worker does not get back to its loop, and tells where
// that worker is.
//
// A handler that computes or blocks for long holds up everything else on its worker. Each worker's
// thread makes a StallWatch and keeps its pulse going; the detector's thread looks at all of them
// several times per threshold while one is at work, and sleeps, without a single wake-up, while all
// wait. A worker that stalls gets a signal, whose handler takes down its stack; that makes calls
// which wait and are not started again fail with EINTR, as any signal does. Which names the
// addresses have is found out on the detector's thread.
//
// The detector outlives its watches. Watches are made and destroyed on the threads they are of.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "gvt/pulse.hpp"
#include "gvt/stall_judge.hpp"
#include "gvt/symbols.hpp"

namespace weft::gvt {

// What there is to tell: once when a stall is noticed, and once when it is over.
struct Stall {
  enum class Stage : std::uint8_t { noticed, over };

  Stage stage = Stage::noticed;
  unsigned worker = 0;
  std::chrono::nanoseconds lasted{};  // until now; right to a quarter of the threshold
  std::vector<void*> stack;           // when noticed, and if it could be had
  std::string text;                   // all of it, for people, in lines
};

struct StallOptions {
  std::chrono::nanoseconds threshold = std::chrono::milliseconds(100);
  // A signal that nothing else uses; 0 takes the last real-time signal that is free.
  int signal = 0;
  // Called on the detector's thread; empty writes the text to standard error.
  std::function<void(const Stall&)> report;
};

class StallWatch;

class StallDetector {
 public:
  explicit StallDetector(StallOptions options = {});
  ~StallDetector();
  StallDetector(const StallDetector&) = delete;
  StallDetector& operator=(const StallDetector&) = delete;

  // Where that worker is right now, in lines for people, whatever its pulse says; what could not be
  // found out is said. Any thread; takes half a second at most, and the symbols' time.
  std::string where_is(unsigned worker);

  // How often the detector's thread has looked: it stands still while all workers wait.
  std::uint64_t looks() const noexcept { return looks_.load(std::memory_order_relaxed); }
  // Whether it sleeps until a worker goes to work.
  bool asleep() const noexcept { return asleep_.load(std::memory_order_relaxed); }

 private:
  friend class StallWatch;

  void add(StallWatch& watch);
  void remove(StallWatch& watch);

  void run();
  bool look();
  void follow(StallWatch& watch, StallJudge::Verdict verdict, std::vector<Stall>& found);
  void sleep(int quiet_looks);
  void tell(Stall& stall);

  StallOptions options_;
  std::chrono::nanoseconds period_;
  std::atomic<std::uint32_t> sleeps_{0};  // what the thread sleeps on, and pulses look at
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> looks_{0};
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;  // held while a watch is looked at
  std::vector<StallWatch*> watches_;
  std::unique_ptr<Symbolizer> symbolizer_;
  std::thread thread_;
};

// A stack as a signal handler takes it down.
struct StackCapture {
  enum State : std::uint32_t { idle, asked, taken };

  std::atomic<std::uint32_t> state{idle};
  const Pulse* pulse = nullptr;
  std::uint64_t asked_word = 0;  // of the pulse when the stack was asked for
  std::uint64_t word = 0;        // and when it was taken down
  std::size_t count = 0;
  std::array<void*, 64> addresses;

  std::vector<void*> collect();
};

class StallWatch {
 public:
  // Of the calling thread, which is worker number `worker` to whoever reads the report.
  StallWatch(StallDetector& detector, unsigned worker);
  ~StallWatch();
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  Pulse& pulse() noexcept { return pulse_; }

 private:
  friend class StallDetector;

  bool ask_for_stack() noexcept;
  bool wait_for_stack() const noexcept;
  void accept_signal() noexcept;
  void provide_signal_stack();

  StallDetector& detector_;
  Pulse pulse_;
  unsigned worker_;
  int thread_id_;
  // From here on the detector's, but for the capture while it is asked for.
  StallJudge judge_;
  bool told_ = false;
  int looks_for_stack_ = 0;
  StackCapture capture_;
  std::unique_ptr<char[]> signal_stack_;  // where the thread has none
};

}  // namespace weft::gvt
