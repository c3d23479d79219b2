// Vm: a Lua 5.4 state and what runs in it; and Run, one call of a function, as a coroutine.
//
// Invariants: nothing parks while Lua is on the stack, which the scheduler checks; a function that
// has to wait yields what it waits for to its Run, which waits outside of Lua and resumes it. Every
// entry into Lua is protected. What is compiled is text. Threads: as ScriptVm says.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "exec/lua/lua_api.hpp"
#include "exec/lua/sources.hpp"
#include "exec/script_vm.hpp"
#include "exec/value.hpp"

namespace weft::exec::lua {

class Run;

struct VmOptions {
  // All that a state keeps. Thousands of requests at a time fit, and a script that gathers without
  // an end is stopped before the machine swaps.
  std::size_t memory_bytes = std::size_t{64} * 1024 * 1024;
  // CPU time between two waits. What computes for so long has held up all others of its worker for
  // as long; zero: no limit.
  std::chrono::milliseconds run_time{5'000};
  // Coroutines kept for the next calls. Each takes about a kilobyte.
  std::size_t idle_coroutines = 256;
  // Of what crosses.
  ValueLimits values;
  // Where `require` looks, and where texts are kept; null: there are no modules.
  std::shared_ptr<Sources> sources;
  // What print() says; any thread.
  std::function<void(const std::string& line)> print;
};

// What a script threw, as an exception; what() is the failure's text.
class ScriptError : public std::runtime_error {
 public:
  explicit ScriptError(ScriptFailure failure)
      : std::runtime_error(failure.text), failure_(std::move(failure)) {}
  const ScriptFailure& failure() const noexcept { return failure_; }

 private:
  ScriptFailure failure_;
};

class Vm {
 public:
  // A function that Lua would otherwise forget.
  class Function {
   public:
    Function() noexcept = default;
    Function(Vm& vm, int reference) noexcept : vm_(&vm), reference_(reference) {}
    Function(Function&& other) noexcept
        : vm_(std::exchange(other.vm_, nullptr)), reference_(other.reference_) {}
    Function& operator=(Function&& other) noexcept {
      std::swap(vm_, other.vm_);
      std::swap(reference_, other.reference_);
      return *this;
    }
    ~Function() {
      if (vm_ != nullptr) vm_->release(reference_);
    }
    explicit operator bool() const noexcept { return vm_ != nullptr; }
    int reference() const noexcept { return reference_; }

   private:
    Vm* vm_ = nullptr;
    int reference_ = LUA_NOREF;
  };

  // Throws std::bad_alloc when there is no memory for a state, ScriptError when the bound is too
  // small for one.
  explicit Vm(VmOptions options);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  // ---- As ScriptVm says

  // The text's result must be a function, else it is one that does nothing.
  ScriptResult<Function> load(const ScriptText& script);
  ScriptResult<Value> call(const Function& function, std::span<const Value> arguments);
  void collect() noexcept;
  std::size_t memory_bytes() const noexcept { return used_bytes_; }
  std::size_t running() const noexcept { return runs_; }

  // ---- For what is built on it

  static Vm& of(lua_State* state) noexcept { return **static_cast<Vm**>(lua_getextraspace(state)); }
  // Who owns this state; of the layers above.
  void* owner = nullptr;
  const VmOptions& options() const noexcept { return options_; }
  lua_State* main() noexcept { return main_; }
  // Calls a function of C, protected, outside of any run.
  std::optional<ScriptFailure> protect(lua_CFunction function, void* argument);
  // The run whose function is executed; null outside of one.
  Run* run() const noexcept { return run_; }
  // Takes a value off the stack; may raise an error.
  static int keep(lua_State* state) { return luaL_ref(state, LUA_REGISTRYINDEX); }
  void release(int reference) noexcept { luaL_unref(main_, LUA_REGISTRYINDEX, reference); }
  // Whether it has hit its bound and could not free a good part of it since: it is of no more use.
  bool is_exhausted() const noexcept { return exhausted_; }
  // Of a signal's handler on the thread that runs: the next instruction is an error.
  void expire() noexcept;
  // As expire(): it says where it is, and goes on.
  void tell() noexcept;
  // Whether what runs is ended when the task that called it is cancelled, also while it computes:
  // where others than the caller's own thread can cancel it.
  void end_with_task(bool ends) noexcept { ends_with_task_ = ends; }
  bool expired() const noexcept { return expired_; }

  // What a function of C++ threw, on its way to becoming an error of Lua's.
  void note(int status, std::string_view text) noexcept;
  const std::string& noted() const noexcept { return noted_; }
  // Raises it.
  static int raise_noted(lua_State* state);

 private:
  friend class Run;
  friend struct CoroutineFunctions;

  struct Coroutine {
    lua_State* state = nullptr;
    int reference = LUA_NOREF;
  };
  class Inside;

  static void* allocate(void* self, void* block, std::size_t had, std::size_t wanted) noexcept;
  static int make_coroutine(lua_State* state);
  Coroutine take_coroutine();
  void give_back(Coroutine coroutine) noexcept;
  void drop(Coroutine coroutine) noexcept;
  void after_shortage() noexcept;
  ScriptFailure failure_of(lua_State* state, int status);

  VmOptions options_;
  std::size_t used_bytes_ = 0;
  std::size_t bound_bytes_ = 0;
  lua_State* main_ = nullptr;
  lua_State* current_ = nullptr;  // whose instructions are executed
  Run* run_ = nullptr;
  std::size_t runs_ = 0;
  unsigned closing_ = 0;       // coroutines that are closed, within one another
  unsigned without_wait_ = 0;  // coroutines that were resumed where nothing may wait
  volatile bool expired_ = false;
  bool exhausted_ = false;
  bool ends_with_task_ = false;
  std::vector<Coroutine> idle_;
  Coroutine made_;
  int noted_status_ = 0;
  std::string noted_;
};

class Run {
 public:
  // In Lua: pushes the arguments, which are kept until the call has ended, and returns how many; or
  // what was waited for. May raise an error.
  using Push = int (*)(Run& run, lua_State* state);
  // In Lua, with the results on the stack.
  using Take = void (*)(Run& run, lua_State* state);
  // Outside of Lua: waits. The arguments of the function that waits are on `state`, from 1; they
  // are there for who pushes the results, too.
  using Perform = void (*)(Run& run, lua_State* state);

  // `object` is for the functions that are called.
  explicit Run(Vm& vm, void* object = nullptr, bool may_wait = true) noexcept
      : vm_(vm), object_(object), may_wait_(may_wait) {
    ++vm.runs_;
  }
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Runs a function to its end. Throws ScriptError; HttpError when the script asks for a status of
  // its own; and what ends the green thread. Once.
  void call(int function, Push push = nullptr, Take take = nullptr);

  Vm& vm() noexcept { return vm_; }
  void* object() const noexcept { return object_; }

  // What a function of C ends with that has to wait: `return Run::wait(...)`. What was waited for
  // is pushed by `push`.
  static int wait(lua_State* state, Perform perform, Push push);
  // Raises an error that says why nothing can be waited for here, if so; else the run.
  static Run& require(lua_State* state);

  // ---- What a wait leaves for who pushes its results

  std::string text;
  std::string_view view;
  std::int64_t integer = 0;
  bool flag = false;
  Value value;
  std::shared_ptr<void> kept;

 private:
  friend class Vm;
  friend struct CoroutineFunctions;

  static int enter(lua_State* state);
  static int leave(lua_State* state, int status, lua_KContext context);
  static int go_on(lua_State* state, int status, lua_KContext context);
  void perform();
  void note_failure(int status, const char* what);
  [[noreturn]] void fail(int status);

  Vm& vm_;
  void* object_;
  bool may_wait_;
  bool begun_ = false;
  bool short_of_memory_ = false;
  int given_ = 0;  // arguments, which stay below the function until it has ended
  Vm::Coroutine coroutine_;
  int function_ = LUA_NOREF;
  Push push_ = nullptr;
  Take take_ = nullptr;
  // The wait that is under way.
  Perform perform_ = nullptr;
  Push push_result_ = nullptr;
  lua_State* waiting_ = nullptr;
  bool failed_ = false;  // the wait threw, and it is noted
  // What the last wait that failed threw, and its text.
  int failed_status_ = 0;
  std::exception_ptr original_;
  std::string original_text_;
};

}  // namespace weft::exec::lua
