#include "weft/middleware/secure_headers.hpp"

#include <stdexcept>
#include <string_view>

#include "http/exchange.hpp"
#include "http/response.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

std::string hsts_value(const Hsts& hsts) {
  if (hsts.max_age.count() < 0) {
    throw std::invalid_argument("secure_headers(): the max_age of Hsts must not be negative");
  }
  if (hsts.preload && (hsts.max_age < std::chrono::hours(24 * 365) || !hsts.include_subdomains)) {
    throw std::invalid_argument(
        "secure_headers(): preload is for a max_age of a year at least and with "
        "include_subdomains; browsers refuse the rest");
  }
  std::string value = "max-age=" + std::to_string(hsts.max_age.count());
  if (hsts.include_subdomains) value += "; includeSubDomains";
  if (hsts.preload) value += "; preload";
  return value;
}

class SecureHeaders {
 public:
  explicit SecureHeaders(const SecureHeadersOptions& options) : always_(options.hsts_always) {
    http::Response lines;
    const auto add = [&lines](std::string_view name, const std::string& value) {
      if (!value.empty()) lines.add_field(name, value);
    };
    add(options.report_only ? "Content-Security-Policy-Report-Only" : "Content-Security-Policy",
        options.content_security_policy);
    add("X-Content-Type-Options", options.content_type_options);
    add("Referrer-Policy", options.referrer_policy);
    add("X-Frame-Options", options.frame_options);
    add("Cross-Origin-Opener-Policy", options.cross_origin_opener_policy);
    add("Cross-Origin-Resource-Policy", options.cross_origin_resource_policy);
    add("Cross-Origin-Embedder-Policy", options.cross_origin_embedder_policy);
    add("Permissions-Policy", options.permissions_policy);
    add("X-Permitted-Cross-Domain-Policies", options.permitted_cross_domain_policies);
    add("Origin-Agent-Cluster", options.origin_agent_cluster);
    lines_ = lines.fields.view();
    if (!options.hsts) return;
    http::Response hsts;
    hsts.add_field("Strict-Transport-Security", hsts_value(*options.hsts));
    hsts_ = hsts.fields.view();
  }

  void operator()(Context& context, Next& next) const {
    http::Response& response = context.exchange().response();
    response.add_lasting_lines(lines_);
    if (!hsts_.empty() && (always_ || context.scheme() == "https")) {
      response.add_lasting_lines(hsts_);
    }
    next();
  }

 private:
  std::string lines_;
  std::string hsts_;
  bool always_;
};

}  // namespace

Middleware secure_headers(const SecureHeadersOptions& options) { return SecureHeaders(options); }

}  // namespace weft
