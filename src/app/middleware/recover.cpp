#include "weft/middleware/recover.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "http/log_text.hpp"
#include "http/site.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace {

constexpr std::string_view kError = "Internal Server Error";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";

class Recover {
 public:
  explicit Recover(const RecoverOptions& options) : options_(options) {}

  void operator()(Context& context, Next& next) {
    try {
      next();
    } catch (const Cancelled&) {
      throw;
    } catch (const http::RequestAborted&) {
      throw;
    } catch (const HttpError& error) {
      // One with a type of its own is worded already, as the complaints of bind() are.
      const bool is_plain = error.content_type().starts_with("text/plain");
      if (!options_.http_errors || !is_plain || context.answer().head_is_sent()) throw;
      answer(context, error.status(), error.what());
    } catch (const std::exception& error) {
      recover_from(context, error);
    } catch (...) {
      recover_from(context, std::runtime_error("an exception that is no std::exception"));
    }
  }

 private:
  // Called where the exception can be thrown again.
  void recover_from(Context& context, const std::exception& error) {
    if (options_.log) log(context, error.what());
    AnswerView view = context.answer();
    if (view.head_is_sent()) throw http::RequestAborted{500, kError};
    if (options_.answer && !view.streamed()) {
      try {
        view.clear();
        context.status(500);
        return options_.answer(context, error);
      } catch (const Cancelled&) {
        throw;
      } catch (const std::exception& second) {
        if (options_.log) log(context, second.what());
      } catch (...) {
        if (options_.log) log(context, "the function that words the answer failed, too");
      }
    }
    answer(context, 500, kError);
  }

  void answer(Context& context, int status, std::string_view text) const {
    const bool in_json = options_.shape == RecoverShape::json;
    // A stream of which nothing is sent is given up by whoever catches this.
    if (context.answer().streamed()) {
      throw HttpError(status, shaped(text), in_json ? kJson : kText);
    }
    context.answer().clear();
    context.status(status);
    context.bytes(shaped(text), in_json ? kJson : kText);
  }

  std::string shaped(std::string_view text) const {
    if (options_.shape == RecoverShape::json) {
      while (text.ends_with('\n')) text.remove_suffix(1);
      std::string json;
      write_json({{"error", text}}, json);
      return json;
    }
    std::string line(text);
    if (!line.ends_with('\n')) line += '\n';
    return line;
  }

  void log(Context& context, std::string_view what) {
    using std::chrono::steady_clock;
    const auto now = steady_clock::now().time_since_epoch();
    auto next = next_log_->load(std::memory_order_relaxed);
    const auto behind = (now + std::chrono::seconds(1)).count();
    if (now.count() < next || !next_log_->compare_exchange_strong(next, behind)) {
      left_out_->fetch_add(1, std::memory_order_relaxed);
      return;
    }
    http::Exchange& exchange = context.exchange();
    std::string line = "the handler for " + http::printable(exchange.head().target()) +
                       " threw: " + http::printable(what);
    if (const auto left_out = left_out_->exchange(0); left_out > 0) {
      line += " (" + std::to_string(left_out) + " messages before this were left out)";
    }
    exchange.site().log(line);
  }

  RecoverOptions options_;
  // Behind pointers, because middleware is copied while an application is put together.
  std::shared_ptr<std::atomic<std::chrono::steady_clock::rep>> next_log_ =
      std::make_shared<std::atomic<std::chrono::steady_clock::rep>>(0);
  std::shared_ptr<std::atomic<std::uint64_t>> left_out_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace

Middleware recover(const RecoverOptions& options) { return Recover(options); }

}  // namespace weft
