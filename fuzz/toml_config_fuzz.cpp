// Configuration files: whatever the bytes are, they are read or refused with mistakes that have a
// place in them; and what was read is printed as a file that is read as the same.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "app/configuration.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft::app;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Configuration read{weft::Options()};
  read.read_text(text, "fuzzed");
  if (read.mistakes().size() > kMostMistakes + 1) std::abort();
  for (const Mistake& mistake : read.mistakes()) {
    if (mistake.text.empty() || to_text(mistake).empty()) std::abort();
    // Below the last line at most.
    if (mistake.place.line > size + 1) std::abort();
  }
  if (!read.mistakes().empty()) return 0;
  const std::string printed = to_toml(read);
  Configuration again{weft::Options()};
  again.read_text(printed, "printed");
  if (!again.mistakes().empty()) std::abort();
  for (const Setting& setting : settings()) {
    if (setting.field.read(again.options()) != setting.field.read(read.options())) std::abort();
  }
  return 0;
}
