#include "weft/test_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <variant>

#include "app/app_state.hpp"
#include "app/cookie_jar.hpp"
#include "gvt/blocking_io.hpp"
#include "http/client/url.hpp"
#include "http/head_parser.hpp"
#include "http/letter_case.hpp"
#include "ksvc/core/assert.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "net/shared_listener.hpp"
#include "weft/blocking.hpp"
#include "weft/detail/descriptor.hpp"
#include "weft/green.hpp"
#include "weft/net.hpp"
#include "weft/scope.hpp"

namespace weft {

namespace {

// A body up to this is taken by the kernel whether the server reads it or not; a longer one is sent
// while the answer is read.
constexpr std::size_t kBodyAtOnce = 32 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;
// When a client ends, whoever it has asked serves nobody any more: handlers that wait get this long
// to end by themselves.
constexpr std::chrono::milliseconds kGrace{200};
constexpr int kBacklog = 128;

std::string_view find_field(const std::vector<ClientField>& fields, std::string_view name,
                            std::string_view fallback) noexcept {
  for (const ClientField& field : fields) {
    if (http::equal_in_any_case(field.name, name)) return field.value;
  }
  return fallback;
}

// Under a name that the system makes up, which no file stands for and which ends with it.
detail::Descriptor listen_nameless() {
  detail::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.fd() < 0 ||
      ::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)) != 0 ||
      ::listen(socket.fd(), kBacklog) != 0) {
    throw std::system_error(errno, std::generic_category(), "no Unix socket for a TestClient");
  }
  return socket;
}

std::vector<ClientField> parse_trailers(std::string_view lines) {
  std::vector<ClientField> fields;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(line.size() + 2, lines.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    value = value.substr(0, value.find_last_not_of(" \t") + 1);
    fields.push_back({std::string(line.substr(0, colon)), std::string(value)});
  }
  return fields;
}

// What the workers of a server say; any thread.
class Notes {
 public:
  void add_line(const std::string& line) { add(lines_, line); }
  void add_failure(std::string_view what) { add(failures_, std::string(what)); }

  std::vector<std::string> lines(std::size_t from = 0) const {
    const std::lock_guard lock(mutex_);
    return {lines_.begin() + static_cast<std::ptrdiff_t>(from), lines_.end()};
  }
  // The first behind so many; empty where there is none.
  std::string failure(std::size_t from) const {
    const std::lock_guard lock(mutex_);
    return from < failures_.size() ? failures_[from] : std::string();
  }
  std::pair<std::size_t, std::size_t> sizes() const {
    const std::lock_guard lock(mutex_);
    return {lines_.size(), failures_.size()};
  }

 private:
  void add(std::vector<std::string>& to, std::string text) {
    const std::lock_guard lock(mutex_);
    to.push_back(std::move(text));
  }

  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> failures_;
};

ClientOptions client_options(const TestClientOptions& from, std::string socket) {
  ClientOptions options;
  options.base_url = "http://" + from.host;
  options.unix_socket = std::move(socket);
  options.headers = from.headers;
  options.user_agent.clear();
  options.timeout = from.timeout;
  options.idle_timeout = from.timeout;
  return options;
}

}  // namespace

// A server of this client's own, for a copy of the routes.
struct TestClient::Server {
  Server(App& tested, const TestClientOptions& options) : app(tested) {
    const detail::Descriptor listener = listen_nameless();
    Options server_options = options.server;
    server_options.uds.clear();
    server_options.fd = std::to_string(listener.fd());
    constexpr std::string_view kScheme = "unix:";
    socket = net::location_of(listener.fd()).substr(kScheme.size());
    std::optional<Endpoint> peer;
    if (!options.peer.empty()) {
      constexpr std::uint16_t kPort = 50'000;  // of those that clients have
      const auto parsed = Endpoint::parse(options.peer, kPort);
      if (!parsed) {
        throw std::invalid_argument("the peer of a TestClient is \"" + options.peer +
                                    "\": give an IPv4 or IPv6 address");
      }
      peer = *parsed;
    }
    const std::lock_guard lock(app.routes_->mutex);
    site = app.routes_->site;
    site.peer = peer;
    site.log = [this](const std::string& line) { notes.add_line(line); };
    site.handler_failed = [this](std::string_view what) { notes.add_failure(what); };
    // Nothing is left out of the log, and nobody is waited for who is not there.
    site.limits.log_pause = std::chrono::milliseconds(0);
    site.limits.accept_rest = std::chrono::milliseconds(0);
    site.limits.drain_quiet = std::chrono::milliseconds(0);
    server_options.limits.drain_grace = std::min(server_options.limits.drain_grace, kGrace);
    ksvc::BackendChoice choice;
    running = app.launch(site, server_options, choice);
    ++app.routes_->test_clients;
    running->server.open();
  }
  ~Server() {
    running->server.drain();
    join();
    --app.routes_->test_clients;
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A green thread lets others go on meanwhile: a handler may wait for one of them.
  void join() const noexcept {
    try {
      if (gvt::current_io() != nullptr) {
        return shielded([this] { blocking([this] { running->server.join(); }); });
      }
    } catch (...) {  // no memory to wait with: in place, then
    }
    running->server.join();
  }

  App& app;
  Notes notes;
  http::Site site;
  std::string socket;
  std::shared_ptr<App::Running> running;
};

struct TestClient::State {
  State(App& app, const TestClientOptions& wanted)
      : options(wanted), server(app, options), client(client_options(options, server.socket)) {}

  void perform(const TestRequest& asked, const ClientRequest& request, TestResponse& got);
  static void send(const TestRequest& asked, std::string_view body, ClientExchange& exchange);
  void receive(ClientExchange& exchange, TestResponse& got) const;

  const TestClientOptions options;
  Server server;
  Client client;  // its connections end before the server does
  app::CookieJar cookies;
};

// ---- TestResponse

std::string_view TestResponse::header(std::string_view name,
                                      std::string_view fallback) const noexcept {
  return find_field(fields_, name, fallback);
}

std::vector<std::string_view> TestResponse::headers(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const ClientField& field : fields_) {
    if (http::equal_in_any_case(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

std::string_view TestResponse::trailer(std::string_view name,
                                       std::string_view fallback) const noexcept {
  return find_field(trailers_, name, fallback);
}

JsonNode TestResponse::json() const {
  if (document_ == nullptr) {
    auto parsed = JsonDocument::parse(body_);
    if (const auto* error = std::get_if<JsonError>(&parsed)) {
      throw std::runtime_error("the body is no JSON, " + error->text() + ": " +
                               body_.substr(0, 100));
    }
    document_ = std::make_shared<const JsonDocument>(std::move(std::get<JsonDocument>(parsed)));
  }
  return document_->root();
}

// ---- One request

void TestClient::State::send(const TestRequest& asked, std::string_view body,
                             ClientExchange& exchange) {
  // Where the server does not take it, its answer tells.
  if (!body.empty() && !exchange.write(body)) return;
  for (const std::string& piece : asked.chunks_) {
    if (!exchange.write(piece)) return;
  }
  for (const ClientField& field : asked.trailers_) {
    if (auto added = exchange.trailer(field.name, field.value); !added) {
      throw std::invalid_argument("a trailer of a TestRequest: " + added.error().text);
    }
  }
  static_cast<void>(exchange.finish());
}

void TestClient::State::receive(ClientExchange& exchange, TestResponse& got) const {
  const auto head = exchange.answer();
  if (!head) {
    got.error_ = head.error().message();
    return;
  }
  got.status_ = head->status();
  for (const ClientFieldView& field : head->headers()) {
    got.fields_.push_back({std::string(field.name), std::string(field.value)});
  }
  // What follows is another protocol's.
  constexpr int kSwitchingProtocols = 101;
  if (got.status_ == kSwitchingProtocols) {
    got.error_ = "the connection was upgraded: use client().stream() for that";
    return;
  }
  for (;;) {
    const auto part = exchange.read();
    if (!part) {
      got.error_ = part.error().message();
      return;
    }
    if (part->empty()) break;
    if (part->size() > options.body_bytes - got.body_.size()) {
      got.error_ = "the body is longer than " + std::to_string(options.body_bytes) + " bytes";
      return;
    }
    got.body_ += *part;
  }
  got.trailers_ = parse_trailers(exchange.trailers());
  got.complete_ = true;
}

void TestClient::State::perform(const TestRequest& asked, const ClientRequest& request,
                                TestResponse& got) {
  std::size_t size = request.body.size();
  for (const std::string& piece : asked.chunks_) size += piece.size();
  const bool at_once = size <= kBodyAtOnce;
  ClientRequest sent = request;
  std::string body;
  if (!at_once && !sent.body_of_unknown_length) {
    body.swap(sent.body);
    sent.body_length = body.size();
  }
  const auto exchange_all = [&] {
    detail::DeadlineScope deadline(
        detail::deadline_after(std::chrono::nanoseconds(options.timeout).count()));
    auto exchange = client.stream(sent);
    if (!exchange) {
      if (exchange.error().code == ClientErrorCode::refused_request ||
          exchange.error().code == ClientErrorCode::refused_url) {
        throw std::invalid_argument("a TestRequest: " + exchange.error().text);
      }
      got.error_ = exchange.error().message();
      return;
    }
    if (at_once) {
      if (sent.body_of_unknown_length) send(asked, {}, *exchange);
      return receive(*exchange, got);
    }
    // A server may answer before it has read a long body, and not read on until that is taken.
    scope([&](Scope& both) {
      both.spawn({.name = "request body"}, [&] { send(asked, body, *exchange); });
      receive(*exchange, got);
      both.cancel();
    });
  };
  if (at_once || gvt::current_io() != nullptr) return exchange_all();
  RunOptions run_options;
  run_options.on_deadlock = RunOptions::OnDeadlock::wait;
  run_options.stall_after = std::chrono::milliseconds(0);
  run_options.stack_bytes = options.server.stack_bytes;
  run(
      [&] {
        exchange_all();
        client.close_idle();  // before the worker ends that they may belong to
      },
      run_options);
}

TestResponse TestClient::ask_once(const TestRequest& asked) {
  State& state = *state_;
  ClientRequest request = asked.request_;
  const std::string path = request.url.substr(0, request.url.find('?'));
  const bool brings_cookies = std::any_of(
      request.headers.begin(), request.headers.end(),
      [](const ClientField& field) { return http::equal_in_any_case(field.name, "cookie"); });
  if (state.options.keep_cookies && !brings_cookies) {
    std::string field = state.cookies.field(path, std::time(nullptr));
    if (!field.empty()) request.headers.push_back({"Cookie", std::move(field)});
  }
  TestResponse got;
  got.target_ = request.url;
  const auto [lines, failures] = state.server.notes.sizes();
  try {
    state.perform(asked, request, got);
  } catch (const Cancelled& cause) {
    got.error_ = cause.error().message();
  }
  got.log_ = state.server.notes.lines(lines);
  if (std::string thrown = state.server.notes.failure(failures); !thrown.empty()) {
    got.error_ = std::move(thrown);
  }
  if (state.options.keep_cookies) {
    for (const std::string_view field : got.headers("set-cookie")) {
      state.cookies.take(field, path, std::time(nullptr));
    }
  }
  return got;
}

namespace {

// Where the answer sends the client, if that is on this server (RFC 9110 §15.4).
std::optional<std::string> redirect_of(const TestResponse& answer, const std::string& host) {
  const int status = answer.status();
  const bool redirects =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  const std::string_view location = answer.header("location");
  if (!redirects || location.empty()) return std::nullopt;
  constexpr std::size_t kMostBytes = 8 * 1024;
  http::ClientUrl from;
  http::ClientUrl to;
  if (!http::parse_url("http://" + host + answer.target(), kMostBytes, from).empty() ||
      !http::resolve_url(from, location, kMostBytes, to).empty() || !to.same_origin(from)) {
    return std::nullopt;
  }
  return to.target;
}

}  // namespace

// ---- TestClient

TestClient::TestClient(App& app, const TestClientOptions& options)
    : state_(std::make_unique<State>(app, options)) {}

TestClient::~TestClient() = default;

TestResponse TestClient::request(const TestRequest& request) {
  if (!request.request_.url.starts_with('/')) {
    throw std::invalid_argument("a TestRequest for \"" + request.request_.url +
                                "\": the target begins with a slash");
  }
  TestRequest next = request;
  for (unsigned followed = 0;; ++followed) {
    TestResponse got = ask_once(next);
    if (followed == state_->options.redirects) return got;
    auto target = redirect_of(got, state_->options.host);
    if (!target) return got;
    next.request_.url = std::move(*target);
    const bool was_post = next.request_.method == "POST";
    const bool to_get = (got.status() == 303 && next.request_.method != "HEAD") ||
                        ((got.status() == 301 || got.status() == 302) && was_post);
    if (!to_get) continue;
    next.request_.method = "GET";
    next.request_.body.clear();
    next.request_.body_of_unknown_length = false;
    next.chunks_.clear();
    next.trailers_.clear();
    std::erase_if(next.request_.headers, [](const ClientField& field) {
      return http::equal_in_any_case(field.name, "content-type");
    });
  }
}

TestResponse TestClient::get(std::string target) {
  return request(TestRequest("GET", std::move(target)));
}
TestResponse TestClient::head(std::string target) {
  return request(TestRequest("HEAD", std::move(target)));
}
TestResponse TestClient::options(std::string target) {
  return request(TestRequest("OPTIONS", std::move(target)));
}
TestResponse TestClient::del(std::string target) {
  return request(TestRequest("DELETE", std::move(target)));
}
TestResponse TestClient::post(std::string target, std::string body, std::string content_type) {
  return request(TestRequest("POST", std::move(target)).body(std::move(body), content_type));
}
TestResponse TestClient::put(std::string target, std::string body, std::string content_type) {
  return request(TestRequest("PUT", std::move(target)).body(std::move(body), content_type));
}
TestResponse TestClient::patch(std::string target, std::string body, std::string content_type) {
  return request(TestRequest("PATCH", std::move(target)).body(std::move(body), content_type));
}
TestResponse TestClient::post_json(std::string target, std::initializer_list<JsonMember> object) {
  return post_json(std::move(target), JsonValue(object));
}
TestResponse TestClient::post_json(std::string target, const JsonValue& value) {
  return request(TestRequest("POST", std::move(target)).json(value));
}
TestResponse TestClient::put_json(std::string target, std::initializer_list<JsonMember> object) {
  return put_json(std::move(target), JsonValue(object));
}
TestResponse TestClient::put_json(std::string target, const JsonValue& value) {
  return request(TestRequest("PUT", std::move(target)).json(value));
}
TestResponse TestClient::patch_json(std::string target, std::initializer_list<JsonMember> object) {
  return patch_json(std::move(target), JsonValue(object));
}
TestResponse TestClient::patch_json(std::string target, const JsonValue& value) {
  return request(TestRequest("PATCH", std::move(target)).json(value));
}
TestResponse TestClient::post_form(std::string target, const TestForm& form) {
  return request(TestRequest("POST", std::move(target)).form(form));
}

std::string TestClient::send_raw(std::string_view bytes) {
  detail::DeadlineScope deadline(
      detail::deadline_after(std::chrono::nanoseconds(state_->options.timeout).count()));
  auto stream = UnixStream::connect(state_->server.socket);
  if (!stream) return {};
  // A server that refuses what comes may have closed before all of it was sent.
  static_cast<void>(stream->write(bytes));
  stream->shutdown_write();
  std::string received;
  std::array<char, kReadBytes> block{};
  for (;;) {
    const auto got = stream->read(block);
    if (!got || *got == 0 || received.size() > state_->options.body_bytes) return received;
    received.append(block.data(), *got);
  }
}

std::string_view TestClient::cookie(std::string_view name) const noexcept {
  return state_->cookies.find(name);
}
void TestClient::set_cookie(std::string name, std::string value) {
  state_->cookies.set(std::move(name), std::move(value), "/");
}
void TestClient::clear_cookies() noexcept { state_->cookies.clear(); }

std::vector<std::string> TestClient::log() const { return state_->server.notes.lines(); }
Client& TestClient::client() noexcept { return state_->client; }

}  // namespace weft
