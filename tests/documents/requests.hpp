// What the fragments of docs/requests.md take for granted, so that they can be compiled.
#pragma once

#include <string>
#include <weft/weft.hpp>

struct NewUser {
  std::string name;
  int age = 0;
  std::string mail;
};

inline const weft::Channel<std::string> channel;
inline const std::string id = "7";
