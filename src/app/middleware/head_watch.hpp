// HeadWatch: stands before a request's bodies and has a last word before the head of the answer is
// sent, when that happens while the handler still runs.
//
// Invariants: it lives on the stack of its middleware, puts itself in front and is taken away again
// at its end. before_head() is called at most once; not at all for an answer that is not streamed.
// Belongs to its request.
#pragma once

#include "http/exchange.hpp"

namespace weft::app {

class HeadWatch : public http::BodySource {
 public:
  explicit HeadWatch(http::Exchange& exchange) noexcept
      : exchange_(exchange), behind_(exchange.bodies()) {
    exchange.set_bodies(*this);
  }
  HeadWatch(const HeadWatch&) = delete;
  HeadWatch& operator=(const HeadWatch&) = delete;

  std::string_view read_body() override { return behind_.read_body(); }
  std::string_view read_part(std::size_t most) override { return behind_.read_part(most); }
  void begin_answer_stream(std::optional<std::uint64_t> length) override {
    behind_.begin_answer_stream(length);
  }
  void write_part(std::string_view bytes) override {
    if (!bytes.empty()) announce_head();
    behind_.write_part(bytes);
  }
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override {
    announce_head();
    behind_.write_file(file, offset, size);
  }
  void flush_parts() override {
    announce_head();
    behind_.flush_parts();
  }
  void add_trailer(std::string_view name, std::string_view value) override {
    behind_.add_trailer(name, value);
  }
  void change_protocol(std::string_view protocol) override {
    announce_head();
    behind_.change_protocol(protocol);
  }
  bool answer_is_streamed() const noexcept override { return behind_.answer_is_streamed(); }
  std::uint64_t written() const noexcept override { return behind_.written(); }
  const http::Site& site() const noexcept override { return behind_.site(); }
  std::optional<weft::Endpoint> peer() const noexcept override { return behind_.peer(); }

 protected:
  ~HeadWatch() { exchange_.set_bodies(behind_); }

  // The last moment at which status and headers may be changed. May park.
  virtual void before_head() = 0;
  // Calls it, unless that was done.
  void announce_head() {
    if (announced_) return;
    announced_ = true;
    before_head();
  }

 private:
  http::Exchange& exchange_;
  http::BodySource& behind_;
  bool announced_ = false;
};

}  // namespace weft::app
