// Values: what middleware and handlers of one request hand to each other, by type or by name.
//
// A value is kept until the request has ended. Belongs to the request; one green thread at a time.
#pragma once

#include <any>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace weft {

class Values {
 public:
  // Keeps a value under its type and `name`, in place of one that was there; returns it.
  template <class T>
  T& set(std::string_view name, T value) {
    for (Entry& entry : entries_) {
      if (entry.name == name && std::any_cast<T>(&entry.value) != nullptr) {
        return entry.value.emplace<T>(std::move(value));
      }
    }
    return entries_.emplace_back(Entry{std::string(name), {}}).value.emplace<T>(std::move(value));
  }

  // The value of that type and name, or null.
  template <class T>
  T* get(std::string_view name) noexcept {
    for (Entry& entry : entries_) {
      if (entry.name != name) continue;
      if (T* const value = std::any_cast<T>(&entry.value)) return value;
    }
    return nullptr;
  }

 private:
  struct Entry {
    std::string name;
    std::any value;
  };
  std::deque<Entry> entries_;  // a deque: others hold the addresses of what is in it
};

}  // namespace weft
