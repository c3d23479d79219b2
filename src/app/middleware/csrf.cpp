#include "weft/middleware/csrf.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "app/error_wording.hpp"
#include "app/media_type.hpp"
#include "app/middleware/head_watch.hpp"
#include "app/middleware/session_state.hpp"
#include "app/secrets.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/response_fields.hpp"
#include "weft/context.hpp"
#include "weft/secrets.hpp"

namespace weft {

namespace {

constexpr std::size_t kNonceBytes = 16;
constexpr std::size_t kValueBytes = kNonceBytes + sizeof(app::Digest);
constexpr std::size_t kCookieText = kValueBytes / 3 * 4;
constexpr std::size_t kTokenText = (2 * kNonceBytes * 4 + 2) / 3;
static_assert(kValueBytes % 3 == 0);
constexpr std::string_view kValueName = "weft.csrf";

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

// "https://host" or "https://host:port": nothing behind that.
bool is_origin(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  const std::string_view authority = text.substr(scheme + 3);
  return !authority.empty() && authority.find_first_of("/?#@ ") == std::string_view::npos;
}

// The id under which the session came with the request; empty for one that begins here.
std::string_view id_that_came(const app::SessionState& session) noexcept {
  if (session.is_new) return {};
  return session.former_id.empty() ? session.id : session.former_id;
}

std::string combined(std::string_view left, std::string_view right) {
  std::string out(left);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ right[i]);
  return out;
}

class Csrf {
 public:
  explicit Csrf(const CsrfOptions& options) : options_(options) {
    if (!options.keys.empty()) keys_ = app::keys_for(options.keys, "weft csrf token", "csrf");
    options_.keys.clear();
    // Which is how fields are found without a copy.
    options_.header = http::in_lower_case(std::move(options_.header));
  }

  void handle(Context& context, Next& next) const;

  bool is_signed(std::string_view value, std::string_view id) const {
    if (value.size() != kValueBytes) return false;
    return std::any_of(keys_.begin(), keys_.end(), [&](const app::SecretKey& key) {
      const app::Digest signature = app::sign(key, {value.substr(0, kNonceBytes), id});
      return equal_in_constant_time(app::text_of(signature), value.substr(kNonceBytes));
    });
  }
  // Decoded; empty when there is none that could be one.
  std::string cookie_value(Context& context) const {
    const std::string_view text = context.cookie(options_.cookie_name);
    if (text.size() != kCookieText) return {};
    return app::from_base64url(text).value_or(std::string());
  }
  void set_cookie(Context& context, const std::string& nonce, std::string_view id) const {
    const app::Digest signature = app::sign(keys_.front(), {nonce, id});
    context.set_cookie(options_.cookie_name,
                       app::to_base64url(nonce + std::string(app::text_of(signature))),
                       options_.cookie);
  }

 private:
  bool is_exempt(std::string_view path) const {
    return std::any_of(options_.exempt.begin(), options_.exempt.end(), [&](const std::string& one) {
      return one.back() == '/' ? path.starts_with(one) : path == one;
    });
  }

  // Why the request is refused, or null.
  const char* refusal(Context& context) const {
    const http::HeadView& head = context.exchange().head();
    const auto site = head.find("sec-fetch-site");
    const auto origin = head.find("origin");
    const bool is_trusted = origin && is_trusted_origin(*origin);
    if (site && *site != "same-origin" && *site != "none" && !is_trusted) {
      return "The request comes from another site (Sec-Fetch-Site)\n";
    }
    if (!site && origin && !is_trusted && !is_own_origin(*origin, head.host())) {
      return "The request comes from another site (Origin)\n";
    }
    const bool is_known = site || origin;
    if (options_.require_token || (!is_known && !options_.allow_unknown && !keys_.empty())) {
      return token_refusal(context);
    }
    if (!is_known && !options_.allow_unknown) {
      return "The request does not say which site it comes from (Origin)\n";
    }
    return nullptr;
  }

  bool is_trusted_origin(std::string_view origin) const {
    return std::any_of(
        options_.trusted_origins.begin(), options_.trusted_origins.end(),
        [&](const std::string& one) { return http::equal_in_any_case(one, origin); });
  }

  // Behind a proxy that ends TLS the scheme is not known here; the host and the port are.
  static bool is_own_origin(std::string_view origin, std::string_view host) {
    const std::size_t scheme = origin.find("://");
    return scheme != std::string_view::npos && !host.empty() &&
           http::equal_in_any_case(origin.substr(scheme + 3), host);
  }

  const char* token_refusal(Context& context) const {
    std::string_view sent = context.header(options_.header);
    if (sent.empty() && has_form(context)) sent = context.form(options_.field);
    if (sent.empty()) return "A token is missing: send it in a header or with the form\n";
    const std::string value = cookie_value(context);
    if (value.empty()) return "The cookie that belongs to the token is missing or malformed\n";
    const app::SessionState* const session = app::session_state_of(context);
    if (!is_signed(value, session != nullptr ? id_that_came(*session) : std::string_view())) {
      return "The token is of another session, or too old: load the page again\n";
    }
    const auto masked = sent.size() == kTokenText ? app::from_base64url(sent) : std::nullopt;
    if (!masked) return "The token is malformed\n";
    const std::string_view mask = std::string_view(*masked).substr(0, kNonceBytes);
    const std::string nonce = combined(std::string_view(*masked).substr(kNonceBytes), mask);
    if (!equal_in_constant_time(nonce, value.substr(0, kNonceBytes))) {
      return "The token is not that of the cookie\n";
    }
    return nullptr;
  }

  static bool has_form(Context& context) {
    const app::MediaType type = app::media_type(context.header("content-type"));
    return type.is("application/x-www-form-urlencoded") || type.is("multipart/form-data");
  }

  CsrfOptions options_;
  std::vector<app::SecretKey> keys_;
};

// The tokens of one request. A token is the nonce of the client's cookie, in which the nonce is
// signed together with the id of its session, or with none. Whether a session is kept is known only
// right before the head, so the cookie is set then.
class Tokens final : private app::HeadWatch {
 public:
  Tokens(const Csrf& csrf, Context& context)
      : HeadWatch(context.exchange()),
        csrf_(csrf),
        context_(context),
        session_(app::session_state_of(context)),
        around_(tokens_of(context)),
        shown_(context.set<Tokens*>(kValueName, this)) {}
  ~Tokens() { shown_ = around_; }

  // Those of the request, or null.
  static Tokens* tokens_of(Context& context) noexcept {
    Tokens** const found = context.get<Tokens*>(kValueName);
    return found != nullptr ? *found : nullptr;
  }

  std::string next() {
    choose_nonce();
    // It is written in another way each time, so that what an attacker sees of the lengths of
    // compressed pages tells nothing of it (BREACH).
    std::string mask(kNonceBytes, '\0');
    app::fill_randomly({reinterpret_cast<unsigned char*>(mask.data()), mask.size()});
    return app::to_base64url(mask + combined(nonce_, mask));
  }
  void set_cookie_at_end() { announce_head(); }

 private:
  void before_head() override {
    if (session_ == nullptr) {
      if (!nonce_.empty() && !is_of_cookie_) csrf_.set_cookie(context_, nonce_, {});
      return;
    }
    const bool is_kept = app::is_kept(*session_);
    // A session that begins without a login takes the pages along that its client has open.
    if (nonce_.empty() && is_kept && session_->is_new && !session_->is_renewed)
      take_that_of_cookie();
    if (nonce_.empty()) return;
    const std::string_view id = is_kept ? app::id_of(*session_) : std::string_view();
    if (is_of_cookie_ && (session_->is_renewed || id == id_that_came(*session_))) return;
    csrf_.set_cookie(context_, nonce_, id);
  }

  // Whoever has planted a cookie knows its nonce, which is why a login ends it.
  void choose_nonce() {
    const bool is_renewed = session_ != nullptr && session_->is_renewed;
    if (!nonce_.empty() && !(is_of_cookie_ && is_renewed)) return;
    nonce_.clear();
    if (!is_renewed) take_that_of_cookie();
    if (!nonce_.empty()) return;
    http::require_head_to_come(context_.exchange().response());
    std::string made(kNonceBytes, '\0');
    app::fill_randomly({reinterpret_cast<unsigned char*>(made.data()), made.size()});
    nonce_ = std::move(made);
    is_of_cookie_ = false;
  }
  void take_that_of_cookie() {
    const std::string value = csrf_.cookie_value(context_);
    if (!csrf_.is_signed(value, session_ != nullptr ? id_that_came(*session_) : "")) return;
    nonce_ = value.substr(0, kNonceBytes);
    is_of_cookie_ = true;
  }

  const Csrf& csrf_;
  Context& context_;
  app::SessionState* const session_;
  std::string nonce_;
  bool is_of_cookie_ = false;
  Tokens* const around_;
  Tokens*& shown_;
};

void Csrf::handle(Context& context, Next& next) const {
  if (options_.skip && options_.skip(context)) return next();
  if (!is_safe(context.method()) && !is_exempt(context.path())) {
    if (const char* const why = refusal(context)) return app::answer_error(context, 403, why);
  }
  if (keys_.empty()) return next();
  Tokens tokens(*this, context);
  next();
  tokens.set_cookie_at_end();
}

}  // namespace

Middleware csrf(const CsrfOptions& options) {
  const auto refuse = [](const std::string& why) { throw std::invalid_argument("csrf " + why); };
  if (options.require_token && options.keys.empty()) {
    refuse(
        "asks for tokens and has no .keys to sign them: give it one, by `openssl rand -base64 "
        "32` say");
  }
  for (const std::string& origin : options.trusted_origins) {
    if (!is_origin(origin)) {
      refuse("trusts \"" + origin + "\", which is no origin: write it as https://app.example.org");
    }
  }
  for (const std::string& path : options.exempt) {
    if (!path.starts_with('/')) {
      refuse("leaves out \"" + path + "\", which is no path: begin it with a slash");
    }
  }
  if (!http::is_token(options.header)) refuse("has a .header that is no name of one");
  (void)set_cookie_text(options.cookie_name, std::string(kCookieText, 'A'), options.cookie);
  return [self = std::make_shared<const Csrf>(options)](Context& context, Next& next) {
    self->handle(context, next);
  };
}

std::string csrf_token(Context& context) {
  Tokens* const tokens = Tokens::tokens_of(context);
  if (tokens == nullptr) {
    throw std::logic_error(
        "there are no csrf tokens here: put weft::csrf() with .keys around this route");
  }
  return tokens->next();
}

}  // namespace weft
