// PassedBodies: a BodySource in front of another, which passes all on; for middleware that changes
// some of it.
//
// Stands in front from when it is made until it goes. Belongs to its request.
#pragma once

#include "http/exchange.hpp"

namespace weft::app {

class PassedBodies : public http::BodySource {
 public:
  explicit PassedBodies(http::Exchange& exchange) noexcept
      : exchange_(exchange), behind_(exchange.bodies()) {
    exchange.set_bodies(*this);
  }
  PassedBodies(const PassedBodies&) = delete;
  PassedBodies& operator=(const PassedBodies&) = delete;

  std::string_view read_body() override { return behind_.read_body(); }
  std::string_view read_part(std::size_t most) override { return behind_.read_part(most); }
  bool unpacks_body() const noexcept override { return behind_.unpacks_body(); }
  void begin_answer_stream(std::optional<std::uint64_t> length) override {
    behind_.begin_answer_stream(length);
  }
  void write_part(std::string_view bytes) override { behind_.write_part(bytes); }
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override {
    behind_.write_file(file, offset, size);
  }
  void flush_parts() override { behind_.flush_parts(); }
  void add_trailer(std::string_view name, std::string_view value) override {
    behind_.add_trailer(name, value);
  }
  void change_protocol(std::string_view protocol) override { behind_.change_protocol(protocol); }
  bool answer_is_streamed() const noexcept override { return behind_.answer_is_streamed(); }
  std::uint64_t written() const noexcept override { return behind_.written(); }
  const http::Site& site() const noexcept override { return behind_.site(); }
  std::optional<weft::Endpoint> peer() const noexcept override { return behind_.peer(); }

 protected:
  ~PassedBodies() { exchange_.set_bodies(behind_); }

  http::Exchange& exchange() const noexcept { return exchange_; }
  http::BodySource& behind() const noexcept { return behind_; }

 private:
  http::Exchange& exchange_;
  http::BodySource& behind_;
};

}  // namespace weft::app
