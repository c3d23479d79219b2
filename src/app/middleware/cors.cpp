#include "weft/middleware/cors.hpp"

#include <algorithm>
#include <stdexcept>

#include "app/middleware/head_watch.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "http/method.hpp"
#include "http/response.hpp"
#include "http/response_fields.hpp"
#include "http/uri.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

// What a page asks for in its preflight is repeated up to this: more than all headers that there
// are, and within what a head of ours has room for without allocating much.
constexpr std::size_t kMostRequestedBytes = 1024;

void require(bool fits, const std::string& sentence) {
  if (!fits) throw std::invalid_argument("cors(): " + sentence);
}

bool is_origin(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  const std::string_view host = text.substr(scheme + 3);
  // Browsers send names as the DNS has them, in small letters, and addresses.
  const auto is_small = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._:[]").find(c) != std::string_view::npos;
  };
  const auto is_of_scheme = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  };
  return !host.empty() && http::is_authority(host) && std::ranges::all_of(host, is_small) &&
         std::ranges::all_of(text.substr(0, scheme), is_of_scheme);
}

std::string joined(const std::vector<std::string>& tokens, const char* what, bool credentials) {
  std::string list;
  for (const std::string& token : tokens) {
    require(http::is_token(token), "\"" + token + "\" is none of the " + what);
    require(!credentials || token != "*", std::string("with credentials \"*\" among the ") + what +
                                              " has no meaning to a browser; name them");
    if (!list.empty()) list += ", ";
    list += token;
  }
  return list;
}

class Cors {
 public:
  explicit Cors(const CorsOptions& options) : allow_(options.allow_origin) {
    for (const std::string& origin : options.origins) add_origin(origin);
    require(any_ || !origins_.empty() || !families_.empty() || allow_,
            "nobody is let in: give origins or allow_origin");
    require(!(any_ && options.credentials),
            "credentials are for origins that are named: with \"*\" any page could act as its "
            "visitor. Name the origins, or give allow_origin and no \"*\"");
    make_lines(options);
  }

  void operator()(Context& context, Next& next) const {
    http::Exchange& exchange = context.exchange();
    const std::string_view origin = context.header("origin");
    const bool is_options = exchange.head().head().method == http::Method::options;
    const bool preflight =
        is_options && !origin.empty() && !context.header("access-control-request-method").empty();
    http::Response& response = exchange.response();
    response.add_lasting_lines(preflight ? preflight_vary_ : vary_);
    const bool let_in = !origin.empty() && lets_in(context, origin);
    if (let_in) say_origin(response, origin);
    if (!preflight) {
      if (let_in) response.add_lasting_lines(actual_);
      Watch watch(exchange, *this, let_in ? origin : std::string_view());
      next();
      return watch.finish();
    }
    response.status = 204;
    if (!let_in) return;
    response.add_lasting_lines(preflight_);
    if (repeats_headers_) repeat_headers(response, context);
    if (private_network_ && context.header("access-control-request-private-network") == "true") {
      response.add_lasting_lines("Access-Control-Allow-Private-Network: true\r\n");
    }
  }

 private:
  // Takes out what the handler says of the same, an upstream server of a proxy for example: two
  // origins in one answer are none to a browser, and whom it lets in is decided here.
  class Watch final : private app::HeadWatch {
   public:
    // `origin`: of who is let in; empty: nobody.
    Watch(http::Exchange& exchange, const Cors& cors, std::string_view origin)
        : HeadWatch(exchange), cors_(cors), origin_(origin) {}
    void finish() { announce_head(); }

   private:
    void before_head() override { cors_.replace_fields(exchange().response(), origin_); }

    const Cors& cors_;
    std::string_view origin_;
  };

  void replace_fields(http::Response& response, std::string_view origin) const {
    if (says_ours_alone(response, origin)) return;
    http::remove_fields(response, "access-control-allow-origin");
    http::remove_fields(response, "access-control-allow-credentials");
    if (exposes_) http::remove_fields(response, "access-control-expose-headers");
    if (origin.empty()) return;
    say_origin(response, origin);
    response.add_lasting_lines(actual_);
  }

  // Whether all that is set of what is decided here is as it was set here.
  bool says_ours_alone(const http::Response& response, std::string_view origin) const {
    const std::string_view allowed = any_ ? "*" : origin;
    std::size_t origins = 0;
    std::size_t others = 0;
    bool ours = true;
    const auto see = [&](std::string_view line, std::string_view name, std::string_view value) {
      if (http::equals_ignoring_case(name, "access-control-allow-origin")) {
        ours = !origin.empty() && value == allowed && ++origins == 1;
      } else if (http::equals_ignoring_case(name, "access-control-allow-credentials") ||
                 (exposes_ && http::equals_ignoring_case(name, "access-control-expose-headers"))) {
        others += line.size();
        ours = !origin.empty() && actual_.find(line) != std::string::npos;
      }
      return ours;
    };
    http::for_each_field(response.fields.view(), see);
    return ours && origins == (origin.empty() ? 0U : 1U) &&
           others == (origin.empty() ? 0U : actual_.size());
  }

  // All hosts below one.
  struct Family {
    std::string before;  // the scheme and "://"
    std::string behind;  // ".host", and the port
  };

  void add_origin(const std::string& origin) {
    if (origin == "*") {
      any_ = true;
    } else if (const std::size_t star = origin.find("://*."); star != std::string::npos) {
      std::string one = origin;
      one.replace(star + 3, 1, "x");
      require(is_origin(one), "\"" + origin + "\" is no origin with one star in its front");
      families_.push_back({origin.substr(0, star + 3), origin.substr(star + 4)});
    } else {
      require(origin == "null" || is_origin(origin),
              "\"" + origin +
                  "\" is no origin: write it as browsers do, the scheme and the host in small "
                  "letters, and a port if it has one, without a slash at the end");
      origins_.push_back(origin);
    }
  }

  void make_lines(const CorsOptions& options) {
    const std::string methods = joined(options.methods, "methods", options.credentials);
    const std::string headers = joined(options.headers, "headers", options.credentials);
    const std::string expose = joined(options.expose, "headers to expose", options.credentials);
    require(!options.max_age || options.max_age->count() >= 0, "max_age must not be negative");
    const std::string credentials =
        options.credentials ? "Access-Control-Allow-Credentials: true\r\n" : "";
    actual_ = credentials;
    exposes_ = !expose.empty();
    if (exposes_) actual_ += "Access-Control-Expose-Headers: " + expose + "\r\n";
    preflight_ = credentials;
    if (!methods.empty()) preflight_ += "Access-Control-Allow-Methods: " + methods + "\r\n";
    repeats_headers_ = headers.empty();
    if (!repeats_headers_) preflight_ += "Access-Control-Allow-Headers: " + headers + "\r\n";
    if (options.max_age) {
      preflight_ += "Access-Control-Max-Age: " + std::to_string(options.max_age->count()) + "\r\n";
    }
    private_network_ = options.private_network;
    // The same for all origins has no need to be kept apart by caches.
    if (!any_) vary_ = "Vary: Origin\r\n";
    preflight_vary_ = any_ ? "Vary: " : "Vary: Origin, ";
    preflight_vary_ += "Access-Control-Request-Method, Access-Control-Request-Headers";
    if (private_network_) preflight_vary_ += ", Access-Control-Request-Private-Network";
    preflight_vary_ += "\r\n";
  }

  bool lets_in(Context& context, std::string_view origin) const {
    if (any_ || std::ranges::find(origins_, origin) != origins_.end()) return true;
    for (const Family& family : families_) {
      const std::size_t around = family.before.size() + family.behind.size();
      if (origin.size() > around && origin.starts_with(family.before) &&
          origin.ends_with(family.behind) && is_origin(origin)) {
        return true;
      }
    }
    // What is repeated in an answer is looked at in any case.
    return allow_ && (origin == "null" || is_origin(origin)) && allow_(context, origin);
  }

  void say_origin(http::Response& response, std::string_view origin) const {
    if (any_) return response.add_lasting_lines("Access-Control-Allow-Origin: *\r\n");
    response.add_lasting_field("Access-Control-Allow-Origin", origin);
  }

  static void repeat_headers(http::Response& response, const Context& context) {
    const std::string_view wanted = context.header("access-control-request-headers");
    if (wanted.empty() || wanted.size() > kMostRequestedBytes) return;
    for (std::string_view list = wanted; !list.empty();) {
      if (!http::is_token(http::take_element(list))) return;
    }
    response.add_lasting_field("Access-Control-Allow-Headers", wanted);
  }

  bool any_ = false;
  bool repeats_headers_ = false;
  bool exposes_ = false;
  bool private_network_ = false;
  std::vector<std::string> origins_;
  std::vector<Family> families_;
  std::function<bool(Context&, std::string_view)> allow_;
  std::string vary_;
  std::string preflight_vary_;
  std::string actual_;
  std::string preflight_;
};

}  // namespace

Middleware cors(const CorsOptions& options) { return Cors(options); }

}  // namespace weft
