// PoolBodies: the bodies of a request whose handler runs on a pool thread.
//
// The request's has been read whole before; the answer's is kept until the request is back on its
// worker. What would need the worker meanwhile (streams, files, another protocol) is refused with a
// std::logic_error that says what to do. Whoever has the request.
#pragma once

#include <string_view>

#include "http/exchange.hpp"

namespace weft::exec {

class PoolBodies final : public http::BodySource {
 public:
  // Reads the whole body, on the worker: parks until it has arrived, and throws as that does.
  explicit PoolBodies(http::Exchange& exchange)
      : exchange_(exchange), behind_(exchange.bodies()), body_(exchange.read_body()) {}
  PoolBodies(const PoolBodies&) = delete;
  PoolBodies& operator=(const PoolBodies&) = delete;

  // On the worker: around the time on the pool.
  void stand_in_front() noexcept { exchange_.set_bodies(*this); }
  void stand_back() noexcept { exchange_.set_bodies(behind_); }
  // Whether something was refused.
  bool refused() const noexcept { return refused_; }

  std::string_view read_body() override { return body_; }
  std::string_view read_part(std::size_t most) override;
  void begin_answer_stream(std::optional<std::uint64_t> length) override;
  void write_part(std::string_view bytes) override;
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override;
  void flush_parts() override;
  void add_trailer(std::string_view name, std::string_view value) override;
  void change_protocol(std::string_view protocol) override;
  bool answer_is_streamed() const noexcept override { return false; }
  std::uint64_t written() const noexcept override { return 0; }
  const http::Site& site() const noexcept override { return behind_.site(); }
  std::optional<weft::Endpoint> peer() const noexcept override { return behind_.peer(); }

 private:
  [[noreturn]] void refuse(const char* what);

  http::Exchange& exchange_;
  http::BodySource& behind_;
  std::string_view body_;
  std::size_t given_ = 0;  // of the body, to one who reads it piece by piece
  bool refused_ = false;
};

}  // namespace weft::exec
