// SharedPageReader: another process's shared page, mapped for reading only.
//
// The writer is not slowed down or even told. Everything read is a number or a bounded text, so a
// damaged file gives wrong values and no worse; but whoever may write the file can also shorten it
// under a reader, who then gets SIGBUS: read the pages of users you trust. A file whose magic,
// version, size or layout is not this program's is refused with a sentence. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ksvc/core/shared_page.hpp"
#include "ksvc/page/page_layout.hpp"

namespace weft::ksvc {

struct OpenedPage;

class SharedPageReader {
 public:
  static OpenedPage open(const std::string& path);
  SharedPageReader(SharedPageReader&& other) noexcept;
  SharedPageReader& operator=(SharedPageReader&&) = delete;
  ~SharedPageReader();

  // Nothing when the process died while it was writing them; then they can never be read. A living
  // one that was interrupted there is waited for, a second or more.
  std::optional<FactValues> facts() const noexcept;
  std::optional<ProcessIdentity> identity() const noexcept;
  std::uint64_t fact(Fact fact) const noexcept;
  std::string_view text(Text text) const noexcept;
  std::uint32_t workers() const noexcept;
  CounterValues counters(std::uint32_t worker) const noexcept;
  CounterValues totals() const noexcept;
  // Whether the process that made the page still runs on this machine, in this boot.
  bool process_is_alive() const noexcept;

 private:
  explicit SharedPageReader(const PageFile* page) noexcept : page_(page) {}

  const PageFile* page_;
};

struct OpenedPage {
  std::optional<SharedPageReader> reader;
  std::string refusal;  // why not, as a sentence

  explicit operator bool() const noexcept { return reader.has_value(); }
};

}  // namespace weft::ksvc
