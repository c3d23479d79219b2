// Exchange: one request and the response to it, as a handler sees them.
//
// Stands in an ActiveRequest, which the connection model keeps. What it hands out (views of the
// head, parameters, the body) stays valid until the handler returns, also across parks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "http/head_parser.hpp"
#include "http/response.hpp"
#include "http/router.hpp"

namespace weft::http {

// Thrown through a handler when its request cannot be completed any more: the client went away, or
// its body was malformed, too large or too late. The connection answers `status`, or closes if 0.
struct RequestAborted {
  int status;
  std::string_view reason;
};

// The bodies of a request and of its answer, as its connection carries them. What waits, parks;
// throws RequestAborted, Cancelled, and std::logic_error where a handler does what makes no sense.
class BodySource {
 public:
  // The whole body.
  virtual std::string_view read_body() = 0;
  // The next bytes of it, one at least and at most so many, valid until the next call; none at its
  // end. When it has been read whole it begins anew.
  virtual std::string_view read_part(std::size_t most) = 0;

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

 protected:
  ~BodySource() = default;
};

class Exchange {
 public:
  Exchange(HeadView head, BodySource& body_source) noexcept
      : head_(head), body_source_(body_source) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const HeadView& head() const noexcept { return head_; }
  Response& response() noexcept { return response_; }
  Params& params() noexcept { return params_; }
  std::string_view read_body() { return body_source_.read_body(); }
  BodySource& bodies() noexcept { return body_source_; }
  // The lines of the trailer section, once the body has been read.
  std::string& trailers() noexcept { return trailers_; }

  // What the body was taken apart into, by whoever did that first.
  std::shared_ptr<void>& form() noexcept { return form_; }

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
  std::string_view keep(std::string text) { return kept_.emplace_front(std::move(text)); }

 private:
  HeadView head_;
  BodySource& body_source_;
  Params params_;
  Response response_;
  std::string trailers_;
  std::forward_list<std::string> kept_;
  std::shared_ptr<void> form_;
  alignas(void*) std::byte shown_[2 * sizeof(void*)];
};

}  // namespace weft::http
