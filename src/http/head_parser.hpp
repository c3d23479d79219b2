// The strict, incremental parser of an HTTP/1.x request head (RFC 9112 §2 to §6).
//
// Invariants: a RequestHead stores offsets into the head's bytes, never pointers, so parser and
// head may be copied with memcpy and the bytes may move; whoever asks for text brings the bytes'
// new base. Nothing allocates, and no byte past the end of the given view is read. The outcome
// depends on the bytes alone, not on how they were cut into pieces.
// Threads: none of this is shared; a parser belongs to one connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/limits.hpp"
#include "http/method.hpp"

namespace weft::http {

enum class ParseState : std::uint8_t { incomplete, complete, error };

// What the target looks like (RFC 9112 §3.2).
enum class TargetForm : std::uint8_t { origin, absolute, authority, asterisk };

// A stretch of the head's bytes.
struct HeadSpan {
  std::uint16_t offset;
  std::uint16_t length;
};

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// What a head says. The facts are plain members; text is read through a HeadView.
struct RequestHead {
  static constexpr std::size_t header_capacity = 128;
  static constexpr std::size_t max_bytes = 65'535;

  struct FieldSpans {
    HeadSpan name;
    HeadSpan value;
  };

  RequestHead() {}  // NOLINT: leaves `fields` untouched on purpose; the rest has initialisers

  std::uint64_t content_length = 0;  // meaningful only with has_content_length
  Method method = Method::unknown;
  TargetForm form = TargetForm::origin;
  std::uint8_t minor_version = 1;  // 0 or 1; a higher minor version counts as 1
  bool keep_alive = true;          // what the version and the Connection field ask for
  bool has_content_length = false;
  bool chunked = false;
  bool expect_continue = false;  // never set for HTTP/1.0, which cannot use it
  bool has_host = false;         // a Host field is present (its value may be empty)
  bool upgrade = false;          // an Upgrade field that the Connection field names
  bool encoded_body = false;     // a body whose Content-Encoding is another than identity
  std::uint8_t header_count = 0;

  HeadSpan target{0, 0};
  HeadSpan path{0, 0};   // length 0 stands for "/", in absolute form only
  HeadSpan query{0, 0};  // without the '?'
  HeadSpan host{0, 0};   // authority of an absolute target, else the Host field
  std::array<FieldSpans, header_capacity> fields;

  [[nodiscard]] bool has_body() const { return chunked || content_length != 0; }
};

// A head together with where its bytes are now: base is the address of the first byte that the
// parser was given. Two words, to be passed by value; valid as long as both are.
class HeadView {
 public:
  HeadView(const RequestHead& head, const char* base) : head_(&head), base_(base) {}

  [[nodiscard]] const RequestHead& head() const { return *head_; }
  [[nodiscard]] std::string_view target() const { return text(head_->target); }
  [[nodiscard]] std::string_view query() const { return text(head_->query); }
  [[nodiscard]] std::string_view host() const { return text(head_->host); }
  // The path as sent, still percent-encoded; "*" for `OPTIONS *`, host:port for CONNECT.
  [[nodiscard]] std::string_view path() const {
    return head_->path.length == 0 ? std::string_view{"/"} : text(head_->path);
  }

  [[nodiscard]] std::size_t header_count() const { return head_->header_count; }
  [[nodiscard]] HeaderField header(std::size_t index) const {
    const auto& field = head_->fields[index];
    return {text(field.name), text(field.value)};
  }
  // The first field of that name, in whatever case; the name must be given in lower case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view lower_case_name) const;

 private:
  [[nodiscard]] std::string_view text(HeadSpan span) const {
    return {base_ + span.offset, span.length};
  }

  const RequestHead* head_;
  const char* base_;
};

class HeadParser {
 public:
  // The limits must outlive the parser.
  explicit HeadParser(const Limits& limits) : limits_(&limits) {}

  // Always takes everything received since the request's first byte; goes on where the last call
  // stopped, so that delivery byte by byte stays linear. An error is reported as soon as the
  // bytes make it certain; after `complete` or `error` only reset() goes on.
  [[nodiscard]] ParseState advance(std::string_view all_bytes_so_far);

  // After `complete`: the bytes of the head, from a skipped empty line to the last CRLF.
  [[nodiscard]] std::size_t consumed() const { return position_; }
  [[nodiscard]] const RequestHead& head() const { return head_; }

  // After `error`: the status to answer with, and a sentence for humans.
  [[nodiscard]] int error_status() const { return error_status_; }
  [[nodiscard]] std::string_view error_reason() const { return error_reason_; }

  void reset();

 private:
  enum class Stage : std::uint8_t { start, request_line, fields, complete, error };
  enum class Step : std::uint8_t { done, more, failed };

  Step skip_empty_line(std::string_view bytes);
  Step parse_request_line(std::string_view bytes);
  Step refuse_method(std::string_view line);
  Step fail_version();
  Step parse_target(std::string_view bytes, std::size_t begin, std::size_t& end);
  Step classify_target(std::string_view bytes, std::size_t begin);
  Step classify_absolute(std::string_view bytes, std::size_t question);
  Step parse_version(std::string_view bytes, std::size_t begin);
  Step parse_fields(std::string_view bytes);
  Step note_field(std::string_view bytes, HeadSpan name, HeadSpan value);
  Step note_host(std::string_view bytes, HeadSpan where);
  Step note_content_length(std::string_view value);
  Step note_transfer_encoding(std::string_view value);
  void note_connection(std::string_view value);
  Step finish();
  Step fail(int status, std::string_view reason);
  Step fail_long_field();
  Step fail_name(char stopped_at, bool at_line_start);
  Step fail_value(char stopped_at);

  const Limits* limits_;
  std::string_view error_reason_;
  std::uint32_t position_ = 0;  // start of the unfinished line; the head's end when complete
  std::uint32_t scanned_ = 0;   // how far that line's target, name or value has been checked
  std::uint32_t name_end_ = 0;  // the colon of the unfinished field line, 0 while not seen
  std::uint16_t error_status_ = 0;
  Stage stage_ = Stage::start;
  bool upgrade_field_ = false;
  bool connection_upgrade_ = false;
  bool connection_close_ = false;
  bool connection_keep_alive_ = false;
  bool transfer_encoding_ = false;
  bool unknown_coding_ = false;
  bool unknown_expectation_ = false;
  RequestHead head_;
};

// Whether `text`, in whatever case, equals `lower`, which is in lower case.
[[nodiscard]] bool equals_ignoring_case(std::string_view text, std::string_view lower);

}  // namespace weft::http
