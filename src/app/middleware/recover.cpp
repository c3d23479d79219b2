#include "weft/middleware/recover.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "app/error_wording.hpp"
#include "http/exchange.hpp"
#include "http/log_text.hpp"
#include "http/site.hpp"
#include "weft/cancel.hpp"
#include "weft/context.hpp"
#include "weft/http_error.hpp"

namespace weft {

namespace {

constexpr std::string_view kError = "Internal Server Error";

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
      answer_thrown(context, error);
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

  // Called where the exception can be thrown again.
  void answer_thrown(Context& context, const HttpError& error) const {
    if (!options_.http_errors || !app::is_worded(error) || context.answer().head_is_sent()) throw;
    const http::ErrorWording wording = wording_for(context);
    const bool is_plain = error.content_type().starts_with("text/plain");
    if (wording.thrown == nullptr && !is_plain) throw;
    if (is_plain) return answer(context, error.status(), error.what());
    context.answer().clear();
    http::answer_thrown(wording, context.exchange().response(), error);
  }

  void answer(Context& context, int status, std::string_view text) const {
    const std::string line = std::string(text) + (text.ends_with('\n') ? "" : "\n");
    const http::ErrorWording wording = wording_for(context);
    // A stream of which nothing is sent is given up by whoever catches this.
    if (context.answer().streamed()) {
      http::Response worded;
      http::answer_error(wording, worded, status, line);
      throw HttpError(status, std::string(worded.body.view()), worded.content_type);
    }
    context.answer().clear();
    http::answer_error(wording, context.exchange().response(), status, line);
  }

  http::ErrorWording wording_for(Context& context) const {
    return options_.shape ? app::wording_of(*options_.shape)
                          : context.exchange().site().error_wording;
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
