// The socket calls that a back end makes at once, without waiting: what they do is short, and the
// kernel offers no operation for them or a slower one. Safe from any thread.
#pragma once

namespace weft::ksvc {

// From now on drops the SYNs of new clients, which then try again until the listener is closed and
// they are refused; handshakes under way go on. So no client is accepted and then reset.
void refuse_new_connections(int listener_fd) noexcept;

// What the descriptor cannot do at once then fails with EAGAIN.
void make_nonblocking(int fd) noexcept;

// Closing the TCP socket throws away what was not sent yet, and resets the connection.
void reset_when_closed(int fd) noexcept;

}  // namespace weft::ksvc
