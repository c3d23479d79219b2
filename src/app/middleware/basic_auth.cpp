#include "weft/middleware/basic_auth.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "app/middleware/authorization.hpp"
#include "app/secrets.hpp"
#include "weft/context.hpp"
#include "weft/secrets.hpp"

namespace weft {

namespace {

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

class BasicAuth {
 public:
  BasicAuth(BasicCheck check, const BasicAuthOptions& options)
      : check_(std::move(check)),
        options_(options),
        challenge_(app::challenge("Basic", options.realm, "basic_auth") + ", charset=\"UTF-8\"") {}

  void operator()(Context& context, Next& next) const {
    if (options_.skip && options_.skip(context)) return next();
    const app::Authorization sent = app::read_authorization(context, "basic");
    if (sent.found == app::Authorization::Found::several) {
      return refuse(context, 400, "There is more than one Authorization field\n");
    }
    if (sent.found == app::Authorization::Found::nothing) {
      return refuse(context, 401, "A name and a password are needed\n");
    }
    // Four characters for three bytes.
    if (sent.credentials.size() > (options_.credentials_bytes + 2) / 3 * 4) {
      return refuse(context, 400, "The credentials are too long\n");
    }
    const auto text = app::from_base64(sent.credentials);
    const std::size_t colon = text ? text->find(':') : std::string::npos;
    if (colon == std::string::npos || text->size() > options_.credentials_bytes ||
        std::any_of(text->begin(), text->end(), is_control)) {
      return refuse(context, 400, "The credentials are malformed\n");
    }
    const std::string_view name = std::string_view(*text).substr(0, colon);
    if (!check_(context, name, std::string_view(*text).substr(colon + 1))) {
      return refuse(context, 401, "The name or the password is wrong\n");
    }
    context.set(Identity{std::string(name), "basic"});
    next();
  }

 private:
  void refuse(Context& context, int status, std::string_view text) const {
    app::refuse(context, status, challenge_, text);
  }

  BasicCheck check_;
  BasicAuthOptions options_;
  std::string challenge_;
};

bool is_hash(std::string_view password) { return password.starts_with("$argon2"); }

bool is_right(const std::string& kept, std::string_view password) {
  return is_hash(kept) ? password_matches(kept, password) : equal_in_constant_time(kept, password);
}

}  // namespace

Middleware basic_auth(BasicCheck check, const BasicAuthOptions& options) {
  if (!check) throw std::invalid_argument("basic_auth has no check: give it a function");
  return BasicAuth(std::move(check), options);
}

Middleware basic_auth(std::map<std::string, std::string> users, const BasicAuthOptions& options) {
  if (users.empty()) throw std::invalid_argument("basic_auth has no users: give it one at least");
  for (const auto& [name, password] : users) {
    if (name.find(':') != std::string::npos) {
      throw std::invalid_argument("basic_auth has a user with a colon in the name, which ends it");
    }
    if (password.empty()) {
      throw std::invalid_argument("basic_auth has a user without a password: " + name);
    }
  }
  return basic_auth(
      [users = std::move(users)](Context&, std::string_view name, std::string_view password) {
        const auto found = users.find(std::string(name));
        // Somebody's password is checked in any case, so that it takes as long.
        const auto& user = found != users.end() ? *found : *users.begin();
        const bool right = is_right(user.second, password);
        return right && found != users.end();
      },
      options);
}

}  // namespace weft
