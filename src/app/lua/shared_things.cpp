#include "app/lua/shared_things.hpp"

#include <stdexcept>

namespace weft::app::lua {

namespace {

template <class Map>
void require_room(const Map& map, const char* what) {
  if (map.size() < SharedThings::kMostNames) return;
  throw std::length_error("there are " + std::to_string(SharedThings::kMostNames) + " " + what +
                          " already: name them by what they are for, and not by what comes from a "
                          "client");
}

}  // namespace

exec::SharedDictionary& SharedThings::dictionary(std::string_view name) {
  const std::lock_guard lock(mutex_);
  auto found = dictionaries_.find(name);
  if (found == dictionaries_.end()) {
    require_room(dictionaries_, "dictionaries");
    found =
        dictionaries_
            .emplace(std::string(name), std::make_unique<exec::SharedDictionary>(dictionary_bytes_))
            .first;
  }
  return *found->second;
}

ValueChannel SharedThings::channel(std::string_view name, std::size_t capacity) {
  const std::lock_guard lock(mutex_);
  auto found = channels_.find(name);
  if (found == channels_.end()) {
    require_room(channels_, "channels");
    found = channels_.emplace(std::string(name), ValueChannel(capacity)).first;
  }
  if (found->second.capacity() == capacity) return found->second;
  throw std::invalid_argument("the channel '" + std::string(name) + "' has a capacity of " +
                              std::to_string(found->second.capacity()) + " already");
}

}  // namespace weft::app::lua
