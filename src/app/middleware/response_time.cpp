#include "weft/middleware/response_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <string_view>

#include "app/middleware/head_watch.hpp"
#include "http/exchange.hpp"
#include "http/header_text.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

using Clock = std::chrono::steady_clock;

class TellTime {
 public:
  explicit TellTime(const ResponseTimeOptions& options) {
    const bool is_timing = options.format == ResponseTimeFormat::server_timing;
    if (is_timing && !http::is_token(options.metric)) {
      throw std::invalid_argument("response_time(): metric must be a token, not \"" +
                                  options.metric + "\"");
    }
    before_ = is_timing ? "Server-Timing: " + options.metric + ";dur=" : "X-Response-Time: ";
    behind_ = is_timing ? "\r\n" : "ms\r\n";
  }

  void operator()(Context& context, Next& next) const {
    Request request(*this, context.exchange());
    try {
      next();
    } catch (...) {
      request.tell_at_end();
      throw;
    }
    request.tell_at_end();
  }

 private:
  class Request final : private app::HeadWatch {
   public:
    Request(const TellTime& teller, http::Exchange& exchange)
        : HeadWatch(exchange), teller_(teller), exchange_(exchange) {}

    void tell_at_end() { announce_head(); }

   private:
    void before_head() override {
      if (!exchange_.response().head_is_out) teller_.tell(exchange_, began_);
    }

    const TellTime& teller_;
    http::Exchange& exchange_;
    Clock::time_point began_ = Clock::now();
  };

  void tell(http::Exchange& exchange, Clock::time_point began) const {
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count();
    std::array<char, 32> number;
    char* out = std::to_chars(number.data(), number.data() + 24, took / 1000).ptr;
    *out++ = '.';
    for (auto part = 100; part > 0; part /= 10) {
      *out++ = static_cast<char>('0' + took / part % 10);
    }
    std::array<char, 128> line;
    const std::string_view digits(number.data(), static_cast<std::size_t>(out - number.data()));
    if (before_.size() + digits.size() + behind_.size() > line.size()) {
      return exchange.response().add_lasting_lines(before_ + std::string(digits) + behind_);
    }
    char* end = line.data();
    for (const std::string_view piece :
         {std::string_view(before_), digits, std::string_view(behind_)}) {
      end = std::copy(piece.begin(), piece.end(), end);
    }
    exchange.response().add_lasting_lines(
        {line.data(), static_cast<std::size_t>(end - line.data())});
  }

  std::string before_;
  std::string behind_;
};

}  // namespace

Middleware response_time(const ResponseTimeOptions& options) { return TellTime(options); }

}  // namespace weft
