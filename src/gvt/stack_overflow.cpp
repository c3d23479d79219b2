#include "gvt/stack_overflow.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "gvt/sanitizer.hpp"

namespace weft::gvt {

namespace {

// The unwinder's own state is some kilobytes, and a handler that we pass a fault to wants some too.
constexpr std::size_t kSignalStackBytes = 64 * 1024;
constexpr std::size_t kInnermostShown = 50;
constexpr std::size_t kOutermostShown = 10;
// A walk that goes astray must come to an end.
constexpr std::size_t kFramesMax = std::size_t{1} << 22;

thread_local const OverflowReporter* t_reporter = nullptr;

// What signals do is the process's own, and so is what they did before: the one thing here that
// cannot belong to an object.
struct PreviousActions {
  struct sigaction segv = {};
  struct sigaction bus = {};

  struct sigaction& of(int signal_number) noexcept { return signal_number == SIGBUS ? bus : segv; }
};
constinit PreviousActions previous_actions;
constinit std::atomic_flag reporting;

std::size_t page_size() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// Text for standard error out of a signal handler: nothing is allocated, and a line goes out in one
// write.
class SignalSafeLine {
 public:
  SignalSafeLine() = default;
  ~SignalSafeLine() {
    *this << "\n";
    std::size_t at = 0;
    while (at < used_) {
      const auto wrote = ::write(STDERR_FILENO, text_.data() + at, used_ - at);
      if (wrote < 0 && errno != EINTR) return;
      if (wrote > 0) at += static_cast<std::size_t>(wrote);
    }
  }
  SignalSafeLine(const SignalSafeLine&) = delete;
  SignalSafeLine& operator=(const SignalSafeLine&) = delete;

  SignalSafeLine& operator<<(std::string_view text) noexcept {
    const std::size_t bytes = std::min(text.size(), text_.size() - used_);
    std::copy_n(text.data(), bytes, text_.data() + used_);
    used_ += bytes;
    return *this;
  }
  SignalSafeLine& number(std::uint64_t value, unsigned base = 10) noexcept {
    std::array<char, 20> digits;
    std::size_t first = digits.size();
    do {
      digits[--first] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    return *this << std::string_view(digits.data() + first, digits.size() - first);
  }

 private:
  std::array<char, 1024> text_;
  std::size_t used_ = 0;
};

// The calls that were going on when the signal came: the innermost and the outermost.
class InterruptedCalls {
 public:
  InterruptedCalls() noexcept { ::_Unwind_Backtrace(&InterruptedCalls::visit, this); }

  void print() const noexcept {
    const std::size_t innermost = std::min(count_, kInnermostShown);
    for (std::size_t i = 0; i < innermost; ++i) print_call(i, innermost_[i]);
    const std::size_t outermost = std::min(count_ - innermost, kOutermostShown);
    if (innermost + outermost < count_) {
      SignalSafeLine line;
      line << "  (";
      line.number(count_ - innermost - outermost) << " calls between)";
    }
    for (std::size_t i = count_ - outermost; i < count_; ++i) {
      print_call(i, outermost_[i % kOutermostShown]);
    }
  }

 private:
  static _Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) noexcept {
    auto& self = *static_cast<InterruptedCalls*>(argument);
    int interrupted = 0;
    std::uintptr_t address = ::_Unwind_GetIPInfo(context, &interrupted);
    // The handler's own calls come first, up to the one that the signal interrupted.
    self.begun_ = self.begun_ || interrupted != 0;
    if (!self.begun_) return _URC_NO_REASON;
    if (address == 0 || self.count_ == kFramesMax) return _URC_END_OF_STACK;
    // A return address may already be the next function's.
    if (interrupted == 0) --address;
    if (self.count_ < kInnermostShown) self.innermost_[self.count_] = address;
    self.outermost_[self.count_ % kOutermostShown] = address;
    ++self.count_;
    return _URC_NO_REASON;
  }

  static void print_call(std::size_t index, std::uintptr_t address) noexcept {
    SignalSafeLine line;
    line << "  #";
    line.number(index) << " 0x";
    line.number(address, 16);
    Dl_info info;
    if (::dladdr(reinterpret_cast<void*>(address), &info) == 0) return;
    if (info.dli_sname != nullptr) {
      line << " " << info.dli_sname << "+0x";
      line.number(address - reinterpret_cast<std::uintptr_t>(info.dli_saddr), 16);
    }
    line << " (" << info.dli_fname << "+0x";
    line.number(address - reinterpret_cast<std::uintptr_t>(info.dli_fbase), 16) << ")";
  }

  std::size_t count_ = 0;
  bool begun_ = false;
  std::array<std::uintptr_t, kInnermostShown> innermost_;
  std::array<std::uintptr_t, kOutermostShown> outermost_;
};

void report(const OverflowedStack& stack) noexcept {
  {
    SignalSafeLine line;
    line << "weft: stack overflow: green thread";
    if (stack.id != 0) (line << " ").number(stack.id);
    if (!stack.name.empty()) line << " \"" << stack.name << "\"";
    line << " has used all ";
    line.number(stack.stack_bytes) << " bytes of its stack";
  }
  SignalSafeLine()
      << "weft: give spawn a larger stack_bytes, or go less deep. The calls, innermost "
         "first (addr2line -Cfpe FILE OFFSET names them):";
  InterruptedCalls().print();
}

void restore_default(int signal_number) noexcept {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal_number, &action, nullptr);
}

// As the kernel would have it without us. Returning runs the faulting instruction again.
void pass_on(int signal_number, siginfo_t* info, void* context) noexcept {
  struct sigaction& previous = previous_actions.of(signal_number);
  const struct sigaction action = previous;
  const bool was_sent = info->si_code <= 0;
  const bool takes_info = (action.sa_flags & SA_SIGINFO) != 0;
  if (!takes_info && action.sa_handler == SIG_IGN && was_sent) return;
  if (!takes_info && (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) {
    restore_default(signal_number);
    if (was_sent) ::raise(signal_number);
    return;
  }
  if ((action.sa_flags & SA_RESETHAND) != 0) {
    previous = {};
    previous.sa_handler = SIG_DFL;
  }
  // What was blocked before is put back when our handler returns.
  ::pthread_sigmask(SIG_BLOCK, &action.sa_mask, nullptr);
  if ((action.sa_flags & SA_NODEFER) != 0) {
    sigset_t own;
    ::sigemptyset(&own);
    ::sigaddset(&own, signal_number);
    ::pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
  }
  if (takes_info) {
    action.sa_sigaction(signal_number, info, context);
  } else {
    action.sa_handler(signal_number);
  }
}

void handle_fault(int signal_number, siginfo_t* info, void* context) noexcept {
  const int saved_errno = errno;
  OverflowedStack stack;
  if (info->si_code > 0 && t_reporter != nullptr && t_reporter->describes(info->si_addr, stack)) {
    // Two at once: the second waits for the process to die of the first.
    while (reporting.test_and_set()) ::pause();
    report(stack);
    restore_default(signal_number);
  } else {
    pass_on(signal_number, info, context);
  }
  errno = saved_errno;
}

bool install_handler() noexcept {
  struct sigaction action = {};
  action.sa_sigaction = &handle_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  for (const int signal_number : {SIGSEGV, SIGBUS}) {
    // Known before the handler can run, which may be at once.
    ::sigaction(signal_number, nullptr, &previous_actions.of(signal_number));
    ::sigaction(signal_number, &action, nullptr);
  }
  // The unwinder prepares itself, and the linker its calls, when first used.
  InterruptedCalls();
  return true;
}

}  // namespace

AlternateSignalStack::AlternateSignalStack() noexcept {
  // The sanitizers give each thread one, and take away again what they find.
  if (sanitizer::kEnabled) return;
  ::sigaltstack(nullptr, &previous_);
  if ((previous_.ss_flags & SS_DISABLE) == 0 && previous_.ss_size >= kSignalStackBytes) return;
  const std::size_t page = page_size();
  // What the kernel itself puts there grows with the processor's registers.
  const std::size_t wanted = kSignalStackBytes + ::getauxval(AT_MINSIGSTKSZ);
  const std::size_t bytes = (wanted + page - 1) / page * page + page;
  void* mapping = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  // Without one an overflow goes unexplained: no reason not to run.
  if (mapping == MAP_FAILED) return;
  ::mprotect(mapping, page, PROT_NONE);
  stack_t stack = {};
  stack.ss_sp = static_cast<char*>(mapping) + page;
  stack.ss_size = bytes - page;
  if (::sigaltstack(&stack, nullptr) != 0) {
    ::munmap(mapping, bytes);
    return;
  }
  mapping_ = mapping;
  bytes_ = bytes;
}

AlternateSignalStack::~AlternateSignalStack() {
  if (mapping_ == nullptr) return;
  stack_t present = {};
  ::sigaltstack(nullptr, &present);
  // Whoever has set another since then keeps it.
  if (present.ss_sp == static_cast<char*>(mapping_) + page_size()) {
    ::sigaltstack(&previous_, nullptr);
  }
  ::munmap(mapping_, bytes_);
}

OverflowWatch::OverflowWatch(const OverflowReporter& reporter) noexcept : previous_(t_reporter) {
  if (sanitizer::kEnabled) return;
  [[maybe_unused]] static const bool installed = install_handler();
  t_reporter = &reporter;
}

OverflowWatch::~OverflowWatch() { t_reporter = previous_; }

}  // namespace weft::gvt
