#include "ksvc/reactor/reactor_door.hpp"

#include <thread>

namespace weft::ksvc {

void ReactorDoor::push_when_there_is_room(const ReactorRequest& request) noexcept {
  do {
    gate_.ring();
    std::this_thread::yield();
  } while (!queue_.push(request));
}

std::shared_ptr<ReactorClient> ReactorDoor::admit() {
  std::shared_ptr<ReactorClient> client;
  {
    const std::lock_guard lock(mutex_);
    std::size_t index = 0;
    while (index < kMostClients && taken_[index]) ++index;
    if (index == kMostClients) return nullptr;
    client = std::make_shared<ReactorClient>(static_cast<std::uint8_t>(index), completions_);
    taken_[index] = true;
  }
  ReactorRequest request;
  request.operation = JoinReactor{client.get()};
  request.tag.client = client->index;
  push(request);
  return client;
}

void ReactorDoor::dismiss(const ReactorClient& client) noexcept {
  const std::lock_guard lock(mutex_);
  taken_[client.index] = false;
}

}  // namespace weft::ksvc
