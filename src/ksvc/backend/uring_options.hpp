// UringOptions: what an io_uring back end makes use of, as a template argument; each goes with any.
//
// Constants only; safe from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace weft::ksvc {

struct UringOptions {
  bool sqpoll = false;           // a kernel thread takes what is submitted
  bool fixed_files = false;      // accepted sockets are slots of the ring's own table
  bool fixed_buffers = false;    // memory that is pinned once, for files and zero-copy sends
  bool multishot_accept = true;  // the kernel keeps a multishot accept armed, instead of us
  bool zero_copy_send = false;   // SendZeroCopy does not copy, where the socket can do so
  friend constexpr bool operator==(const UringOptions&, const UringOptions&) = default;
};

// "io_uring", and what differs from the default options.
struct UringName {
  std::array<char, 96> text{};
  std::size_t size = 0;

  constexpr explicit UringName(UringOptions options) {
    add("io_uring");
    if (options.sqpoll) add("+sqpoll");
    if (options.fixed_files) add("+fixed_files");
    if (options.fixed_buffers) add("+fixed_buffers");
    if (!options.multishot_accept) add("+single_accept");
    if (options.zero_copy_send) add("+zero_copy_send");
  }

 private:
  constexpr void add(std::string_view word) {
    for (const char letter : word) text[size++] = letter;
  }
};

}  // namespace weft::ksvc
