#include "weft/middleware/key_auth.hpp"

#include <stdexcept>
#include <utility>

#include "app/middleware/authorization.hpp"
#include "app/secrets.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

// Of fewer bytes all keys could be tried.
constexpr std::size_t kLeastKeyBytes = 16;

class KeyAuth {
 public:
  explicit KeyAuth(const KeyAuthOptions& options)
      : options_(options), challenge_(app::challenge("ApiKey", options.realm, "key_auth")) {
    options_.header = http::in_lower_case(std::move(options_.header));
    app::fill_randomly(digest_key_);
    for (const auto& [key, name] : options.keys) names_.emplace(digest(key), name);
    options_.keys.clear();
  }

  void operator()(Context& context, Next& next) const {
    if (options_.skip && options_.skip(context)) return next();
    if (!options_.header.empty() && app::count_fields(context, options_.header) > 1) {
      return app::refuse(context, 400, challenge_, "There is more than one key\n");
    }
    const std::string_view key = sent_key(context);
    if (key.empty()) return app::refuse(context, 401, challenge_, "A key is needed\n");
    if (key.size() > options_.key_bytes) {
      return app::refuse(context, 400, challenge_, "The key is too long\n");
    }
    auto identity = whose(context, key);
    if (!identity) return app::refuse(context, 401, challenge_, "The key is not known\n");
    if (identity->scheme.empty()) identity->scheme = "key";
    context.set(std::move(*identity));
    next();
  }

 private:
  std::string_view sent_key(Context& context) const {
    std::string_view key;
    if (!options_.header.empty()) key = context.header(options_.header);
    if (key.empty() && !options_.cookie.empty()) key = context.cookie(options_.cookie);
    if (key.empty() && !options_.query.empty()) key = context.query(options_.query);
    return key;
  }

  std::optional<Identity> whose(Context& context, std::string_view key) const {
    if (const auto found = names_.find(digest(key)); found != names_.end()) {
      return Identity{found->second};
    }
    return options_.check ? options_.check(context, key) : std::nullopt;
  }

  // Nobody outside knows the digests, so how far two of them agree tells nothing of the keys.
  app::Digest digest(std::string_view key) const { return app::sign(digest_key_, {key}); }

  KeyAuthOptions options_;
  std::string challenge_;
  app::SecretKey digest_key_;
  std::map<app::Digest, std::string> names_;
};

}  // namespace

Middleware key_auth(const KeyAuthOptions& options) {
  if (options.keys.empty() && !options.check) {
    throw std::invalid_argument("key_auth knows no key: give it .keys or a .check");
  }
  for (const auto& [key, name] : options.keys) {
    if (key.size() < kLeastKeyBytes) {
      throw std::invalid_argument("key_auth has a key of fewer than 16 bytes, of " + name +
                                  ": make one by random_token() say");
    }
  }
  if (options.header.empty() && options.cookie.empty() && options.query.empty()) {
    throw std::invalid_argument("key_auth looks for keys nowhere: give it .header say");
  }
  if (!options.header.empty() && !http::is_token(options.header)) {
    throw std::invalid_argument("key_auth has a .header that is no name of one");
  }
  return KeyAuth(options);
}

}  // namespace weft
