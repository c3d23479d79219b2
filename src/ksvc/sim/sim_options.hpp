// SimOptions: what a simulated world is like, and how often each fault strikes in it.
//
// Plain data. Faults are chances in a thousand; 0 is never, 1000 is always.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace weft::ksvc {

struct SimFaults {
  // Completions.
  unsigned reorder = 0;        // one comes after others that were due later
  unsigned error = 0;          // an operation ends with any errno it may end with
  unsigned early_end = 0;      // a multishot operation ends with a good result
  unsigned spurious_wake = 0;  // a wait ends with nothing
  unsigned interrupt = 0;      // a wait ends early
  unsigned partial_drain = 0;  // a drain leaves some of what is there
  unsigned late_cancel = 0;    // a cancel is looked at when its target may be gone
  unsigned already = 0;        // a cancel finds its target under way, which ends a little later
  unsigned late_notice = 0;    // the memory of a zero-copy send is kept for long
  unsigned busy = 0;           // an entry into the kernel takes only some of what was submitted
  // Data.
  unsigned short_read = 0;
  unsigned short_write = 0;  // a Send goes out in pieces, with pauses
  unsigned again = 0;        // a SendNow finds no room although there is some
  unsigned no_buffers = 0;   // ENOBUFS although there are some
  // The network.
  unsigned delay = 0;         // a segment takes long
  unsigned reset = 0;         // a segment is answered with a reset
  unsigned accept_error = 0;  // EMFILE, ENFILE, ENOMEM, ECONNABORTED
};

struct SimOptions {
  SimFaults faults;
  unsigned most_descriptors = 4096;               // EMFILE beyond
  std::uint32_t socket_buffer_bytes = 64 * 1024;  // between two ends, per direction
  std::uint32_t segment_bytes = 1448;             // at most
  unsigned cut = 500;                             // segments that end early, in a thousand
  std::chrono::nanoseconds latency{20'000};       // of the network, at most; varies
  std::chrono::nanoseconds turn_time{5'000};      // of the program between two entries, at most
  std::chrono::seconds wall_start{1'700'000'000};
  std::string replay;       // how to run this again, shown with a failure
  bool keep_trace = false;  // as text, beside its hash
};

}  // namespace weft::ksvc
