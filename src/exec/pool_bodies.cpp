#include "exec/pool_bodies.hpp"

#include <stdexcept>
#include <string>

namespace weft::exec {

void PoolBodies::refuse(const char* what) {
  refused_ = true;
  throw std::logic_error(std::string("a worker route runs on a pool thread, where it cannot ") +
                         what +
                         ": answer with text(), json() or bytes(), or let the route run on the "
                         "loop and put the slow part into weft::blocking()");
}

std::string_view PoolBodies::read_part(std::size_t most) {
  const std::string_view part = body_.substr(given_, most);
  given_ = part.empty() ? 0 : given_ + part.size();
  return part;
}

void PoolBodies::begin_answer_stream(std::optional<std::uint64_t> /*length*/) {
  refuse("stream its answer, send a file or send events");
}

void PoolBodies::write_part(std::string_view /*bytes*/) { refuse("stream its answer"); }

void PoolBodies::write_file(int /*file*/, std::uint64_t /*offset*/, std::uint64_t /*size*/) {
  refuse("send a file");
}

void PoolBodies::flush_parts() { refuse("stream its answer"); }

void PoolBodies::add_trailer(std::string_view /*name*/, std::string_view /*value*/) {
  refuse("send trailers");
}

void PoolBodies::change_protocol(std::string_view /*protocol*/) {
  refuse("take its connection over");
}

}  // namespace weft::exec
