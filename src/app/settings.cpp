#include "app/settings.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

namespace weft::app {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kSecond = 1000;
constexpr std::uint64_t kDay = 24 * 60 * 60 * kSecond;
// Of connections and the like: more than any machine has descriptors for.
constexpr std::uint64_t kMostOfAll = 100'000'000;
// A body may be as long as a file can be, within what every reader of TOML can take.
constexpr std::uint64_t kMostBytes = 1024 * 1024 * kGiB;

constexpr std::array<std::string_view, 3> kTrailingSlashes{"strict", "redirect", "ignore"};

Value to_value(const std::string& text) { return text; }
Value to_value(bool on) { return std::uint64_t{on}; }
Value to_value(milliseconds time) {
  return static_cast<std::uint64_t>(std::max<milliseconds::rep>(0, time.count()));
}
Value to_value(TrailingSlash policy) {
  return std::string(kTrailingSlashes[static_cast<std::size_t>(policy)]);
}
template <std::unsigned_integral Number>
Value to_value(Number number) {
  return std::uint64_t{number};
}

void put(std::string& field, const Value& value) { field = std::get<std::string>(value); }
void put(bool& field, const Value& value) { field = std::get<std::uint64_t>(value) != 0; }
void put(milliseconds& field, const Value& value) {
  field = milliseconds(std::get<std::uint64_t>(value));
}
void put(TrailingSlash& field, const Value& value) {
  const auto found = std::ranges::find(kTrailingSlashes, std::get<std::string>(value));
  field = static_cast<TrailingSlash>(found - kTrailingSlashes.begin());
}
template <std::unsigned_integral Number>
void put(Number& field, const Value& value) {
  field = static_cast<Number>(std::get<std::uint64_t>(value));
}

template <class Object>
auto& at_end(Object& object) {
  return object;
}
template <class Object, class Member, class... Rest>
auto& at_end(Object& object, Member member, Rest... rest) {
  return at_end(object.*member, rest...);
}

// The field at the end of a path of members.
template <auto... Path>
Field at(std::string_view name) {
  return {name, [](const Options& options) { return to_value(at_end(options, Path...)); },
          [](Options& options, const Value& value) { put(at_end(options, Path...), value); }};
}

template <auto Member>
Field limit(std::string_view name) {
  return at<&Options::limits, Member>(name);
}

constexpr std::array<std::string_view, 3> kSections{"server", "limits", "log"};

using enum Kind;

std::vector<Setting> server_rows() {
  return {
      {"server",
       "host",
       text,
       at<&Options::host>("host"),
       "address to listen on",
       "ADDRESS",
       {},
       {},
       ListensOn::address},
      {"server",
       "port",
       number,
       at<&Options::port>("port"),
       "port to listen on; 0 lets the system choose",
       "N",
       {0, 65535},
       {},
       ListensOn::address},
      {"server",
       "uds",
       text,
       at<&Options::uds>("uds"),
       "listen on a Unix socket at this path instead",
       "PATH",
       {},
       {},
       ListensOn::path},
      {"server",
       "uds_mode",
       mode,
       at<&Options::uds_mode>("uds_mode"),
       "permissions of the Unix socket, in octal digits; without it as the umask says",
       "MODE",
       {0, 0777}},
      {"server",
       "fd",
       descriptor,
       at<&Options::fd>("fd"),
       "listen on an inherited socket instead: the number of its descriptor, systemd, or "
       "systemd:NAME",
       "FD",
       {},
       {},
       ListensOn::descriptor},
      {"server",
       "workers",
       number,
       at<&Options::workers>("workers"),
       "OS threads that serve; 0 is one per processor",
       "N",
       {0, 1024}},
      {"server",
       "backend",
       choice,
       at<&Options::backend>("backend"),
       "how the kernel is asked; auto lets it decide",
       "NAME",
       {},
       {"auto", "io_uring", "epoll"}},
      {"server",
       "topology",
       choice,
       at<&Options::topology>("topology"),
       "a back end per worker, or one on a thread of its own",
       "NAME",
       {},
       {"per-worker", "shared"}},
      {"server", "sq", toggle, at<&Options::sq>("sq"),
       "a thread of the kernel's takes what is submitted to each ring; needs io_uring", ""},
      {"server",
       "model",
       choice,
       at<&Options::model>("model"),
       "what keeps a request that waits: a stack, a frame or a record",
       "NAME",
       {},
       {"green", "coroutine", "callback"}},
      {"server",
       "worker_pool",
       choice,
       at<&Options::worker_pool>("worker_pool"),
       "threads for worker routes: as they are needed, from the start, or none",
       "NAME",
       {},
       {"auto", "on", "off"}},
      {"server",
       "worker_pool_size",
       number,
       at<&Options::worker_pool_size>("worker_pool_size"),
       "most of these threads; 0 is as the pool thinks right",
       "N",
       {0, 64}},
      {"server",
       "mode",
       choice,
       at<&Options::mode>("mode"),
       "which routes run there: those that say so, all, or also those found slow",
       "NAME",
       {},
       {"spawn", "worker", "adaptive"}},
      {"server",
       "stack_size",
       size,
       at<&Options::stack_bytes>("stack_bytes"),
       "stack of each handler",
       "SIZE",
       {16 * kKiB, 64 * kMiB}},
      {"server",
       "trailing_slash",
       choice,
       at<&Options::trailing_slash>("trailing_slash"),
       "a path with or without a slash too many is not found, sent on, or answered",
       "NAME",
       {},
       {kTrailingSlashes.begin(), kTrailingSlashes.end()}},
      {"server", "trusted_proxies", networks, at<&Options::trusted_proxies>("trusted_proxies"),
       "proxies that may say for whom they ask: addresses, networks, loopback, private or unix",
       "LIST"},
      {"server",
       "proxy_headers",
       choice,
       at<&Options::proxy_headers>("proxy_headers"),
       "the fields in which they do",
       "NAME",
       {},
       {"x-forwarded", "forwarded"}},
      {"server", "server_header", toggle, at<&Options::server_header>("server_header"),
       "answers carry `Server: weft`", ""},
      {"server", "metrics_path", text, at<&Options::metrics_path>("metrics_path"),
       "GET of this path shows figures for Prometheus; empty is nothing", "PATH"},
  };
}

std::vector<Setting> size_rows() {
  return {
      {"limits",
       "max_head",
       size,
       limit<&Limits::head_bytes>("limits.head_bytes"),
       "head of a request; over it 431",
       "SIZE",
       {256, 65535}},
      {"limits",
       "max_uri",
       size,
       limit<&Limits::uri_bytes>("limits.uri_bytes"),
       "target of a request; over it 414",
       "SIZE",
       {64, 65535}},
      {"limits",
       "max_headers",
       number,
       limit<&Limits::header_count>("limits.header_count"),
       "field lines of a head; over it 431",
       "N",
       {1, 128}},
      {"limits",
       "max_header_field",
       size,
       limit<&Limits::header_field_bytes>("limits.header_field_bytes"),
       "one field line; over it 431",
       "SIZE",
       {64, 65535}},
      {"limits",
       "max_body",
       size,
       limit<&Limits::body_bytes>("limits.body_bytes"),
       "body of a request; over it 413",
       "SIZE",
       {0, kMostBytes}},
      {"limits",
       "body_step",
       size,
       limit<&Limits::body_step_bytes>("limits.body_step_bytes"),
       "of a body that must come in each body_timeout; 0 is a byte",
       "SIZE",
       {0, kMostBytes}},
  };
}

std::vector<Setting> time_rows() {
  return {
      {"limits",
       "head_timeout",
       duration,
       limit<&Limits::head_timeout>("limits.head_timeout"),
       "in which a head must have arrived",
       "TIME",
       {1, kDay}},
      {"limits",
       "body_timeout",
       duration,
       limit<&Limits::body_timeout>("limits.body_timeout"),
       "in which the next step of a body must have arrived",
       "TIME",
       {1, kDay}},
      {"limits",
       "request_timeout",
       duration,
       limit<&Limits::request_timeout>("limits.request_timeout"),
       "in which a request must be answered",
       "TIME",
       {1, kDay}},
      {"limits",
       "idle_timeout",
       duration,
       limit<&Limits::idle_timeout>("limits.idle_timeout"),
       "after which an idle connection is closed",
       "TIME",
       {1, kDay}},
      {"limits",
       "upgraded_keep_alive",
       duration,
       limit<&Limits::upgraded_keep_alive>("limits.upgraded_keep_alive"),
       "of silence until TCP asks an upgraded client; 0: never",
       "TIME",
       {0, kDay}},
      {"limits",
       "write_timeout",
       duration,
       limit<&Limits::write_timeout>("limits.write_timeout"),
       "in which a client must take a step of an answer",
       "TIME",
       {1, kDay}},
      {"limits",
       "drain_grace",
       duration,
       limit<&Limits::drain_grace>("limits.drain_grace"),
       "that requests get to end in at SIGTERM",
       "TIME",
       {0, kDay}},
      {"limits",
       "drain_last_resort",
       duration,
       limit<&Limits::drain_last_resort>("limits.drain_last_resort"),
       "until a worker that does not end has its process ended",
       "TIME",
       {0, kDay}},
  };
}

std::vector<Setting> count_rows() {
  return {
      {"limits",
       "max_connections",
       number,
       limit<&Limits::connections>("limits.connections"),
       "connections at once; 0 is no limit",
       "N",
       {0, kMostOfAll}},
      {"limits",
       "max_connections_per_address",
       number,
       limit<&Limits::connections_per_address>("limits.connections_per_address"),
       "those of one client; 0 is no limit",
       "N",
       {0, kMostOfAll}},
      {"limits",
       "max_requests_per_connection",
       number,
       limit<&Limits::requests_per_connection>("limits.requests_per_connection"),
       "requests on one connection; 0 is no limit",
       "N",
       {0, kMostOfAll}},
      {"limits",
       "max_pipelined_requests",
       number,
       limit<&Limits::pipelined_requests>("limits.pipelined_requests"),
       "pipelined requests answered in one go",
       "N",
       {1, 65535}},
      {"limits",
       "max_pipelined",
       size,
       limit<&Limits::pipelined_bytes>("limits.pipelined_bytes"),
       "what may wait behind a request before reading stops",
       "SIZE",
       {0, kGiB}},
      {"limits",
       "max_buffered",
       size,
       limit<&Limits::buffered_bytes>("limits.buffered_bytes"),
       "what a worker keeps for slow clients; 0 is no limit",
       "SIZE",
       {0, kMostBytes}},
      {"limits",
       "max_parked",
       number,
       limit<&Limits::parked_handlers>("limits.parked_handlers"),
       "parked handlers of one worker; over it 503",
       "N",
       {1, kMostOfAll}},
  };
}

std::vector<Setting> log_rows() {
  return {
      {"log", "quiet", toggle, at<&Options::quiet>("quiet"), "no start-up line", ""},
      {"log",
       "log_level",
       choice,
       at<&Options::log_level>("log_level"),
       "what the server says about itself on standard error",
       "NAME",
       {},
       {"error", "warning", "info", "debug"}},
      {"log", "access_log", text, at<&Options::access_log>("access_log"),
       "a line for each request goes to this file, or - for standard output; empty is nothing",
       "PATH"},
      {"log", "access_log_format", log_format, at<&Options::access_log_format>("access_log_format"),
       "of these lines: common, combined, json or a pattern", "FORMAT"},
      {"log",
       "stall_after",
       duration,
       at<&Options::stall_after>("stall_after"),
       "report a worker that a handler holds up for this long; 0 is never",
       "TIME",
       {0, kDay}},
  };
}

std::vector<Setting> all_rows() {
  std::vector<Setting> rows;
  for (auto part : {server_rows, size_rows, time_rows, count_rows, log_rows}) {
    for (Setting& row : part()) {
      row.flag = row.key;
      std::ranges::replace(row.flag, '_', '-');
      row.variable = "WEFT_";
      for (const char letter : row.key) {
        row.variable += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter;
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace

std::span<const Setting> settings() {
  static const std::vector<Setting> rows = all_rows();
  return rows;
}

std::span<const std::string_view> sections() { return kSections; }

std::string_view section_help(std::string_view section) {
  if (section == "server") return "where and how it serves";
  if (section == "limits") return "bounds that protect it";
  return "what it writes about itself";
}

const Setting* find_setting(std::string_view section, std::string_view key) {
  const auto found = std::ranges::find_if(settings(), [&](const Setting& setting) {
    return setting.section == section && setting.key == key;
  });
  return found == settings().end() ? nullptr : &*found;
}

}  // namespace weft::app
