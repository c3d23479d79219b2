// What the fragments of docs/testing.md take for granted, so that they can be compiled.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <weft/test_client.hpp>
#include <weft/weft.hpp>

inline void add_routes(weft::App&) {}
inline weft::Middleware require_key(std::string_view) {
  return [](weft::Context&, weft::Next& next) { next(); };
}
inline void take(std::string_view) {}

struct User {
  std::string name;
};
template <>
struct weft::Schema<User> {
  static constexpr auto fields = weft::fields(weft::field("name", &User::name));
};
inline const User user{"Ada"};

inline weft::App the_app;
inline weft::TestClientOptions options;
inline weft::TestClient client(the_app);
inline const std::string bytes;
