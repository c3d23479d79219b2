// The socket calls that a back end makes at once, without waiting: what they do is short, and the
// kernel offers no operation for them or a slower one. Safe from any thread.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string_view>

namespace weft::ksvc {

// From now on drops the SYNs of new clients, which then try again until the listener is closed and
// they are refused; handshakes under way go on. So no client is accepted and then reset.
void refuse_new_connections(int listener_fd) noexcept;

// What the descriptor cannot do at once then fails with EAGAIN.
void make_nonblocking(int fd) noexcept;

// Closing the TCP socket throws away what was not sent yet, and resets the connection.
void reset_when_closed(int fd) noexcept;

// When nothing has come on the TCP socket for this long, in whole seconds, the kernel asks whether
// the peer is still there, and four times more at a quarter of it; then the connection is broken.
// Zero: it is left as it is.
void ask_when_silent(int fd, std::chrono::milliseconds silence) noexcept;

// Sends what there is room for: the count, or a negative errno. With `more`, what follows at once
// may share a segment with it. Raises no signal.
std::int64_t send_at_once(int socket, std::string_view bytes, bool more) noexcept;

// Holds back the signal that sending a file on a broken connection raises in this thread, for the
// call has no flag against it. As long as there is one of it, and not for good: a process that is
// started meanwhile would inherit that.
class PipeSignalHeld {
 public:
  PipeSignalHeld() noexcept;
  ~PipeSignalHeld();
  PipeSignalHeld(const PipeSignalHeld&) = delete;
  PipeSignalHeld& operator=(const PipeSignalHeld&) = delete;

 private:
  sigset_t before_;
};

// Sends bytes of the file, as many as the socket has room for at once if it does not block: their
// count, 0 at the end of the file, or a negative errno. Raises the signal that is held.
std::int64_t send_file(int socket, int file, std::uint64_t offset, std::uint32_t size,
                       const PipeSignalHeld& held = PipeSignalHeld()) noexcept;

// Whether the file is one of a file system that is nowhere but in memory (tmpfs).
bool is_kept_in_memory(int file) noexcept;

// Whether these bytes of the file can be had without waiting for a disk, as far as the first and
// the last of them tell. Of a file that does not say, as on a network's, an overlay's and a user's
// file system, only when it is kept in memory.
bool is_in_memory(int file, std::uint64_t offset, std::uint32_t size) noexcept;

}  // namespace weft::ksvc
