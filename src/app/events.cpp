#include "weft/events.hpp"

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "weft/context.hpp"

namespace weft {

namespace {

void require_one_line(std::string_view text, const char* what) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) return;
  throw std::invalid_argument(std::string("the ") + what +
                              " of an event holds a line break or a zero");
}

// Each line behind the prefix. All that browsers take for a line's end is one: \r\n, \n and \r.
void add_lines(std::string_view prefix, std::string_view text, std::string& out) {
  for (;;) {
    const std::size_t end = text.find_first_of("\r\n");
    out.append(prefix).append(text.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + (text.substr(end, 2) == "\r\n" ? 2 : 1));
  }
}

}  // namespace

Events::Events(ResponseWriter out, const EventsOptions& options) : out_(std::move(out)) {
  out_.flush();
  if (options.heartbeat.count() == 0) return;
  heart_ = spawn({.name = "heartbeat of events"}, [this, pause = options.heartbeat] {
    try {
      for (;;) {
        weft::sleep(pause);
        comment();
      }
    } catch (...) {
      // Cancelled, or the client has gone, which the handler learns by itself.
    }
  });
}

Events::~Events() {
  if (!heart_.joinable()) return;
  heart_.cancel();
  shielded([this] { heart_.join(); });
}

void Events::send(const Event& event) {
  require_one_line(event.event, "kind");
  if (event.id) require_one_line(*event.id, "id");
  std::string text;
  text.reserve(event.data.size() + 64);
  if (!event.event.empty()) text.append("event: ").append(event.event).append("\n");
  if (event.id) text.append("id: ").append(*event.id).append("\n");
  if (event.retry) text.append("retry: ").append(std::to_string(event.retry->count())).append("\n");
  add_lines("data: ", event.data, text);
  text += '\n';
  write(text);
}

void Events::comment(std::string_view text) {
  std::string lines;
  add_lines(": ", text, lines);
  lines += '\n';
  write(lines);
}

void Events::write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  out_.write(text).flush();
}

Events Context::events(const EventsOptions& options) {
  set_header("Cache-Control", "no-cache");
  // Proxies that gather answers leave this one alone.
  set_header("X-Accel-Buffering", "no");
  return Events(stream("text/event-stream"), options);
}

}  // namespace weft
