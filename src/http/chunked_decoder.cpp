#include "http/chunked_decoder.hpp"

#include <algorithm>

#include "http/scan.hpp"

namespace weft::http {

namespace {

// Sixteen digits fill 64 bits; more could only be leading zeros, which nobody sends in good faith.
constexpr std::uint8_t most_size_digits = 16;

bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

bool is_token_byte(char byte) { return scan::is(byte, scan::token_byte); }

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::step(std::string_view input) {
  std::size_t at = 0;
  while (at < input.size() && stage_ < Stage::complete) {
    if (stage_ == Stage::data) {
      const std::size_t length = std::min<std::uint64_t>(chunk_left_, input.size() - at);
      chunk_left_ -= length;
      body_bytes_ += length;
      if (chunk_left_ == 0) stage_ = Stage::data_cr;
      return {ChunkedState::incomplete, at + length, input.substr(at, length)};
    }
    accept(input[at++]);
  }
  if (stage_ == Stage::complete) return {ChunkedState::complete, at, {}};
  return {stage_ == Stage::error ? ChunkedState::error : ChunkedState::incomplete, at, {}};
}

void ChunkedDecoder::fail(int status, std::string_view reason) {
  error_status_ = static_cast<std::uint16_t>(status);
  error_reason_ = reason;
  stage_ = Stage::error;
}

// One byte of framing.
void ChunkedDecoder::accept(char byte) {
  if (trailers_ != nullptr && stage_ >= Stage::trailer_start && stage_ < Stage::last_lf) {
    // The last line is empty.
    if (stage_ != Stage::trailer_start || byte != '\r') trailers_->push_back(byte);
  }
  switch (stage_) {
    case Stage::size: return accept_size(byte);
    case Stage::extension:
      if (byte != '\r' && ++extension_bytes_ > limits_->chunk_extension_bytes) {
        return fail(400, "The chunk extensions are longer than is accepted here.");
      }
      return accept_extension(byte);
    case Stage::size_lf:
      return expect_lf(byte, chunk_left_ == 0 ? Stage::trailer_start : Stage::data);
    case Stage::data_cr:
      if (byte != '\r') return fail(400, "A chunk is not followed by CR LF.");
      stage_ = Stage::data_lf;
      return;
    case Stage::data_lf: return expect_lf(byte, Stage::size);
    case Stage::trailer_start:
    case Stage::trailer_name:
    case Stage::trailer_value: return accept_trailer(byte);
    case Stage::trailer_lf: return expect_lf(byte, Stage::trailer_start);
    case Stage::last_lf: return expect_lf(byte, Stage::complete);
    case Stage::data:
    case Stage::complete:
    case Stage::error: return;  // step() never comes here with these
  }
}

void ChunkedDecoder::expect_lf(char byte, Stage next) {
  if (byte != '\n') return fail(400, "A carriage return stands without a line feed.");
  stage_ = next;
}

void ChunkedDecoder::accept_size(char byte) {
  if (scan::is(byte, scan::hex_byte)) {
    if (++size_digits_ > most_size_digits) return fail(400, "A chunk size has too many digits.");
    const int digit = byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10;
    chunk_left_ = chunk_left_ * 16 + static_cast<unsigned>(digit);
    return;
  }
  if (size_digits_ == 0 || !(byte == '\r' || byte == ';' || is_blank(byte))) {
    return fail(400, "A chunk size is not a hexadecimal number on a line that ends in CR LF.");
  }
  size_digits_ = 0;
  if (chunk_left_ > body_limit_ - body_bytes_) return fail(413, "The body is too large.");
  stage_ = Stage::extension;
  part_ = ExtensionPart::end_of_value;
  accept(byte);
}

// RFC 9112 §7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
void ChunkedDecoder::accept_extension(char byte) {
  switch (part_) {
    case ExtensionPart::before_name:
      if (is_blank(byte)) return;
      if (!is_token_byte(byte)) break;
      part_ = ExtensionPart::name;
      return;
    case ExtensionPart::name:
      if (is_token_byte(byte)) return;
      if (is_blank(byte)) {
        part_ = ExtensionPart::after_name;
        return;
      }
      if (byte != '=') return end_extension(byte);
      part_ = ExtensionPart::before_value;
      return;
    case ExtensionPart::after_name:
      if (is_blank(byte)) return;
      if (byte != ';' && byte != '=') break;
      part_ = byte == ';' ? ExtensionPart::before_name : ExtensionPart::before_value;
      return;
    case ExtensionPart::before_value:
      if (is_blank(byte)) return;
      if (byte != '"' && !is_token_byte(byte)) break;
      part_ = byte == '"' ? ExtensionPart::quoted_value : ExtensionPart::token_value;
      return;
    case ExtensionPart::token_value: return is_token_byte(byte) ? void() : end_extension(byte);
    case ExtensionPart::quoted_value:
    case ExtensionPart::quoted_pair: return accept_quoted(byte);
    case ExtensionPart::end_of_value: return end_extension(byte);
    case ExtensionPart::before_semicolon:
      if (is_blank(byte)) return;
      if (byte != ';') break;
      part_ = ExtensionPart::before_name;
      return;
  }
  fail(400, "A chunk extension is malformed.");
}

void ChunkedDecoder::accept_quoted(char byte) {
  if (!scan::is(byte, scan::value_byte)) return fail(400, "A chunk extension is malformed.");
  if (part_ == ExtensionPart::quoted_pair) {
    part_ = ExtensionPart::quoted_value;
  } else if (byte == '"') {
    part_ = ExtensionPart::end_of_value;
  } else if (byte == '\\') {
    part_ = ExtensionPart::quoted_pair;
  }
}

// After a chunk size, or a whole extension: the next extension or the end of the line.
void ChunkedDecoder::end_extension(char byte) {
  if (byte == '\r') {
    stage_ = Stage::size_lf;
  } else if (byte == ';') {
    part_ = ExtensionPart::before_name;
  } else if (is_blank(byte)) {
    part_ = ExtensionPart::before_semicolon;
  } else {
    fail(400, "A chunk extension is malformed.");
  }
}

void ChunkedDecoder::accept_trailer(char byte) {
  if (stage_ == Stage::trailer_start) {
    if (byte == '\r') {
      stage_ = Stage::last_lf;
      return;
    }
    if (++trailer_count_ > limits_->trailer_count) {
      return fail(431, "There are too many trailer fields.");
    }
  }
  if (byte != '\r' && ++trailer_bytes_ > limits_->trailer_bytes) {
    return fail(431, "The trailer section is larger than is accepted here.");
  }
  if (stage_ == Stage::trailer_value) {
    if (byte == '\r') {
      stage_ = Stage::trailer_lf;
    } else if (!scan::is(byte, scan::value_byte)) {
      fail(400, "A trailer field holds a byte that it must not.");
    }
  } else if (is_token_byte(byte)) {
    stage_ = Stage::trailer_name;
  } else if (byte == ':' && stage_ == Stage::trailer_name) {
    stage_ = Stage::trailer_value;
  } else {
    fail(400, "A trailer field has no valid name.");
  }
}

}  // namespace weft::http
