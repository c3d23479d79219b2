#include "gvt/symbols.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

#include <charconv>
#include <cstdlib>

#include "gvt/debug_information.hpp"

namespace weft::gvt {

namespace {

std::string hexadecimal(std::uintptr_t number) {
  char digits[2 * sizeof number];
  const auto written = std::to_chars(digits, digits + sizeof digits, number, 16);
  return "0x" + std::string(digits, written.ptr);
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// What the dynamic linker knows: the module, and the function where that is exported.
Symbol dynamic_symbol(const void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0) return {.offset = reinterpret_cast<std::uintptr_t>(address)};
  const bool named = info.dli_sname != nullptr;
  const void* start = named ? info.dli_saddr : info.dli_fbase;
  return {.function = named ? demangle(info.dli_sname) : std::string(),
          .module = info.dli_fname != nullptr ? info.dli_fname : "",
          .offset =
              reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(start)};
}

}  // namespace

std::string demangle(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 && plain != nullptr ? plain.get() : name;
}

std::string Symbol::text() const {
  if (function.empty())
    return module.empty() ? hexadecimal(offset) : last_part(module) + "+" + hexadecimal(offset);
  if (line != 0) return function + " (" + file + ":" + std::to_string(line) + ")";
  return function + "+" + hexadecimal(offset) + " (" + last_part(module) + ")";
}

Symbolizer::Symbolizer() : debug_information_(DebugInformation::of_this_process()) {}

Symbolizer::~Symbolizer() = default;

std::vector<Symbol> Symbolizer::look_up(const void* address) {
  std::vector<Symbol> found = debug_information_->look_up(address);
  if (found.empty()) found.push_back(dynamic_symbol(address));
  return found;
}

bool Symbolizer::has_debug_information(const void* address) {
  return debug_information_->has(address);
}

std::string Symbolizer::describe(std::span<void* const> addresses) {
  std::string text;
  int number = 0;
  for (const void* address : addresses)
    for (const Symbol& symbol : look_up(address))
      text += "#" + std::to_string(number++) + " " + symbol.text() + "\n";
  return text;
}

}  // namespace weft::gvt
