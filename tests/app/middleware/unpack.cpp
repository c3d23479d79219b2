#include "app/middleware/unpack.hpp"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cstdint>

namespace weft::test {

namespace {

struct Unpacked {
  std::string body;
  bool whole = false;
};

Unpacked unpack_gzip(std::string_view packed) {
  Unpacked made;
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::array<char, 4096> block{};
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = block.size();
    result = inflate(&stream, Z_NO_FLUSH);
    made.body.append(block.data(), block.size() - stream.avail_out);
  }
  made.whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return made;
}

Unpacked unpack_brotli(std::string_view packed) {
  Unpacked made;
  BrotliDecoderState* const state = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
  const auto* in = reinterpret_cast<const std::uint8_t*>(packed.data());
  std::size_t left = packed.size();
  std::array<std::uint8_t, 4096> block{};
  BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT ||
         BrotliDecoderHasMoreOutput(state) != 0) {
    std::uint8_t* out = block.data();
    std::size_t room = block.size();
    result = BrotliDecoderDecompressStream(state, &left, &in, &room, &out, nullptr);
    made.body.append(reinterpret_cast<char*>(block.data()), block.size() - room);
  }
  made.whole = result == BROTLI_DECODER_RESULT_SUCCESS && left == 0;
  BrotliDecoderDestroyInstance(state);
  return made;
}

Unpacked unpack_zstd(std::string_view packed) {
  Unpacked made;
  ZSTD_DCtx* const context = ZSTD_createDCtx();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::array<char, 4096> block{};
  std::size_t left = 1;
  for (;;) {
    ZSTD_outBuffer out{block.data(), block.size(), 0};
    left = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(left) != 0) break;
    made.body.append(block.data(), out.pos);
    if (left == 0 || (in.pos == in.size && out.pos < out.size)) break;
  }
  made.whole = left == 0 && in.pos == in.size;
  ZSTD_freeDCtx(context);
  return made;
}

Unpacked unpack_any(std::string_view coding, std::string_view packed) {
  if (coding == "gzip") return unpack_gzip(packed);
  if (coding == "br") return unpack_brotli(packed);
  if (coding == "zstd") return unpack_zstd(packed);
  return {std::string(packed), coding.empty()};
}

}  // namespace

std::string unpack(std::string_view coding, std::string_view packed) {
  Unpacked made = unpack_any(coding, packed);
  return made.whole ? std::move(made.body) : "(malformed)";
}

std::string unpack_begun(std::string_view coding, std::string_view packed) {
  return unpack_any(coding, packed).body;
}

std::string pack(std::string_view coding, std::string_view body) {
  std::string packed(body.size() + 1024, '\0');
  std::size_t size = packed.size();
  if (coding == "gzip" || coding == "deflate") {
    z_stream stream{};
    const int format = coding == "gzip" ? 16 : 0;
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + format, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream.avail_in = static_cast<uInt>(body.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    size = stream.total_out;
    deflateEnd(&stream);
  } else if (coding == "br") {
    BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, body.size(),
                          reinterpret_cast<const std::uint8_t*>(body.data()), &size,
                          reinterpret_cast<std::uint8_t*>(packed.data()));
  } else {
    size = ZSTD_compress(packed.data(), packed.size(), body.data(), body.size(), 3);
  }
  packed.resize(size);
  return packed;
}

std::string prose(std::size_t size) {
  std::string text;
  for (std::size_t line = 0; text.size() < size; ++line) {
    text += "line " + std::to_string(line * line) + " of what is said again and again\n";
  }
  text.resize(size);
  return text;
}

}  // namespace weft::test
