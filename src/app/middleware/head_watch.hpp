// HeadWatch: tells middleware that a streamed answer's head is about to be sent.
//
//     HeadWatch watch(context.exchange(), [&] { … });
//     next();
//
// Stands in front of what carries the bodies, from its making to its end, on the middleware's
// stack. The function is called once at most, when the handler first writes, flushes, sends a file
// or changes the protocol. For an answer that is sent whole whoever has made this calls
// head_goes(). Of one thread, as its request is.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "http/exchange.hpp"

namespace weft::app {

template <class Function>
class HeadWatch final : public http::BodySource {
 public:
  HeadWatch(http::Exchange& exchange, Function function)
      : exchange_(exchange), behind_(exchange.bodies()), function_(std::move(function)) {
    exchange_.set_bodies(*this);
  }
  ~HeadWatch() { exchange_.set_bodies(behind_); }
  HeadWatch(const HeadWatch&) = delete;
  HeadWatch& operator=(const HeadWatch&) = delete;

  std::string_view read_body() override { return behind_.read_body(); }
  std::string_view read_part(std::size_t most) override { return behind_.read_part(most); }
  void begin_answer_stream(std::optional<std::uint64_t> length) override {
    behind_.begin_answer_stream(length);
  }
  void write_part(std::string_view bytes) override {
    head_goes();
    behind_.write_part(bytes);
  }
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override {
    head_goes();
    behind_.write_file(file, offset, size);
  }
  void flush_parts() override {
    head_goes();
    behind_.flush_parts();
  }
  void add_trailer(std::string_view name, std::string_view value) override {
    behind_.add_trailer(name, value);
  }
  void change_protocol(std::string_view protocol) override {
    head_goes();
    behind_.change_protocol(protocol);
  }
  bool answer_is_streamed() const noexcept override { return behind_.answer_is_streamed(); }
  std::uint64_t written() const noexcept override { return behind_.written(); }
  const http::Site& site() const noexcept override { return behind_.site(); }
  std::optional<Endpoint> peer() const noexcept override { return behind_.peer(); }

  // Unless it has been, or what is set now comes too late.
  void head_goes() {
    if (std::exchange(told_, true) || exchange_.response().head_is_out) return;
    function_();
  }

 private:
  http::Exchange& exchange_;
  http::BodySource& behind_;
  Function function_;
  bool told_ = false;
};

}  // namespace weft::app
