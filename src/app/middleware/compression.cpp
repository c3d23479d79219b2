#include "app/middleware/compression.hpp"

#include <algorithm>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>

#include "app/media_type.hpp"
#include "app/middleware/encoder.hpp"
#include "http/head_parser.hpp"
#include "http/header_text.hpp"
#include "http/letter_case.hpp"
#include "http/response_fields.hpp"
#include "http/status.hpp"
#include "weft/blocking.hpp"

namespace weft::app {

namespace {

using http::ContentCoding;

void require_level(const char* name, int level, int least, int most) {
  if (level >= least && level <= most) return;
  throw std::invalid_argument("compress: " + std::string(name) + " must be from " +
                              std::to_string(least) + " to " + std::to_string(most) + ", not " +
                              std::to_string(level));
}

bool ends_with_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() > lower.size() &&
         http::equals_ignoring_case(text.substr(text.size() - lower.size()), lower);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
  return http::equals_ignoring_case(text.substr(0, lower.size()), lower);
}

// Packs `body` into `packed`, which is all the room there is. How much it came to; nothing when
// there was not enough.
std::optional<std::size_t> pack(std::string_view body, const EncoderSetup& setup,
                                std::span<char> packed) {
  const TakenEncoder encoder = take_encoder(setup);
  CodingStep step{body, packed.data(), packed.size()};
  while (!encoder->step(step, Encoder::Until::finished)) {
    if (step.room == 0) return std::nullopt;
  }
  return packed.size() - step.room;
}

}  // namespace

Compression::Compression(const CompressOptions& options)
    : levels_{0, options.gzip_level, options.brotli_level, options.zstd_level},
      min_bytes_(options.min_bytes),
      offload_bytes_(options.offload_bytes),
      streams_per_worker_(options.streams_per_worker) {
  require_level("zstd_level", options.zstd_level, 1, 19);
  require_level("brotli_level", options.brotli_level, 0, 11);
  require_level("gzip_level", options.gzip_level, 1, 9);
  for (const std::string& name : options.codings) {
    const auto coding = http::content_coding_of(name);
    if (!coding || *coding == ContentCoding::identity) {
      throw std::invalid_argument("compress: unknown coding '" + name +
                                  "'; there are zstd, br and gzip");
    }
    codings_.push_back(*coding);
  }
  if (codings_.empty()) {
    throw std::invalid_argument("compress: no codings; name one of zstd, br and gzip at least");
  }
  for (const std::string& type : options.types) {
    const std::string lower = http::in_lower_case(std::string(type));
    if (lower.starts_with("*+") && lower.size() > 2) {
      endings_.push_back(lower.substr(1));
    } else if (lower.ends_with("/*") && lower.size() > 2 && lower.find('*') == lower.size() - 1) {
      kinds_.push_back(lower.substr(0, lower.size() - 1));
    } else if (lower.find('*') == std::string::npos && lower.find(';') == std::string::npos &&
               lower.find('/') != std::string::npos) {
      exact_.push_back(lower);
    } else {
      throw std::invalid_argument("compress: the media type '" + type +
                                  "' must be like text/html, text/* or *+json");
    }
  }
}

bool Compression::is_worth_it(std::string_view content_type) const {
  const std::string_view essence = media_type(content_type).essence;
  if (essence.empty()) return false;
  const auto any = [&](const std::vector<std::string>& all, const auto& fits) {
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& one) { return fits(essence, one); });
  };
  return any(kinds_, starts_with_ignoring_case) || any(exact_, http::equals_ignoring_case) ||
         any(endings_, ends_with_ignoring_case);
}

Compression::Choice Compression::choose(const http::Response& response,
                                        const http::AcceptedCodings& accepted) const {
  Choice choice;
  const int status = response.status;
  // A part of a file is one of what the client has the rest of.
  const bool has_body = status >= 200 && http::allows_body(status) && status != 206;
  if (!has_body || !response.upgrade.empty() || !is_worth_it(response.content_type) ||
      http::find_field(response, "content-encoding") ||
      http::find_field(response, "content-range") ||
      http::lists_element(response, "cache-control", "no-transform")) {
    return choice;
  }
  choice.varies = true;
  choice.coding = accepted.choose(codings_);
  return choice;
}

bool encode_whole(http::Response& response, ContentCoding coding, const Compression& compression,
                  bool whatever_it_comes_to) {
  const std::string_view body = response.body.view();
  const EncoderSetup setup{coding, compression.level(coding), body.size()};
  // What none of them exceeds, even for what does not shrink.
  const std::size_t room =
      whatever_it_comes_to ? body.size() + body.size() / 100 + 1024 : body.size();
  std::vector<char> own;
  // Nothing parks while this one is in use.
  thread_local std::vector<char> shared;
  const bool offload = body.size() > compression.offload_bytes();
  std::vector<char>& packed = offload ? own : shared;
  try {
    if (packed.size() < room) packed.resize(room);
    const auto pack_it = [&] { return pack(body, setup, {packed.data(), room}); };
    const auto size = offload ? blocking(pack_it) : pack_it();
    if (!size) return false;
    response.body.assign({packed.data(), *size});
    return true;
  } catch (const std::bad_alloc&) {
    // Without the memory for it the answer goes out as it is.
    return false;
  }
}

}  // namespace weft::app
