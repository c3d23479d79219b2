// Tests an application without a port: its handlers, its middleware and what it does with mistakes.
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

namespace {

int failures = 0;

void expect(bool holds, const char* claim) {
  std::printf("%s: %s\n", holds ? "ok" : "FAILED", claim);
  if (!holds) ++failures;
}

// What a program would give to listen().
void add_routes(weft::App& app) {
  app.use([](weft::Context& c, weft::Next& next) {
    if (c.header("x-key") != "secret") c.abort(401, "a key is needed\n");
    next();
  });
  app.post("/users", [](weft::Context& c) {
    const weft::JsonDocument body = c.json_body();
    c.status(201).json({{"hello", body.root()["name"].as_string()}});
  });
  app.get("/numbers", [](weft::Context& c) {
    auto out = c.stream("text/plain");
    for (int i = 1; i <= 3; ++i) out.write(std::to_string(i) + "\n");
  });
  app.get("/broken", [](weft::Context&) { throw std::runtime_error("the disk is full"); });
}

}  // namespace

int main() {
  weft::App app;
  add_routes(app);

  weft::TestClient stranger(app);
  expect(stranger.get("/numbers").status() == 401, "who has no key is refused");

  weft::TestClientOptions options;
  options.headers = {{"X-Key", "secret"}};
  weft::TestClient client(app, options);

  const auto made = client.post_json("/users", {{"name", "Ada"}});
  expect(made.status() == 201, "a user is made");
  expect(made.json()["hello"].as_string() == "Ada", "and greeted by name");
  expect(client.post("/users", "{", "application/json").status() == 400, "broken JSON is refused");
  expect(client.get("/numbers").body() == "1\n2\n3\n", "a stream is seen whole");

  const auto broken = client.get("/broken");
  expect(broken.status() == 500, "what a handler throws is answered with 500");
  expect(broken.error() == "the disk is full", "and the test is told what it was");
  return failures == 0 ? 0 : 1;
}
