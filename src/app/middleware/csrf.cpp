#include "weft/middleware/csrf.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "app/error_wording.hpp"
#include "app/media_type.hpp"
#include "app/secrets.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "weft/context.hpp"
#include "weft/secrets.hpp"
#include "weft/session.hpp"

namespace weft {

namespace {

constexpr std::size_t kNonceBytes = 16;
constexpr std::size_t kValueBytes = kNonceBytes + sizeof(app::Digest);
constexpr std::size_t kCookieText = kValueBytes / 3 * 4;
constexpr std::size_t kTokenText = 2 * kValueBytes / 3 * 4;
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

  void handle(Context& context, Next& next) const {
    if (options_.skip && options_.skip(context)) return next();
    if (!keys_.empty()) context.set<const Csrf*>(kValueName, this);
    if (!is_safe(context.method()) && !is_exempt(context.path())) {
      if (const char* const why = refusal(context)) return app::answer_error(context, 403, why);
    }
    next();
  }

  std::string token(Context& context) const {
    std::string value = cookie_value(context);
    // One that was set for this page is of the session that begins with it.
    const bool is_ours = context.get<std::string>(kValueName) != nullptr;
    if (!is_signed(value, session_id(context, is_ours))) {
      value.resize(kNonceBytes);
      app::fill_randomly({reinterpret_cast<unsigned char*>(value.data()), kNonceBytes});
      const std::string nonce = value;
      value += app::text_of(app::sign(keys_.front(), {nonce, session_id(context, true)}));
      context.set_cookie(options_.cookie_name, app::to_base64url(value), options_.cookie);
      // A page with several forms: the next one is of this cookie, too.
      context.set<std::string>(kValueName, value);
    }
    // It is written in another way each time, so that what an attacker sees of the lengths of
    // compressed pages tells nothing of it (BREACH).
    std::string mask(kValueBytes, '\0');
    app::fill_randomly({reinterpret_cast<unsigned char*>(mask.data()), mask.size()});
    return app::to_base64url(mask + combined(value, mask));
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
    if (!is_signed(value, session_id(context, false))) {
      return "The token is of another session, or too old: load the page again\n";
    }
    const auto masked = sent.size() == kTokenText ? app::from_base64url(sent) : std::nullopt;
    if (!masked) return "The token is malformed\n";
    const std::string_view mask = std::string_view(*masked).substr(0, kValueBytes);
    const std::string token = combined(std::string_view(*masked).substr(kValueBytes), mask);
    if (!equal_in_constant_time(token, value)) return "The token is not that of the cookie\n";
    return nullptr;
  }

  static bool has_form(Context& context) {
    const app::MediaType type = app::media_type(context.header("content-type"));
    return type.is("application/x-www-form-urlencoded") || type.is("multipart/form-data");
  }

  // Decoded; empty when there is none that could be one.
  std::string cookie_value(Context& context) const {
    if (const auto* const set = context.get<std::string>(kValueName)) return *set;
    const std::string_view text = context.cookie(options_.cookie_name);
    if (text.size() != kCookieText) return {};
    return app::from_base64url(text).value_or(std::string());
  }

  bool is_signed(std::string_view value, std::string_view id) const {
    if (value.size() != kValueBytes) return false;
    return std::any_of(keys_.begin(), keys_.end(), [&](const app::SecretKey& key) {
      const app::Digest signature = app::sign(key, {value.substr(0, kNonceBytes), id});
      return equal_in_constant_time(app::text_of(signature), value.substr(kNonceBytes));
    });
  }

  // Of a session that has only come with this request there is none, unless it is to be kept.
  static std::string_view session_id(Context& context, bool is_kept) {
    if (!has_session(context)) return {};
    Session found = session(context);
    return found.is_new() && !is_kept ? std::string_view() : found.id();
  }

  CsrfOptions options_;
  std::vector<app::SecretKey> keys_;
};

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
  const Csrf* const* const found = context.get<const Csrf*>(kValueName);
  if (found == nullptr) {
    throw std::logic_error(
        "there are no csrf tokens here: put weft::csrf() with .keys around this route");
  }
  return (*found)->token(context);
}

}  // namespace weft
