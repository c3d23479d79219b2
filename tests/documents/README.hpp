// What the fragments of README.md take for granted, so that they can be compiled.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

inline void show(weft::Context&) {}
inline void list(weft::Context&) {}
inline void create(weft::Context&) {}
inline void file(weft::Context&) {}
inline void hook(weft::Context&) {}
inline void drop(weft::Context&) {}

inline void log(std::string_view, int) {}
inline void require_key(weft::Context&, weft::Next& next) { next(); }

struct NewUser {
  std::string name;
};

template <>
struct weft::Schema<NewUser> {
  static constexpr auto fields = weft::fields(weft::field("name", &NewUser::name));
};

struct Store {
  NewUser add(const NewUser& user) { return user; }
};

inline std::string left, middle, right;
inline std::string fetch(std::string_view name, std::chrono::nanoseconds) {
  return std::string(name);
}
