// A small number for each thread that is alive, for tables by thread.
//
// Invariants: no two threads that are alive have the same; one that begins when another has ended
// may get that one's, and sees all that the other did. Any thread.
#pragma once

namespace weft::app {

// Beyond those that a server has workers and a program has threads of its own; who comes later gets
// this number, and so do all such threads, and one that is ending.
inline constexpr unsigned kMostThreadNumbers = 256;

// Never inlined, since a thread's variable is behind it.
unsigned thread_number() noexcept;

}  // namespace weft::app
