#include "weft/middleware/bearer_auth.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "app/middleware/authorization.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

// RFC 6750 §2.1, b64token.
bool is_token(std::string_view text) {
  const std::string_view body = text.substr(0, text.find_last_not_of('=') + 1);
  return !body.empty() && std::all_of(body.begin(), body.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

// RFC 6750 §3, scope-token.
bool is_scope(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7F && c != '"' && c != '\\';
  });
}

class BearerAuth {
 public:
  BearerAuth(BearerCheck check, const BearerAuthOptions& options)
      : check_(std::move(check)),
        options_(options),
        challenge_(app::challenge("Bearer", options.realm, "bearer_auth")),
        invalid_request_(challenge_ + ", error=\"invalid_request\""),
        invalid_token_(challenge_ + ", error=\"invalid_token\""),
        insufficient_scope_(challenge_ + ", error=\"insufficient_scope\", scope=\"" +
                            options.scope + '"') {}

  void operator()(Context& context, Next& next) const {
    if (options_.skip && options_.skip(context)) return next();
    const app::Authorization sent = app::read_authorization(context, "bearer");
    // RFC 6750 §3.1: who has sent nothing is not told of an error.
    if (sent.found == app::Authorization::Found::nothing) {
      return app::refuse(context, 401, challenge_, "A token is needed\n");
    }
    if (sent.found == app::Authorization::Found::several ||
        sent.credentials.size() > options_.token_bytes || !is_token(sent.credentials)) {
      return app::refuse(context, 400, invalid_request_, "The token is malformed\n");
    }
    auto identity = check_(context, sent.credentials);
    if (!identity) return app::refuse(context, 401, invalid_token_, "The token is not good\n");
    if (!options_.scope.empty() && !identity->may(options_.scope)) {
      return app::refuse(context, 403, insufficient_scope_, "The token does not allow this\n");
    }
    if (identity->scheme.empty()) identity->scheme = "bearer";
    context.set(std::move(*identity));
    next();
  }

 private:
  BearerCheck check_;
  BearerAuthOptions options_;
  std::string challenge_;
  std::string invalid_request_;
  std::string invalid_token_;
  std::string insufficient_scope_;
};

}  // namespace

Middleware bearer_auth(BearerCheck check, const BearerAuthOptions& options) {
  if (!check) throw std::invalid_argument("bearer_auth has no check: give it a function");
  if (!is_scope(options.scope)) {
    throw std::invalid_argument(
        "bearer_auth has a scope with a blank, a quote or a backslash: name one scope, and check "
        "further ones by Identity::may()");
  }
  return BearerAuth(std::move(check), options);
}

}  // namespace weft
