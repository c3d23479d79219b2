// Events: an answer of server-sent events, which go to the client as they happen.
//
//     auto events = c.events();
//     while (auto news = channel.receive()) events.send({.event = "news", .data = *news});
//
// The head goes out at once. Each call sends at once, and parks while the client does not take what
// was sent before; a client that has gone ends the handler, as with a ResponseWriter, also while it
// waits for something else. A heartbeat, a comment that clients skip, keeps proxies and the request
// timeout from ending what is only quiet. Belongs to the handler and ends with it; its green
// threads may use it at the same time.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "weft/green.hpp"
#include "weft/response_writer.hpp"
#include "weft/sync.hpp"

namespace weft {

// One event.
struct Event {
  std::string_view event = {};  // its kind; empty: "message"
  std::string_view data = {};   // of any number of lines, which arrive with \n between them
  // What the client says when it comes back: see Context::last_event_id().
  std::optional<std::string_view> id = {};
  // How long the client is to wait before it does.
  std::optional<std::chrono::milliseconds> retry = {};
};

// How events are sent.
struct EventsOptions {
  // A comment goes out after so long; zero: none. Half of the 30 s after which requests that make
  // no progress are ended; common proxies wait for 60 s.
  std::chrono::milliseconds heartbeat{15'000};
};

class Events {
 public:
  // For Context::events().
  Events(ResponseWriter out, const EventsOptions& options);
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // Throws std::invalid_argument for an event or id with a line break or a zero in it.
  void send(const Event& event);
  // Data alone.
  void send(std::string_view data) {
    send(Event{.event = {}, .data = data, .id = {}, .retry = {}});
  }
  // What clients skip; of any number of lines.
  void comment(std::string_view text = {});

 private:
  void write(std::string_view text);

  ResponseWriter out_;
  Mutex mutex_;  // guards out_
  JoinHandle<void> heart_;
};

}  // namespace weft
