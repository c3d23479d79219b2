#include "weft/middleware/logger.hpp"

#include <stdexcept>
#include <utility>
#include <variant>

#include "app/log/access_log.hpp"
#include "http/exchange.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

// An access log that hears of the requests it asks for.
class LoggedRequests final : public http::AnswerObserver {
 public:
  explicit LoggedRequests(std::unique_ptr<app::AccessLog> log) : log_(std::move(log)) {}

  void request_began() noexcept override {}
  void request_lost() noexcept override {}
  void answer_ended(const http::EndedAnswer& answer) noexcept override { log_->log(answer); }

 private:
  std::unique_ptr<app::AccessLog> log_;
};

std::unique_ptr<app::AccessLog> log_of(const LoggerOptions& options) {
  if (options.writer == nullptr) return app::open_access_log(options.path, options.format);
  auto parsed = app::parse_access_format(options.format);
  if (std::holds_alternative<app::FormatMistake>(parsed)) {
    throw std::invalid_argument("cannot log in the format \"" + options.format +
                                "\": " + app::access_format_mistake(options.format));
  }
  return std::make_unique<app::AccessLog>(std::move(std::get<app::AccessFormat>(parsed)),
                                          options.writer);
}

}  // namespace

Middleware logger(const LoggerOptions& options) {
  auto logged = std::make_shared<LoggedRequests>(log_of(options));
  return [logged, skip = options.skip](Context& context, Next& next) {
    if ((!skip || !skip(context)) && !context.exchange().observe(*logged)) {
      throw std::logic_error("too many loggers are around one route");
    }
    next();
  };
}

}  // namespace weft
