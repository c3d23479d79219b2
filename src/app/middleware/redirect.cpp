#include "weft/middleware/redirect.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "app/path_pattern.hpp"
#include "http/exchange.hpp"
#include "http/trailing_slash.hpp"
#include "http/uri.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

void require_redirect(int status, const char* what) {
  constexpr std::array kStatuses{301, 302, 303, 307, 308};
  if (std::ranges::find(kStatuses, status) != kStatuses.end()) return;
  throw std::invalid_argument(std::string(what) +
                              ": the status must be 301, 302, 303, 307 or 308, not " +
                              std::to_string(status));
}

// Whether it names a path here; "*" and the target of CONNECT do not.
bool has_path(Context& context) { return context.sent_path().starts_with('/'); }

std::string with_query(std::string address, Context& context) {
  const std::string_view query = context.exchange().head().query();
  if (query.empty()) return address;
  const std::size_t fragment = std::min(address.find('#'), address.size());
  const bool has_query = address.find('?') < fragment;
  address.insert(fragment, (has_query ? "&" : "?") + std::string(query));
  return address;
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_host(std::string_view host) { return !host.empty() && http::is_authority(host); }

class ToHttps {
 public:
  explicit ToHttps(const RedirectToHttpsOptions& options) : options_(options) {
    require_redirect(options.status, "redirect_to_https()");
    if (!options.host.empty() &&
        (!is_host(options.host) || without_port(options.host) != options.host)) {
      throw std::invalid_argument("redirect_to_https(): \"" + options.host +
                                  "\" is no host; its port is an option of its own");
    }
    for (const std::string& path : options.except) {
      if (path.starts_with('/')) continue;
      throw std::invalid_argument("redirect_to_https(): the path \"" + path +
                                  "\" does not begin with '/'");
    }
  }

  void operator()(Context& context, Next& next) const {
    if (!has_path(context) || context.scheme() == "https" || is_excepted(context.sent_path())) {
      return next();
    }
    const std::string_view host =
        options_.host.empty() ? without_port(context.host()) : std::string_view(options_.host);
    if (!is_host(host)) return Context::abort(400, "Which host is asked for?\n");
    std::string address = "https://" + std::string(host);
    if (options_.port != 443) address += ":" + std::to_string(options_.port);
    address += context.sent_path();
    context.redirect(with_query(std::move(address), context), options_.status);
  }

 private:
  bool is_excepted(std::string_view path) const {
    return std::ranges::any_of(options_.except, [path](std::string_view one) {
      if (!path.starts_with(one)) return false;
      return one.ends_with('/') || path.size() == one.size() || path[one.size()] == '/';
    });
  }

  RedirectToHttpsOptions options_;
};

class Www {
 public:
  explicit Www(const RedirectWwwOptions& options) : options_(options) {
    require_redirect(options.status, "redirect_www()");
  }

  void operator()(Context& context, Next& next) const {
    const std::string_view host = context.host();
    const bool has_www = host.size() > 4 && is_www(host.substr(0, 4));
    if (!has_path(context) || has_www == options_.add || !is_host(host)) return next();
    if (options_.add && !is_name_with_dot(without_port(host))) return next();
    const std::string_view bare = has_www ? host.substr(4) : host;
    // What is left must be a host.
    if (!is_host(bare) || bare.starts_with('.') || bare.starts_with(':')) return next();
    std::string address(context.scheme());
    address += options_.add ? "://www." : "://";
    address += bare;
    address += context.sent_path();
    context.redirect(with_query(std::move(address), context), options_.status);
  }

 private:
  static bool is_www(std::string_view text) { return http::equals_ignoring_case(text, "www."); }
  static bool is_name_with_dot(std::string_view host) {
    Endpoint address;
    return host.find('.') != std::string_view::npos && !host.starts_with('[') &&
           !http::parse_plain_address(host, 0, address);
  }

  RedirectWwwOptions options_;
};

class Redirect {
 public:
  explicit Redirect(const std::vector<RedirectRule>& rules) {
    for (const RedirectRule& rule : rules) {
      require_redirect(rule.status, "redirect()");
      rules_.push_back({app::parse_path_rule(rule.from, rule.to, app::LeadsTo::path_or_address),
                        rule.status, rule.keep_query});
    }
  }

  void operator()(Context& context, Next& next) const {
    if (!has_path(context)) return next();
    for (const Rule& rule : rules_) {
      const auto captures = rule.paths.from.match(context.sent_path());
      if (!captures) continue;
      std::string to = rule.paths.to.fill(*captures);
      // What a star took may have made another host of a path: "//host", or "/\host".
      const bool is_path = to.starts_with('/');
      if ((is_path && !http::stays_here(to)) || to.find('\\') != std::string::npos) {
        return Context::abort(400, "This address leads nowhere\n");
      }
      if (rule.keep_query) to = with_query(std::move(to), context);
      return context.redirect(to, rule.status);
    }
    next();
  }

 private:
  struct Rule {
    app::PathRule paths;
    int status;
    bool keep_query;
  };

  std::vector<Rule> rules_;
};

}  // namespace

Middleware redirect_to_https(const RedirectToHttpsOptions& options) { return ToHttps(options); }

Middleware redirect_www(const RedirectWwwOptions& options) { return Www(options); }

Middleware redirect(const std::vector<RedirectRule>& rules) { return Redirect(rules); }

}  // namespace weft
