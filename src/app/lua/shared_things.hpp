// SharedThings: what all states of a script have together, and what outlives a reload: its
// dictionaries, its named channels and its HTTP client.
//
// Any thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "exec/shared_dictionary.hpp"
#include "exec/value.hpp"
#include "weft/channel.hpp"
#include "weft/client.hpp"

namespace weft::app::lua {

using ValueChannel = Channel<exec::Value>;

class SharedThings {
 public:
  // So many of each kind: names are the script's own, and not a client's.
  static constexpr std::size_t kMostNames = 1024;

  explicit SharedThings(std::size_t dictionary_bytes) : dictionary_bytes_(dictionary_bytes) {}

  // The one of that name, made when there is none. Throws std::length_error.
  exec::SharedDictionary& dictionary(std::string_view name);
  // Throws std::invalid_argument when it is there with another capacity.
  ValueChannel channel(std::string_view name, std::size_t capacity);
  Client& client() noexcept { return client_; }

 private:
  std::size_t dictionary_bytes_;
  Client client_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::unique_ptr<exec::SharedDictionary>, std::less<>> dictionaries_;
  std::map<std::string, ValueChannel, std::less<>> channels_;
};

}  // namespace weft::app::lua
