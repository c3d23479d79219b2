// Exchange: one request and the response to it, as a handler sees them.
//
// Stands in an ActiveRequest, which the connection model keeps. What it hands out (views of the
// head, parameters, the body) stays valid until the handler returns, also across parks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "http/answer_observer.hpp"
#include "http/forwarded.hpp"
#include "http/head_parser.hpp"
#include "http/response.hpp"
#include "http/router.hpp"
#include "weft/endpoint.hpp"
#include "weft/values.hpp"

namespace weft::http {

struct Site;

// Thrown through a handler when its request cannot be completed any more: the client went away, or
// its body was malformed, too large or too late. The connection answers `status`, or closes if 0.
struct RequestAborted {
  int status;
  std::string_view reason;
};

// Its body is longer than it may be.
inline RequestAborted body_too_long() noexcept {
  return {413, "the request body is longer than the limit\n"};
}

// It is packed, and nothing here unpacks it.
inline RequestAborted body_is_encoded() noexcept {
  return {415, "the request body has a Content-Encoding; send it as it is\n"};
}

// It went away.
inline RequestAborted client_gone() noexcept { return {0, "the client has gone"}; }

// The bodies of a request and of its answer, as its connection carries them, or as what stands in
// front of it passes them on. What waits, parks; throws RequestAborted, Cancelled, and
// std::logic_error where a handler does what makes no sense.
class BodySource {
 public:
  // The whole body.
  virtual std::string_view read_body() = 0;
  // The next bytes of it, one at least and at most so many, valid until the next call; none at its
  // end. When it has been read whole it begins anew.
  virtual std::string_view read_part(std::size_t most) = 0;
  // Whether both unpack what the Content-Encoding says.
  virtual bool unpacks_body() const noexcept { return false; }

  // The answer is written piece by piece from now on, in all so many bytes if that is known.
  virtual void begin_answer_stream(std::optional<std::uint64_t> length) = 0;
  virtual void write_part(std::string_view bytes) = 0;
  // The next so many bytes are a file's. Throws std::runtime_error when it does not have them.
  virtual void write_file(int file, std::uint64_t offset, std::uint64_t size) = 0;
  virtual void flush_parts() = 0;
  virtual void add_trailer(std::string_view name, std::string_view value) = 0;
  // Answers 101; both streams are the other protocol's from then on. Throws RequestAborted when
  // the client has not asked for it.
  virtual void change_protocol(std::string_view protocol) = 0;
  // Whether the answer is written piece by piece, and how many bytes of its body were.
  virtual bool answer_is_streamed() const noexcept = 0;
  virtual std::uint64_t written() const noexcept = 0;

  virtual const Site& site() const noexcept = 0;
  // The other end, where that is known.
  virtual std::optional<weft::Endpoint> peer() const noexcept = 0;
  // Whether the server is about to end. Of a connection; what stands in front of it is not asked.
  virtual bool is_draining() const noexcept { return false; }

 protected:
  ~BodySource() = default;
};

class Exchange {
 public:
  Exchange(HeadView head, BodySource& connection) noexcept
      : head_(head), connection_(connection), bodies_(&connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const HeadView& head() const noexcept { return head_; }
  Response& response() noexcept { return response_; }
  Params& params() noexcept { return params_; }
  std::string_view read_body() { return bodies_->read_body(); }
  BodySource& bodies() noexcept { return *bodies_; }
  const BodySource& bodies() const noexcept { return *bodies_; }
  // Puts another in front of it; whoever does puts back what was there.
  void set_bodies(BodySource& bodies) noexcept { bodies_ = &bodies; }
  BodySource& connection() noexcept { return connection_; }
  const Site& site() const noexcept { return connection_.site(); }
  // What is looked for among the routes: the path as sent, unless it was rewritten.
  std::string_view path() const noexcept {
    return extras_ == nullptr || extras_->rewritten.data() == nullptr ? head_.path()
                                                                      : extras_->rewritten;
  }
  void rewrite(std::string path) { extras().rewritten = keep(std::move(path)); }
  // A body may have so many bytes, and not more than the server's limits say.
  std::uint64_t body_limit() const noexcept {
    return extras_ == nullptr ? kNoLimit : extras_->body_limit;
  }
  void limit_body(std::uint64_t bytes) { extras().body_limit = bytes; }
  // Once someone has asked for it.
  std::unique_ptr<Forwarded>& forwarded() { return extras().forwarded; }
  // What is called: the endpoint's object, and null while no route fits.
  void* route_object() const noexcept { return route_object_; }
  void set_route_object(void* object) noexcept { route_object_ = object; }
  // Why no route fits; stands on the stack of whoever calls the endpoint for that.
  const Match* unrouted() const noexcept { return unrouted_; }
  void set_unrouted(const Match* match) noexcept { unrouted_ = match; }
  Values& values() {
    auto& kept = extras().values;
    if (kept == nullptr) kept = std::make_unique<Values>();
    return *kept;
  }
  // Null where nobody has asked for any.
  Values* values_if_any() noexcept { return extras_ != nullptr ? extras_->values.get() : nullptr; }
  // What answers in front of all routes, under which figures and logs have it; null: nothing. The
  // text stays for as long as the server.
  const std::string* mount() const noexcept {
    return extras_ != nullptr ? extras_->mount : nullptr;
  }
  void set_mount(const std::string& name) { extras().mount = &name; }
  // The lines of the trailer section, once the body has been read.
  std::string& trailers() { return extras().trailers; }

  // When it began, as far as handlers go.
  ksvc::TimePoint began() const noexcept { return began_; }
  void begins(ksvc::TimePoint now) noexcept { began_ = now; }
  // Middleware's, told of the end of this answer as the worker's own observer is. False when there
  // are too many.
  bool observe(AnswerObserver& observer) {
    Extras& own = extras();
    if (own.observer_count == own.observers.size()) return false;
    own.observers[own.observer_count++] = &observer;
    is_watched_ = true;
    return true;
  }
  std::span<AnswerObserver* const> observers() const noexcept {
    if (extras_ == nullptr) return {};
    return std::span(extras_->observers).first(extras_->observer_count);
  }

  // Whether anybody is to be told of the end of this answer.
  bool is_watched() const noexcept { return is_watched_; }
  void watch() noexcept { is_watched_ = true; }

  // What the body was taken apart into, by whoever did that first.
  std::shared_ptr<void>& form() { return extras().form; }

  // What a handler is given in place of this, when it must stay until the request has ended.
  template <class View>
  View& show_as() noexcept {
    static_assert(sizeof(View) <= sizeof shown_ && std::is_trivially_destructible_v<View>);
    return *new (shown_) View(*this);
  }
  // After that.
  template <class View>
  View& shown_as() noexcept {
    return *static_cast<View*>(static_cast<void*>(shown_));
  }

  // Keeps text for as long as the exchange lives.
  std::string_view keep(std::string text) { return extras().kept.emplace_front(std::move(text)); }

 private:
  static constexpr std::uint64_t kNoLimit = UINT64_MAX;

  // What few requests have, so that the others pay for a pointer alone.
  struct Extras {
    std::string trailers;
    std::forward_list<std::string> kept;
    std::shared_ptr<void> form;
    std::unique_ptr<Values> values;  // an empty one takes memory already
    std::unique_ptr<Forwarded> forwarded;
    std::string_view rewritten;
    const std::string* mount = nullptr;
    std::uint64_t body_limit = kNoLimit;
    // One for the application, its groups and the route.
    std::array<AnswerObserver*, 4> observers{};
    std::uint8_t observer_count = 0;
  };
  Extras& extras() {
    if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
    return *extras_;
  }

  HeadView head_;
  BodySource& connection_;
  BodySource* bodies_;
  void* route_object_ = nullptr;
  const Match* unrouted_ = nullptr;
  ksvc::TimePoint began_;
  bool is_watched_ = false;
  Params params_;
  Response response_;
  std::unique_ptr<Extras> extras_;
  alignas(void*) std::byte shown_[2 * sizeof(void*)];
};

// Throws the 415 of an encoded body, which says what is taken, unless something here unpacks it.
inline void require_unpacked(Exchange& exchange) {
  if (exchange.bodies().unpacks_body()) return;
  exchange.response().add_lasting_field("Accept-Encoding", "identity");
  throw body_is_encoded();
}

}  // namespace weft::http
