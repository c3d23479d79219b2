#include <algorithm>
#include <cerrno>
#include <cstring>

#include "http/exchange.hpp"
#include "weft/body_reader.hpp"
#include "weft/cancel.hpp"
#include "weft/response_writer.hpp"
#include "weft/upgraded_stream.hpp"

namespace weft {

namespace {

constexpr int kTooLate = 408;

// A call of an upgraded stream: what ends a handler of HTTP is an error of the stream's there.
template <class Call>
auto as_result(const Call& call) -> Result<decltype(call())> {
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return {};
    } else {
      return call();
    }
  } catch (const http::RequestAborted& aborted) {
    return Error{aborted.status == kTooLate ? ErrorCode::timed_out : ErrorCode::reset, 0};
  } catch (const Cancelled& cancelled) {
    return cancelled.error();
  }
}

std::size_t copy_into(std::span<char> into, std::string_view part) {
  std::copy(part.begin(), part.end(), into.begin());
  return part.size();
}

}  // namespace

std::string_view BodyReader::read() { return exchange_.bodies().read_part(std::string::npos); }

std::size_t BodyReader::read(std::span<char> into) {
  if (into.empty()) return 0;
  return copy_into(into, exchange_.bodies().read_part(into.size()));
}

ResponseWriter& ResponseWriter::write(std::string_view bytes) {
  exchange_.bodies().write_part(bytes);
  return *this;
}

ResponseWriter& ResponseWriter::flush() {
  exchange_.bodies().flush_parts();
  return *this;
}

ResponseWriter& ResponseWriter::trailer(std::string_view name, std::string_view value) {
  exchange_.bodies().add_trailer(name, value);
  return *this;
}

Result<std::string_view> UpgradedStream::read() {
  const auto read_some = [this] { return exchange_.bodies().read_part(std::string::npos); };
  if (timeout_.count() == 0) return as_result(read_some);
  return with_timeout(timeout_, [&] { return as_result(read_some); });
}

Result<std::size_t> UpgradedStream::read(std::span<char> into) {
  if (into.empty()) return Error{ErrorCode::invalid_argument, EINVAL};
  const auto read_some = [&] { return copy_into(into, exchange_.bodies().read_part(into.size())); };
  if (timeout_.count() == 0) return as_result(read_some);
  return with_timeout(timeout_, [&] { return as_result(read_some); });
}

Result<void> UpgradedStream::write(std::string_view bytes) {
  return as_result([&] { exchange_.bodies().write_part(bytes); });
}

Result<void> UpgradedStream::flush() {
  return as_result([&] { exchange_.bodies().flush_parts(); });
}

}  // namespace weft
