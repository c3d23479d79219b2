// Users as JSON: made, listed, read, changed and removed; what a request may hold is said once.
//
//     users [--host 127.0.0.1] [--port 8080] [--workers 1] [--backend auto]
//     curl -d '{"name":"Ada","age":36}' -H 'Content-Type: application/json' 127.0.0.1:8080/users
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <weft/weft.hpp>

struct User {
  std::string id;
  std::string name;
  int age = 0;
  std::optional<std::string> mail;
};

template <>
struct weft::Schema<User> {
  static constexpr auto fields = weft::fields(weft::field("id", &User::id, weft::defaulted()),
                                              weft::field("name", &User::name, weft::length(1, 50)),
                                              weft::field("age", &User::age, weft::range(0, 150)),
                                              weft::field("mail", &User::mail, weft::email()));
};

int main(int argc, char** argv) {
  weft::Mutex mutex;                  // guards what follows
  std::map<std::string, User> users;  // by id
  int last = 0;

  const auto find = [&](weft::Context& c) {
    const auto found = users.find(std::string(c.param("id")));
    if (found == users.end()) throw weft::HttpError(404, "no such user\n");
    return found;
  };
  const auto locked = [&](auto handler) {
    return [&mutex, handler](weft::Context& c) {
      c.body();  // not to wait for it below
      const std::lock_guard lock(mutex);
      handler(c);
    };
  };

  weft::App app;
  app.post("/users", locked([&](weft::Context& c) {
             User user = c.bind<User>();
             user.id = std::to_string(++last);
             c.status(201).json(users[user.id] = user);
           }));
  app.get("/users", locked([&](weft::Context& c) { c.json(users); }));
  app.get("/users/:id", locked([&](weft::Context& c) { c.json(find(c)->second); }));
  app.put("/users/:id", locked([&](weft::Context& c) {
            User user = c.bind<User>();
            user.id = find(c)->first;
            c.json(users[user.id] = user);
          }));
  app.del("/users/:id", locked([&](weft::Context& c) { users.erase(find(c)), c.no_content(); }));
  return app.run(weft::Options::from_arguments(argc, argv));
}
