// The only place that knows the libraries which pack bodies; decoders.cpp knows how to unpack them.
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "app/middleware/encoder.hpp"

namespace weft::app {

namespace {

using http::ContentCoding;

// Of bodies that are streamed: less than whole ones have, for an eighth of the memory.
constexpr int kStreamedGzipWindow = 13;
constexpr int kStreamedGzipMemory = 7;
constexpr int kStreamedBrotliWindow = 16;
constexpr int kStreamedZstdWindow = 16;
constexpr int kStreamedZstdTables = 15;
// 32 KiB and the memory of zlib's own default.
constexpr int kGzipWindow = 15;
constexpr int kGzipMemory = 8;
// What gzip is to be, as zlib wants to be told.
constexpr int kAsGzip = 16;
// No window of a whole body is larger: beyond it little is gained for text.
constexpr int kMostBrotliWindow = 18;

// zlib counts in 32 bits.
uInt at_most_4_gib(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, 0x4000'0000));
}

[[noreturn]] void fail(const char* library) {
  throw std::runtime_error(std::string(library) + " refuses what it is given");
}

Bytef* bytes_of(const char* text) {
  // zlib does not write there; it only does not say so.
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

class GzipEncoder final : public Encoder {
 public:
  explicit GzipEncoder(bool streamed) {
    const int window = (streamed ? kStreamedGzipWindow : kGzipWindow) + kAsGzip;
    const int memory = streamed ? kStreamedGzipMemory : kGzipMemory;
    if (::deflateInit2(&stream_, level_, Z_DEFLATED, window, memory, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~GzipEncoder() override { ::deflateEnd(&stream_); }

  void begin(const EncoderSetup& setup) override {
    ::deflateReset(&stream_);
    if (setup.level == level_) return;
    level_ = setup.level;
    if (::deflateParams(&stream_, level_, Z_DEFAULT_STRATEGY) != Z_OK) fail("zlib");
  }
  bool step(CodingStep& step, Until until) override {
    const uInt in = at_most_4_gib(step.in.size());
    const uInt room = at_most_4_gib(step.room);
    stream_.next_in = bytes_of(step.in.data());
    stream_.avail_in = in;
    stream_.next_out = reinterpret_cast<Bytef*>(step.out);
    stream_.avail_out = room;
    int how = Z_NO_FLUSH;
    if (in == step.in.size()) {
      how = until == Until::finished  ? Z_FINISH
            : until == Until::flushed ? Z_SYNC_FLUSH
                                      : Z_NO_FLUSH;
    }
    const int result = ::deflate(&stream_, how);
    if (result == Z_STREAM_ERROR) fail("zlib");
    step.in.remove_prefix(in - stream_.avail_in);
    step.out += room - stream_.avail_out;
    step.room -= room - stream_.avail_out;
    if (until == Until::finished) return result == Z_STREAM_END;
    return step.in.empty() && stream_.avail_out > 0;
  }
  void end() noexcept override {}

 private:
  z_stream stream_{};
  int level_ = Z_DEFAULT_COMPRESSION;
};

// Memory that a library asked for and gave back, for when it asks for as much again.
class KeptBlocks {
 public:
  KeptBlocks() = default;
  KeptBlocks(const KeptBlocks&) = delete;
  KeptBlocks& operator=(const KeptBlocks&) = delete;
  ~KeptBlocks() {
    for (Header* block : blocks_) std::free(block);
  }

  static void* take(void* self, std::size_t size) noexcept {
    return static_cast<KeptBlocks*>(self)->take(size);
  }
  static void give_back(void* self, void* block) noexcept {
    if (block != nullptr) static_cast<KeptBlocks*>(self)->give_back(block);
  }

 private:
  struct alignas(std::max_align_t) Header {
    std::size_t size;
  };
  // What one encoder has at a time is a dozen.
  static constexpr std::size_t kMostKept = 16;

  void* take(std::size_t size) noexcept {
    for (Header*& block : blocks_) {
      if (block == nullptr || block->size < size || block->size / 2 > size) continue;
      return std::exchange(block, nullptr) + 1;
    }
    auto* const made = static_cast<Header*>(std::malloc(sizeof(Header) + size));
    if (made == nullptr) return nullptr;
    made->size = size;
    return made + 1;
  }
  void give_back(void* memory) noexcept {
    Header* const block = static_cast<Header*>(memory) - 1;
    // The smallest that is kept gives way to a larger one.
    auto place = std::min_element(blocks_.begin(), blocks_.end(), [](Header* a, Header* b) {
      return (a == nullptr ? 0 : a->size) < (b == nullptr ? 0 : b->size);
    });
    if (*place != nullptr && (*place)->size >= block->size) return std::free(block);
    std::free(std::exchange(*place, block));
  }

  std::array<Header*, kMostKept> blocks_{};
};

class BrotliEncoder final : public Encoder {
 public:
  ~BrotliEncoder() override { end(); }

  void begin(const EncoderSetup& setup) override {
    end();
    state_ = ::BrotliEncoderCreateInstance(&KeptBlocks::take, &KeptBlocks::give_back, &blocks_);
    if (state_ == nullptr) throw std::bad_alloc();
    int window = kStreamedBrotliWindow;
    if (setup.size) {
      window = BROTLI_MIN_WINDOW_BITS;
      while (window < kMostBrotliWindow && (std::size_t{1} << window) < *setup.size) ++window;
      set(BROTLI_PARAM_SIZE_HINT,
          static_cast<std::uint32_t>(std::min<std::size_t>(*setup.size, std::size_t{1} << 30)));
    }
    set(BROTLI_PARAM_LGWIN, static_cast<std::uint32_t>(window));
    set(BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(setup.level));
  }
  bool step(CodingStep& step, Until until) override {
    constexpr std::array<BrotliEncoderOperation, 3> kOperations{
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    std::size_t in = step.in.size();
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(step.in.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(step.out);
    if (!::BrotliEncoderCompressStream(state_, kOperations[static_cast<std::size_t>(until)], &in,
                                       &next_in, &step.room, &next_out, nullptr)) {
      throw std::bad_alloc();
    }
    step.in.remove_prefix(step.in.size() - in);
    step.out = reinterpret_cast<char*>(next_out);
    if (until == Until::finished) return ::BrotliEncoderIsFinished(state_) != 0;
    return step.in.empty() && ::BrotliEncoderHasMoreOutput(state_) == 0;
  }
  void end() noexcept override {
    if (state_ != nullptr) ::BrotliEncoderDestroyInstance(std::exchange(state_, nullptr));
  }

 private:
  void set(BrotliEncoderParameter parameter, std::uint32_t value) {
    if (!::BrotliEncoderSetParameter(state_, parameter, value)) fail("brotli");
  }

  KeptBlocks blocks_;
  BrotliEncoderState* state_ = nullptr;
};

class ZstdEncoder final : public Encoder {
 public:
  explicit ZstdEncoder(bool streamed) : context_(::ZSTD_createCCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
    if (!streamed) return;
    set(ZSTD_c_windowLog, kStreamedZstdWindow);
    set(ZSTD_c_hashLog, kStreamedZstdTables);
    set(ZSTD_c_chainLog, kStreamedZstdTables);
  }
  ~ZstdEncoder() override { ::ZSTD_freeCCtx(context_); }

  void begin(const EncoderSetup& setup) override {
    ::ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
    set(ZSTD_c_compressionLevel, setup.level);
    if (setup.size) ::ZSTD_CCtx_setPledgedSrcSize(context_, *setup.size);
  }
  bool step(CodingStep& step, Until until) override {
    constexpr std::array<ZSTD_EndDirective, 3> kDirectives{ZSTD_e_continue, ZSTD_e_flush,
                                                           ZSTD_e_end};
    ZSTD_inBuffer in{step.in.data(), step.in.size(), 0};
    ZSTD_outBuffer out{step.out, step.room, 0};
    const std::size_t left =
        ::ZSTD_compressStream2(context_, &out, &in, kDirectives[static_cast<std::size_t>(until)]);
    if (::ZSTD_isError(left) != 0) throw std::bad_alloc();
    step.in.remove_prefix(in.pos);
    step.out += out.pos;
    step.room -= out.pos;
    // Without a flush it says what it would like, and not what is left.
    if (until == Until::input_taken) return step.in.empty() && step.room > 0;
    return left == 0;
  }
  void end() noexcept override {}

 private:
  void set(ZSTD_cParameter parameter, int value) {
    if (::ZSTD_isError(::ZSTD_CCtx_setParameter(context_, parameter, value)) != 0) fail("zstd");
  }

  ZSTD_CCtx* context_;
};

std::unique_ptr<Encoder> make_encoder(ContentCoding coding, bool streamed) {
  switch (coding) {
    case ContentCoding::gzip: return std::make_unique<GzipEncoder>(streamed);
    case ContentCoding::brotli: return std::make_unique<BrotliEncoder>();
    case ContentCoding::zstd: return std::make_unique<ZstdEncoder>(streamed);
    case ContentCoding::identity: break;
  }
  throw std::logic_error("identity is not encoded");
}

// What a thread keeps of each kind. A whole body is packed without a wait, so that one is enough;
// of streams a few, those of an ordinary moment.
constexpr std::size_t kWholeKept = 1;
constexpr std::size_t kStreamedKept = 4;

struct KeptEncoders {
  std::vector<std::unique_ptr<Encoder>>& of(ContentCoding coding, bool streamed) {
    return kept[static_cast<std::size_t>(coding)][streamed ? 1 : 0];
  }

  std::array<std::array<std::vector<std::unique_ptr<Encoder>>, 2>, http::kContentCodings> kept;
  std::size_t streams = 0;
};

// Not inlined into what parks: it is this thread's each time.
[[gnu::noinline]] KeptEncoders& kept_encoders() {
  thread_local KeptEncoders kept;
  return kept;
}

}  // namespace

TakenEncoder take_encoder(const EncoderSetup& setup) {
  const bool streamed = !setup.size;
  KeptEncoders& here = kept_encoders();
  auto& kept = here.of(setup.coding, streamed);
  std::unique_ptr<Encoder> encoder;
  if (kept.empty()) {
    kept.reserve(streamed ? kStreamedKept : kWholeKept);
    encoder = make_encoder(setup.coding, streamed);
  } else {
    encoder = std::move(kept.back());
    kept.pop_back();
  }
  encoder->begin(setup);
  if (streamed) ++here.streams;
  return TakenEncoder(encoder.release(), GiveEncoderBack{setup.coding, streamed});
}

void GiveEncoderBack::operator()(Encoder* encoder) const noexcept {
  std::unique_ptr<Encoder> owned(encoder);
  KeptEncoders& here = kept_encoders();
  if (streamed && here.streams > 0) --here.streams;
  owned->end();
  auto& kept = here.of(coding, streamed);
  // There is room: it was made when the first was taken, here as on whatever thread that was.
  if (kept.size() < std::min(kept.capacity(), streamed ? kStreamedKept : kWholeKept)) {
    kept.push_back(std::move(owned));
  }
}

std::size_t streams_under_way() noexcept { return kept_encoders().streams; }

}  // namespace weft::app
