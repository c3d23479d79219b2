// A server and a client in one program: requests at once, a body that is written and read piece by
// piece, and an error with its reason.
#include <cstdio>
#include <string>
#include <weft/weft.hpp>

namespace {

void ask_at_once(weft::Client& client) {
  std::string answers[3];
  weft::scope([&](weft::Scope& scope) {
    for (int i = 0; i < 3; ++i) {
      scope.spawn([&, i] {
        const auto answer = client.get("/users/" + std::to_string(i));
        answers[i] = answer ? answer->body() : answer.error().message();
      });
    }
  });
  for (const std::string& answer : answers) std::printf("%s\n", answer.c_str());
}

void upload(weft::Client& client) {
  weft::ClientRequest request;
  request.method = "POST";
  request.url = "/length";
  request.body_of_unknown_length = true;
  auto exchange = client.stream(request);
  if (!exchange) return;
  for (int i = 0; i < 10; ++i) {
    if (!exchange->write("ten bytes\n")) break;
  }
  if (!exchange->finish()) return;
  std::string body;
  for (auto part = exchange->read(); part && !part->empty(); part = exchange->read()) {
    body += *part;
  }
  std::printf("the server counted %s bytes\n", body.c_str());
}

}  // namespace

int main() {
  weft::App app;
  app.get("/users/:id", [](weft::Context& c) { c.text("user" + std::string(c.param("id"))); });
  app.post("/length", [](weft::Context& c) { c.text(std::to_string(c.body().size())); });
  weft::Options options;
  options.port = 0;
  options.quiet = true;
  app.start(options);

  weft::run([&] {
    weft::Client client({.base_url = "http://127.0.0.1:" + std::to_string(app.port())});
    ask_at_once(client);
    upload(client);
    const auto refused = client.get("https://127.0.0.1/");
    if (!refused) std::printf("%s\n", refused.error().message().c_str());
  });
}
