// What the fragments of docs/middleware-security.md take for granted, so that they can be compiled.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <weft/weft.hpp>

inline const std::string key, session_key, csrf_key, billing_key, hash;

inline std::optional<weft::Identity> find_token(weft::Context&, std::string_view) {
  return std::nullopt;
}
struct Tokens {
  std::optional<weft::Identity> find(std::string_view) { return std::nullopt; }
};
inline Tokens tokens;

struct User {
  int id = 0;
};
struct Users {
  std::optional<User> check(std::string_view, std::string_view) { return std::nullopt; }
};
inline Users users;

inline void pay(weft::Context&) {}
inline void login(weft::Context&) {}
inline void make_report(weft::Context&) {}
inline std::string account_of(weft::Context&) { return {}; }
