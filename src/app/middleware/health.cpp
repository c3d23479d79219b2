#include "weft/middleware/health.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "http/exchange.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/scope.hpp"
#include "weft/sync.hpp"

namespace weft {

namespace {

using Clock = std::chrono::steady_clock;

// Of what a check throws so much is told.
constexpr std::size_t kMostErrorBytes = 200;

struct Finding {
  bool ready = false;
  std::int64_t ms = 0;
  std::string error;
};

class Health {
 public:
  explicit Health(const HealthOptions& options) : options_(options) {
    for (const std::string* path : {&options.live_path, &options.ready_path}) {
      if (path->empty() || path->starts_with('/')) continue;
      throw std::invalid_argument("health(): the path \"" + *path + "\" does not begin with '/'");
    }
    for (const HealthCheck& check : options.checks) require_sound(check);
    if (options.fresh.count() < 0) {
      throw std::invalid_argument("health(): fresh must not be negative");
    }
  }

  void operator()(Context& context, Next& next) {
    const std::string_view path = context.path();
    const bool live = !path.empty() && path == options_.live_path;
    if (!live && (path.empty() || path != options_.ready_path)) return next();
    const std::string_view method = context.method();
    if (method != "GET" && method != "HEAD") return next();
    context.set_header("Cache-Control", "no-store");
    if (live) return context.text("ok\n");
    answer_readiness(context);
  }

 private:
  void require_sound(const HealthCheck& check) const {
    const auto same = [&](const HealthCheck& one) { return one.name == check.name; };
    if (check.name.empty()) throw std::invalid_argument("health(): a check has no name");
    if (!check.check) {
      throw std::invalid_argument("health(): the check \"" + check.name + "\" has no function");
    }
    if (check.timeout.count() <= 0) {
      throw std::invalid_argument("health(): the timeout of the check \"" + check.name +
                                  "\" must be positive");
    }
    if (std::ranges::count_if(options_.checks, same) > 1) {
      throw std::invalid_argument("health(): there are two checks named \"" + check.name + "\"");
    }
  }

  void answer_readiness(Context& context) {
    const bool draining = context.exchange().connection().is_draining();
    // One that is about to end has nothing to find out.
    const std::vector<Finding> findings = draining ? std::vector<Finding>() : look();
    const bool ready = !draining && std::ranges::all_of(findings, &Finding::ready);
    context.status(ready ? 200 : 503);
    const std::string_view word = ready ? "ok" : draining ? "draining" : "not ready";
    if (!options_.details) return context.text(std::string(word) + "\n");
    write_details(context, word, findings);
  }

  void write_details(Context& context, std::string_view word,
                     const std::vector<Finding>& findings) const {
    std::string text = R"({"status":)";
    write_json(word, text);
    text += R"(,"checks":[)";
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const Finding& one = findings[i];
      if (i > 0) text += ',';
      text += R"({"name":)";
      write_json(std::string_view(options_.checks[i].name), text);
      text += R"(,"ready":)";
      write_json(one.ready, text);
      text += R"(,"ms":)";
      write_json(one.ms, text);
      if (!one.error.empty()) {
        text += R"(,"error":)";
        write_json(std::string_view(one.error), text);
      }
      text += '}';
    }
    text += "]}";
    context.bytes(text, "application/json");
  }

  // One at a time looks; who comes meanwhile is told what that one has found.
  std::vector<Finding> look() {
    if (options_.checks.empty()) return {};
    const std::lock_guard lock(last_->mutex);
    if (last_->at && Clock::now() - *last_->at < options_.fresh) return last_->findings;
    std::vector<Finding> findings(options_.checks.size());
    scope([&](Scope& checks) {
      for (std::size_t i = 0; i < findings.size(); ++i) {
        checks.spawn([&, i] { findings[i] = ask(options_.checks[i]); });
      }
    });
    last_->findings = findings;
    last_->at = Clock::now();
    return findings;
  }

  static Finding ask(const HealthCheck& check) {
    Finding finding;
    const Clock::time_point began = Clock::now();
    try {
      const Result<bool> ready = with_timeout(check.timeout, [&] { return check.check(); });
      finding.ready = ready && *ready;
      if (!ready) finding.error = "it took longer than it may";
    } catch (const Cancelled&) {
      throw;
    } catch (const std::exception& error) {
      finding.error = std::string(error.what()).substr(0, kMostErrorBytes);
    } catch (...) {
      finding.error = "an exception that is no std::exception";
    }
    using std::chrono::milliseconds;
    finding.ms = std::chrono::duration_cast<milliseconds>(Clock::now() - began).count();
    return finding;
  }

  struct Last {
    Mutex mutex;
    std::optional<Clock::time_point> at;
    std::vector<Finding> findings;
  };

  HealthOptions options_;
  std::shared_ptr<Last> last_ = std::make_shared<Last>();
};

}  // namespace

Middleware health(const HealthOptions& options) { return Health(options); }

}  // namespace weft
