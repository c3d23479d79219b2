// Compression: what compress() was told, ready to be asked for each answer.
//
// Made once and only read from then on. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/content_coding.hpp"
#include "http/response.hpp"
#include "weft/middleware/compress.hpp"

namespace weft::app {

class Compression {
 public:
  // Throws std::invalid_argument.
  explicit Compression(const CompressOptions& options);

  // What an answer is to be as far as its head tells.
  struct Choice {
    bool varies = false;  // others of its kind depend on what the client takes
    http::ContentCoding coding = http::ContentCoding::identity;
  };
  Choice choose(const http::Response& response, const http::AcceptedCodings& accepted) const;
  bool is_worth_it(std::string_view content_type) const;
  bool is_too_short(std::uint64_t size, const http::AcceptedCodings& accepted) const {
    return size < min_bytes_ && accepted.takes_identity();
  }
  int level(http::ContentCoding coding) const { return levels_[static_cast<std::size_t>(coding)]; }
  std::size_t offload_bytes() const { return offload_bytes_; }
  std::size_t streams_per_worker() const { return streams_per_worker_; }

 private:
  std::vector<http::ContentCoding> codings_;
  std::array<int, http::kContentCodings> levels_;
  std::vector<std::string> exact_;    // "text/html"
  std::vector<std::string> kinds_;    // "text/"
  std::vector<std::string> endings_;  // "+json"
  std::size_t min_bytes_;
  std::size_t offload_bytes_;
  std::size_t streams_per_worker_;
};

// Puts the body of a whole answer into a coding, unless that does not make it shorter. Parks while
// a long one is packed. Whether it did.
bool encode_whole(http::Response& response, http::ContentCoding coding,
                  const Compression& compression, bool whatever_it_comes_to);

}  // namespace weft::app
