// Symbolizer: what an address of code is called, "function (file:line)" where debug information
// says so, "function+0x1f (module)" or "module+0x1234" where it does not.
//
// Meant for reports that somebody asked for, never for a hot path: the first look at a module reads
// its debug information, which takes milliseconds and memory that the Symbolizer keeps. Debug
// information comes from the module's own file or from what is installed beside it, never over a
// network. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft::gvt {

class DebugInformation;

// One function that an address stands in. What is not known is empty, or zero.
struct Symbol {
  std::string function;  // demangled
  std::string file;      // of the source, as the compiler was told
  unsigned line = 0;
  std::string module;         // the program's or library's file
  std::uintptr_t offset = 0;  // from the function's start or, without a function, the module's
  bool inlined = false;       // into the next of the same address

  std::string text() const;
};

class Symbolizer {
 public:
  Symbolizer();
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // The functions that `address` stands in, as gvt/backtrace.hpp gives addresses: the one that it
  // belongs to last, those inlined into it before. Never empty.
  std::vector<Symbol> look_up(const void* address);

  // Whether the module that `address` is in has debug information that this build can read.
  bool has_debug_information(const void* address);

  // A line for each of these: "#0 function (file:line)\n".
  std::string describe(std::span<void* const> addresses);

 private:
  std::unique_ptr<DebugInformation> debug_information_;
};

// The name that people know a linker's symbol by.
std::string demangle(const char* name);

}  // namespace weft::gvt
