#include "weft/middleware/idempotency.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "app/error_wording.hpp"
#include "app/middleware/authorization.hpp"
#include "app/middleware/idempotency_key.hpp"
#include "app/secrets.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/site.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"
#include "weft/identity.hpp"
#include "weft/session.hpp"

namespace weft {

namespace {

constexpr std::string_view kField = "idempotency-key";
// Whether another try may be answered otherwise: the server was in trouble, or the client was too
// slow, too early (RFC 8470) or came too often, and is to come again.
bool is_for_now(int status) noexcept {
  return status >= 500 || status == 408 || status == 425 || status == 429;
}

std::string default_scope(Context& context) {
  const Identity* const identity = context.get<Identity>();
  std::string_view session_id;
  if (has_session(context)) {
    Session found = session(context);
    if (!found.is_new()) session_id = found.id();
  }
  const app::Digest digest =
      app::digest_of({identity != nullptr ? std::string_view(identity->name) : "",
                      context.header("authorization"), session_id});
  return std::string(app::text_of(digest));
}

// Clients get whole networks of IPv6 addresses: a /64 is one of them.
std::string default_owner(Context& context) {
  if (const Identity* const identity = context.get<Identity>()) return "identity " + identity->name;
  const auto client = context.client_address();
  if (!client) return {};
  const auto* const bytes = reinterpret_cast<const char*>(client->bytes().data());
  return "address " + std::string(bytes, client->is_ipv6() ? 8 : 4);
}

std::string fingerprint_of(Context& context) {
  const http::HeadView& head = context.exchange().head();
  return app::to_base64url(app::text_of(app::digest_of(
      {context.method(), head.target(), context.header("content-type"), context.body()})));
}

// The next line, without its end.
std::string_view take_line(std::string_view& lines) {
  const std::string_view line = lines.substr(0, lines.find("\r\n"));
  lines.remove_prefix(line.size() + 2);
  return line;
}

// Headers that stood there before are of what is around this, which sets them again. Lasting ones
// that came meanwhile may stand in front of those, or amid them.
KeptAnswer kept_answer(Context& context, std::string_view headers_before) {
  http::Response& response = context.exchange().response();
  KeptAnswer answer{response.status, std::string(response.content_type)};
  std::vector<std::string_view> before;
  while (!headers_before.empty()) before.push_back(take_line(headers_before));
  std::vector<std::pair<std::string_view, bool>> now;  // and whether it stood there before
  for (std::string_view lines = response.fields.view(); !lines.empty();) {
    const std::string_view line = take_line(lines);
    const auto found = std::ranges::find(before, line);
    now.emplace_back(line, found != before.end());
    if (found != before.end()) before.erase(found);
  }
  for (const std::string_view line : before) {
    answer.replaced.emplace_back(line.substr(0, line.find(':')));
  }
  for (const auto& [line, stood_there] : now) {
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    // What stayed while others of its name went would go with them.
    const bool is_to_go = std::ranges::any_of(answer.replaced, [name](const std::string& gone) {
      return http::in_lower_case(gone) == http::in_lower_case(std::string(name));
    });
    if (stood_there && !is_to_go) continue;
    answer.headers.emplace_back(name, line.substr(colon + 2));
  }
  answer.body = response.body.view();
  return answer;
}

std::size_t size_of(const KeptAnswer& answer) {
  std::size_t size = answer.content_type.size() + answer.body.size();
  for (const auto& [name, value] : answer.headers) size += name.size() + value.size();
  for (const std::string& name : answer.replaced) size += name.size();
  return size;
}

class Idempotency {
 public:
  explicit Idempotency(const IdempotencyOptions& options) : options_(options) {
    if (!options_.store) options_.store = memory_idempotency_store();
  }

  void operator()(Context& context, Next& next) const {
    if (!is_looked_at(context)) return next();
    const std::size_t fields = app::count_fields(context, kField);
    if (fields == 0) {
      if (!options_.required) return next();
      return app::answer_error(context, 400,
                               "An Idempotency-Key is needed: make one up, a UUID say\n");
    }
    const std::string_view sent = context.header(kField);
    const auto key = fields == 1 && sent.size() <= options_.key_bytes + 2
                         ? app::read_idempotency_key(sent)
                         : std::nullopt;
    if (!key || key->size() > options_.key_bytes) {
      return app::answer_error(context, 400, "The Idempotency-Key is malformed or too long\n");
    }
    const std::string scope = options_.scope ? options_.scope(context) : default_scope(context);
    const std::string stored_key = app::to_base64url(app::text_of(app::digest_of({scope, *key})));
    const std::string fingerprint = fingerprint_of(context);
    const IdempotencyStore::Claim claim =
        options_.store->claim({stored_key, fingerprint, owner_of(context), options_.lease});
    using Kind = IdempotencyStore::Claim::Kind;
    if (claim.kind == Kind::taken) return handle_first(context, next, stored_key);
    answer_without(context, claim, fingerprint);
  }

 private:
  bool is_looked_at(Context& context) const {
    return std::find(options_.methods.begin(), options_.methods.end(), context.method()) !=
               options_.methods.end() &&
           !(options_.skip && options_.skip(context));
  }

  std::string owner_of(Context& context) const {
    const std::string owner = options_.owner ? options_.owner(context) : default_owner(context);
    if (owner.empty()) return {};
    return app::to_base64url(app::text_of(app::digest_of({owner})));
  }

  void handle_first(Context& context, Next& next, const std::string& key) const {
    const std::string headers_before(context.exchange().response().fields.view());
    try {
      next();
    } catch (const HttpError& error) {
      if (is_for_now(error.status())) {
        release(key);
      } else {
        http::Response worded;
        http::answer_thrown(context.exchange().site().error_wording, worded, error);
        complete(
            key,
            {worded.status, std::string(worded.content_type), {}, std::string(worded.body.view())});
      }
      throw;
    } catch (...) {
      // What has begun to be answered was done, as far as anybody can tell.
      if (context.answer().head_is_sent()) {
        complete(key, {});
      } else {
        release(key);
      }
      throw;
    }
    if (is_for_now(context.answer().status())) return release(key);
    complete(key,
             context.answer().streamed() ? KeptAnswer() : kept_answer(context, headers_before));
  }

  // Also when the request was cancelled meanwhile: what was done must be known.
  void complete(const std::string& key, KeptAnswer answer) const {
    if (size_of(answer) > options_.answer_bytes) answer = {};
    shielded([&] { options_.store->complete(key, std::move(answer), options_.lifetime); });
  }
  void release(const std::string& key) const {
    shielded([&] { options_.store->release(key); });
  }

  static void answer_without(Context& context, const IdempotencyStore::Claim& claim,
                             const std::string& fingerprint) {
    using Kind = IdempotencyStore::Claim::Kind;
    if (claim.kind == Kind::full) {
      context.set_header("Retry-After", "60");
      return app::answer_error(context, 503,
                               "There is no room for another Idempotency-Key; try again later\n");
    }
    if (claim.kind == Kind::owner_full) {
      context.set_header("Retry-After", "60");
      return app::answer_error(context, 429,
                               "Too many Idempotency-Keys of yours are kept; try again later\n");
    }
    if (claim.fingerprint != fingerprint) {
      return app::answer_error(context, 422, "The Idempotency-Key was used with another request\n");
    }
    if (claim.kind == Kind::in_progress) {
      context.set_header("Retry-After", "1");
      return app::answer_error(context, 409,
                               "The request with this Idempotency-Key is still under way\n");
    }
    if (claim.answer.status == 0) {
      return app::answer_error(
          context, 409,
          "The request with this Idempotency-Key was answered; the answer was not kept\n");
    }
    replay(context, claim.answer);
  }

  static void replay(Context& context, const KeptAnswer& answer) {
    context.status(answer.status);
    for (const std::string& name : answer.replaced) context.answer().remove_header(name);
    for (const auto& [name, value] : answer.headers) context.add_header(name, value);
    context.set_header("Idempotency-Replayed", "true");
    http::Response& response = context.exchange().response();
    response.content_type = context.exchange().keep(answer.content_type);
    response.content_type_chosen = true;
    response.body.assign(answer.body);
  }

  IdempotencyOptions options_;
};

}  // namespace

Middleware idempotency(const IdempotencyOptions& options) {
  const auto refuse = [](const std::string& why) {
    throw std::invalid_argument("idempotency " + why);
  };
  if (options.methods.empty()) refuse("has no .methods: give it POST say");
  for (const std::string& method : options.methods) {
    if (!http::is_token(method)) refuse("has \"" + method + "\" among its .methods");
  }
  if (options.lifetime.count() <= 0 || options.lease.count() <= 0) {
    refuse("has a .lifetime or .lease that is not positive: give it hours, and minutes");
  }
  if (options.key_bytes == 0 || options.answer_bytes == 0) {
    refuse("has .key_bytes or .answer_bytes of 0: give it 255, and 64 KiB say");
  }
  return Idempotency(options);
}

}  // namespace weft
