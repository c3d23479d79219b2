#include "cli/new_project.hpp"

#include <array>

namespace weft::cli {
namespace {

constexpr std::string_view kCMake = R"(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES CXX)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

find_package(weft REQUIRED)

# The routes are apart from main(), so that the tests have them, too.
add_library(@NAME@_routes STATIC src/routes.cpp)
target_include_directories(@NAME@_routes PUBLIC src)
target_link_libraries(@NAME@_routes PUBLIC weft::weft)

add_executable(@NAME@ src/main.cpp)
target_link_libraries(@NAME@ PRIVATE @NAME@_routes)

enable_testing()
add_executable(@NAME@_test tests/routes_test.cpp)
target_link_libraries(@NAME@_test PRIVATE @NAME@_routes)
add_test(NAME routes COMMAND @NAME@_test)
)";

constexpr std::string_view kMain = R"(#include <weft/weft.hpp>

#include "routes.hpp"

int main(int argc, char** argv) {
  weft::App app;
  add_routes(app);
  return app.run(weft::Options::from_arguments(argc, argv));
}
)";

constexpr std::string_view kRoutesHeader = R"(// What the server answers.
#pragma once

#include <weft/app.hpp>

void add_routes(weft::App& app);
)";

constexpr std::string_view kRoutes = R"(#include "routes.hpp"

#include <weft/weft.hpp>

void add_routes(weft::App& app) {
  app.get("/", [](weft::Context& c) { c.text("Hello from @NAME@!\n"); });

  app.get("/hello/{name}", [](weft::Context& c) { c.json({{"hello", c.param("name")}}); });
}
)";

constexpr std::string_view kTest = R"(// Asks the application, in this process and without a port.
#include <cstdio>
#include <string>

#include <weft/weft.hpp>

#include "routes.hpp"

namespace {

int failures = 0;

void expect(const weft::TestResponse& answer, int status, const std::string& body) {
  if (answer.status() == status && answer.body() == body) return;
  std::fprintf(stderr, "%s: expected %d %s\nbut got %d %s\n%s\n", answer.target().c_str(), status,
               body.c_str(), answer.status(), answer.body().c_str(), answer.error().c_str());
  ++failures;
}

}  // namespace

int main() {
  weft::App app;
  add_routes(app);
  weft::TestClient client(app);

  expect(client.get("/"), 200, "Hello from @NAME@!\n");
  expect(client.get("/hello/you"), 200, "{\"hello\":\"you\"}");
  expect(client.get("/nowhere"), 404, "Not Found\n");

  return failures == 0 ? 0 : 1;
}
)";

constexpr std::string_view kConfig =
    R"(# The configuration of @NAME@: build/@NAME@ --config weft.toml
#
# `weft check weft.toml` finds mistakes, `weft config --config weft.toml` prints every setting.
# Variables of the environment (WEFT_PORT) and flags (--port) override what stands here.

[server]
host = "127.0.0.1"
port = 8080
workers = 0  # one per processor

[limits]
max_body = "1MiB"
request_timeout = "30s"
)";

constexpr std::string_view kReadme = R"(# @NAME@

A server made with weft.

    cmake -B build
    cmake --build build
    ctest --test-dir build --output-on-failure
    build/@NAME@ --config weft.toml

If weft is installed in a place of its own, add `-DCMAKE_PREFIX_PATH=/that/place` to the first line.

- `src/routes.cpp` has what it answers, `tests/routes_test.cpp` asks for it.
- `weft.toml` has its configuration; `build/@NAME@ --help` lists what can be set.
)";

constexpr std::string_view kIgnore = "/build/\n";

constexpr std::array<ProjectFile, 8> kFiles{{
    {"CMakeLists.txt", kCMake},
    {"src/main.cpp", kMain},
    {"src/routes.hpp", kRoutesHeader},
    {"src/routes.cpp", kRoutes},
    {"tests/routes_test.cpp", kTest},
    {"weft.toml", kConfig},
    {"README.md", kReadme},
    {".gitignore", kIgnore},
}};

}  // namespace

std::span<const ProjectFile> project_files() { return kFiles; }

}  // namespace weft::cli
