// SharedReactorBuffers: a worker's view of the receive blocks that belong to a reactor.
//
// The blocks, their numbers and their generations are those of the reactor's own provider, which
// the reactor's thread alone may touch. A lease that comes with a completion is checked off here;
// to release or to detach one is checked here too, and goes to the reactor as a request at once, so
// that the reactor finds the block when it next runs short of blocks. Only when the reactor's queue
// is full does it wait for the end of the turn. Borrowed memory is the worker's own. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "ksvc/buffers/heap_buffers.hpp"
#include "ksvc/core/buffer_provider.hpp"
#include "ksvc/reactor/reactor_door.hpp"

namespace weft::ksvc {

class SharedReactorBuffers {
 public:
  SharedReactorBuffers(ReactorDoor& door, const ReactorClient& client,
                       const BufferOptions& options);

  void release(BufferLease& lease) noexcept;
  // Throws std::bad_alloc, changing nothing. The memory that takes the block's place is found when
  // the reactor gets to it.
  void detach(BufferLease& lease);
  BufferLease borrow() { return own_.borrow(); }

  std::uint32_t block_bytes() const noexcept { return own_.block_bytes(); }
  // Those that this worker has.
  std::size_t lent() const noexcept { return lent_; }
  // Those that nobody has, as far as is known here: what other workers have is as of the reactor's
  // last turn.
  std::size_t available() const noexcept;
  static const char* name() noexcept { return "a reactor's blocks"; }

  // For the back end. A lease has come.
  void arrived(const BufferLease& lease);
  // Passes on what waits, and says how many requests were passed on since the last time.
  std::uint32_t flush() noexcept;
  // Everything goes back.
  void release_all();

 private:
  // No lease has this number: it says that the reactor keeps its memory without one.
  static constexpr std::uint16_t kDetachedThere = kDetachedBlock - 1;

  struct Held {
    char* data = nullptr;
    std::uint16_t generation = 0;
  };

  // So that to give back what there is never needs memory.
  void make_room_for_returns();
  void give_back(const ReactorOperation& operation) noexcept;

  ReactorDoor& door_;
  const ReactorClient& client_;
  std::vector<Held> held_;  // by the block's number
  std::size_t lent_ = 0;
  std::unordered_map<char*, std::uint16_t> detached_;  // by memory, with our generation
  std::uint16_t last_generation_ = 0;
  std::vector<ReactorOperation> waiting_;
  std::uint32_t passed_on_ = 0;
  HeapBuffers own_;
};

static_assert(BufferProvider<SharedReactorBuffers>);

}  // namespace weft::ksvc
