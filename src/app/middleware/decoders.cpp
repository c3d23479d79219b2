// The only place that knows the libraries which unpack bodies.
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <utility>

#include "app/middleware/decoder.hpp"
#include "http/head_parser.hpp"

namespace weft::app {

namespace {

// The largest window there is, and what zlib is to take: its own format or that of gzip.
constexpr int kZlibWindow = 15;
constexpr int kAsGzip = 16;
// 8 MiB: what a decoder of HTTP's must have at least, and what no sender may exceed (RFC 9659 §3).
constexpr int kMostZstdWindow = 23;

constexpr std::array<std::string_view, kBodyCodings> kNames{"gzip", "deflate", "br", "zstd"};

// gzip, of which one may stand behind another (RFC 1952 §2.2), or zlib's format, which HTTP calls
// deflate (RFC 9110 §8.4.1.2).
class ZlibDecoder final : public Decoder {
 public:
  explicit ZlibDecoder(bool is_gzip) : is_gzip_(is_gzip) {
    if (::inflateInit2(&stream_, kZlibWindow + (is_gzip ? kAsGzip : 0)) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~ZlibDecoder() override { ::inflateEnd(&stream_); }

  State step(CodingStep& step) override {
    if (ended_ && !step.in.empty()) {
      if (!is_gzip_ || ::inflateReset(&stream_) != Z_OK) return State::malformed;
      ended_ = false;
    }
    // zlib counts in 32 bits; it does not write to its input, and only does not say so.
    constexpr std::size_t kMost = 0x4000'0000;
    const auto in = static_cast<uInt>(std::min(step.in.size(), kMost));
    const auto room = static_cast<uInt>(std::min(step.room, kMost));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(step.in.data()));
    stream_.avail_in = in;
    stream_.next_out = reinterpret_cast<Bytef*>(step.out);
    stream_.avail_out = room;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    step.in.remove_prefix(in - stream_.avail_in);
    step.out += room - stream_.avail_out;
    step.room -= room - stream_.avail_out;
    switch (result) {
      case Z_STREAM_END: ended_ = true; return State::ended;
      case Z_OK:
      case Z_BUF_ERROR: return State::more;  // the latter: it could do nothing without more
      case Z_MEM_ERROR: throw std::bad_alloc();
      default: return State::malformed;
    }
  }

 private:
  z_stream stream_{};
  bool is_gzip_;
  bool ended_ = false;
};

// A window is of 16 MiB at most, since large ones are no coding of HTTP's.
class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder() : state_(::BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) throw std::bad_alloc();
  }
  ~BrotliDecoder() override { ::BrotliDecoderDestroyInstance(state_); }

  State step(CodingStep& step) override {
    if (::BrotliDecoderIsFinished(state_) != 0) return State::malformed;
    std::size_t in = step.in.size();
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(step.in.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(step.out);
    const BrotliDecoderResult result =
        ::BrotliDecoderDecompressStream(state_, &in, &next_in, &step.room, &next_out, nullptr);
    step.in.remove_prefix(step.in.size() - in);
    step.out = reinterpret_cast<char*>(next_out);
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS: return State::ended;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return State::more;
      case BROTLI_DECODER_RESULT_ERROR: break;
    }
    const BrotliDecoderErrorCode error = ::BrotliDecoderGetErrorCode(state_);
    if (error <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        error >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES) {
      throw std::bad_alloc();
    }
    return State::malformed;
  }

 private:
  BrotliDecoderState* state_;
};

// Frames may stand behind one another (RFC 8878 §3).
class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : context_(::ZSTD_createDCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    if (::ZSTD_isError(::ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMostZstdWindow)) !=
        0) {
      ::ZSTD_freeDCtx(context_);
      throw std::runtime_error("zstd refuses a window of 8 MiB");
    }
  }
  ~ZstdDecoder() override { ::ZSTD_freeDCtx(context_); }

  State step(CodingStep& step) override {
    ZSTD_inBuffer in{step.in.data(), step.in.size(), 0};
    ZSTD_outBuffer out{step.out, step.room, 0};
    const std::size_t left = ::ZSTD_decompressStream(context_, &out, &in);
    step.in.remove_prefix(in.pos);
    step.out += out.pos;
    step.room -= out.pos;
    if (::ZSTD_isError(left) == 0) return left == 0 ? State::ended : State::more;
    switch (::ZSTD_getErrorCode(left)) {
      case ZSTD_error_memory_allocation: throw std::bad_alloc();
      case ZSTD_error_frameParameter_windowTooLarge: return State::too_large;
      default: return State::malformed;
    }
  }

 private:
  ZSTD_DCtx* context_;
};

}  // namespace

std::optional<BodyCoding> body_coding_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (http::equals_ignoring_case(name, kNames[i])) return static_cast<BodyCoding>(i);
  }
  // RFC 9110 §8.4.1.3.
  if (http::equals_ignoring_case(name, "x-gzip")) return BodyCoding::gzip;
  return std::nullopt;
}

std::string_view name_of(BodyCoding coding) { return kNames[static_cast<std::size_t>(coding)]; }

std::unique_ptr<Decoder> make_decoder(BodyCoding coding) {
  switch (coding) {
    case BodyCoding::gzip: return std::make_unique<ZlibDecoder>(true);
    case BodyCoding::deflate: return std::make_unique<ZlibDecoder>(false);
    case BodyCoding::brotli: return std::make_unique<BrotliDecoder>();
    case BodyCoding::zstd: return std::make_unique<ZstdDecoder>();
  }
  throw std::logic_error("no such coding");
}

}  // namespace weft::app
