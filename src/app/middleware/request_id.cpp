#include "weft/middleware/request_id.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "http/exchange.hpp"
#include "http/letter_case.hpp"
#include "http/response.hpp"
#include "weft/context.hpp"

namespace weft {

namespace {

constexpr std::size_t kMostBytes = 1024;

// xoshiro256++ (Blackman, Vigna): a few instructions, and 2^256 - 1 numbers before it repeats.
class Generator {
 public:
  Generator() {
    std::size_t got = 0;
    while (got < sizeof state_) {
      const ssize_t more =
          ::getrandom(reinterpret_cast<char*>(state_.data()) + got, sizeof state_ - got, 0);
      if (more < 0 && errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), "getrandom");
      }
      if (more > 0) got += static_cast<std::size_t>(more);
    }
    // The one state that it does not leave.
    if (std::ranges::all_of(state_, [](std::uint64_t word) { return word == 0; })) state_[0] = 1;
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

struct Bits {
  std::uint64_t high;
  std::uint64_t low;
};

// Of the thread that calls; not inlined, so that nobody keeps the generator's address over a wait.
[[gnu::noinline]] Bits random_bits() {
  thread_local Generator generator;
  const std::uint64_t high = generator.next();
  return {high, generator.next()};
}

char* put_hex(char* out, std::uint64_t bits, unsigned digits) noexcept {
  for (unsigned i = digits; i-- > 0;) *out++ = "0123456789abcdef"[(bits >> (4 * i)) & 15];
  return out;
}

std::string make_hex() {
  const Bits bits = random_bits();
  std::string text(32, '\0');
  put_hex(put_hex(text.data(), bits.high, 16), bits.low, 16);
  return text;
}

// RFC 9562 §5.7.
std::string make_uuid_v7() {
  using std::chrono::duration_cast;
  const Bits bits = random_bits();
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto ms =
      static_cast<std::uint64_t>(duration_cast<std::chrono::milliseconds>(since).count());
  const std::uint64_t low = (bits.low & 0x3fff'ffff'ffff'ffffU) | 0x8000'0000'0000'0000U;
  std::string text(36, '-');
  char* out = put_hex(text.data(), ms >> 16, 8) + 1;
  out = put_hex(out, ms & 0xffff, 4) + 1;
  out = put_hex(out, 0x7000 | (bits.high & 0xfff), 4) + 1;
  out = put_hex(out, low >> 48, 4) + 1;
  put_hex(out, low & 0xffff'ffff'ffffU, 12);
  return text;
}

bool is_safe(char c) noexcept {
  const auto is_within = [c](char first, char last) { return c >= first && c <= last; };
  return is_within('a', 'z') || is_within('A', 'Z') || is_within('0', '9') ||
         std::string_view("-_.:+/=@").find(c) != std::string_view::npos;
}

bool is_well_formed(std::string_view text, std::size_t most) noexcept {
  return !text.empty() && text.size() <= most && std::ranges::all_of(text, is_safe);
}

class NameRequests {
 public:
  explicit NameRequests(const RequestIdOptions& options) : options_(options) {
    // Refuses what is no header, or one that the server writes.
    http::Response().add_field(options.header, "");
    begin_of_line_ = options.header + ": ";
    options_.header = http::in_lower_case(std::move(options_.header));
    if (options.most_bytes < 1 || options.most_bytes > kMostBytes) {
      throw std::invalid_argument("request_id(): most_bytes must be from 1 to 1024, not " +
                                  std::to_string(options.most_bytes));
    }
  }

  void operator()(Context& context, Next& next) const {
    const std::string_view given = options_.accept ? context.header(options_.header) : "";
    const bool taken = is_well_formed(given, options_.most_bytes);
    const RequestId& id = context.set(RequestId(taken ? std::string(given) : make()));
    http::Response& response = context.exchange().response();
    for (const std::string_view part : {std::string_view(begin_of_line_),
                                        std::string_view(id.text()), std::string_view("\r\n")}) {
      response.add_lasting_lines(part);
    }
    next();
  }

 private:
  std::string make() const {
    return options_.format == RequestIdFormat::uuid_v7 ? make_uuid_v7() : make_hex();
  }

  RequestIdOptions options_;  // the header's name in lower case
  std::string begin_of_line_;
};

}  // namespace

Middleware request_id(const RequestIdOptions& options) { return NameRequests(options); }

}  // namespace weft
