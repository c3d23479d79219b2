// What the fragments of docs/requests.md take for granted, so that they can be compiled.
#pragma once

#include <string>
#include <vector>
#include <weft/weft.hpp>

struct NewUser {
  std::string name;
  int age = 0;
  std::string mail;
};

struct Listed {
  int id = 0;
};
template <>
struct weft::Schema<Listed> {
  static constexpr auto fields = weft::fields(weft::field("id", &Listed::id));
};
inline const Listed user;
inline const std::vector<Listed> users;
inline const std::optional<int> next;

inline const weft::Channel<std::string> channel;
inline const std::string id = "7";
