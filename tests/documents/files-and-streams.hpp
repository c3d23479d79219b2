// What the fragments of docs/files-and-streams.md take for granted, so that they can be compiled.
#pragma once

#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>
#include <weft/weft.hpp>

inline const weft::FileRoot root = weft::FileRoot::open(".").value();
inline weft::Client client;

struct Cursor {
  bool next() { return --left > 0; }
  int id() const { return left; }
  double total() const { return left; }
  int left = 3;
};
inline Cursor all_orders() { return {}; }
