#include "weft/middleware/timeout.hpp"

#include <stdexcept>

#include "http/exchange.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace {

class Deadline {
 public:
  Deadline(std::chrono::nanoseconds time, const TimeoutOptions& options)
      : time_(time), options_(options) {
    if (time.count() <= 0) throw std::invalid_argument("timeout(): the time must be positive");
    if (options.status < 400 || options.status > 599) {
      throw std::invalid_argument(
          "timeout(): the status must be one of an error, 503 or 504, not " +
          std::to_string(options.status));
    }
    if (options.retry_after && options.retry_after->count() < 0) {
      throw std::invalid_argument("timeout(): retry_after must not be negative");
    }
  }

  void operator()(Context& context, Next& next) const {
    if (with_timeout(time_, [&] { next(); })) return;
    if (context.answer().head_is_sent()) throw http::RequestAborted{503, options_.text};
    if (options_.retry_after) {
      context.answer().lasting_header("Retry-After", std::to_string(options_.retry_after->count()));
    }
    throw HttpError(options_.status, options_.text);
  }

 private:
  std::chrono::nanoseconds time_;
  TimeoutOptions options_;
};

}  // namespace

Middleware timeout(std::chrono::nanoseconds time, const TimeoutOptions& options) {
  return Deadline(time, options);
}

}  // namespace weft
