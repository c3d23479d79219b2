// What the fragments of docs/templates.md take for granted, so that they can be compiled.
#pragma once

#include <string>
#include <weft/weft.hpp>

struct User {
  std::string name;
};

template <>
struct weft::Schema<User> {
  static constexpr auto fields = weft::fields(weft::field("name", &User::name));
};

inline const weft::Templates views("views");
inline const User user;
