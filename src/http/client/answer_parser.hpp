// The strict, incremental parser of an HTTP/1.x answer: interim answers, head and body (RFC 9112).
//
// Invariants: the outcome depends on the bytes alone, not on how they were cut into pieces. An
// error is reported with the byte that makes it certain. Body bytes are views into the input; the
// head is copied once, into memory that its copies share. Nothing grows beyond the limits.
// Threads: none of this is shared; a parser belongs to one exchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunked_decoder.hpp"
#include "http/limits.hpp"

namespace weft::http {

// A final answer's status line and fields, with their bytes.
struct AnswerHead {
  struct Span {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  struct FieldSpans {
    Span name;
    Span value;
  };

  [[nodiscard]] std::string_view view(Span span) const {
    return std::string_view(text).substr(span.offset, span.length);
  }
  // The first field of that name, in whatever case.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  std::string text;  // from the version to the empty line
  std::vector<FieldSpans> fields;
  Span reason;
  int status = 0;
  std::uint8_t minor_version = 1;  // a higher one counts as 1
  bool chunked = false;
  bool keep_alive = true;  // the server leaves the connection open behind the answer
  std::optional<std::uint64_t> content_length;
};

enum class AnswerState : std::uint8_t { head, body, complete, error };
enum class AnswerFault : std::uint8_t { none, malformed, too_large, cut_off };

// What the request says about its answer.
struct AnswerTerms {
  bool to_head = false;  // the method is HEAD: there is no body, whatever the fields say
  bool may_upgrade = false;
  unsigned interim_answers = 8;
};

class AnswerParser {
 public:
  struct Step {
    AnswerState state;
    std::size_t consumed;   // of the given input
    std::string_view data;  // body bytes, a part of the consumed input; often empty
  };

  // The limits must outlive the parser, which must stay where it is.
  AnswerParser(const Limits& limits, const AnswerTerms& terms);
  AnswerParser(const AnswerParser&) = delete;
  AnswerParser& operator=(const AnswerParser&) = delete;

  // Consumes input up to the end of the head, or of the next stretch of body bytes. What follows a
  // complete answer is not consumed. `head` has consumed everything.
  [[nodiscard]] Step step(std::string_view input);
  // The server has ended its side: this completes an answer without a length, and is an error
  // within any other.
  AnswerState end();

  [[nodiscard]] AnswerState state() const { return state_; }
  // Whether a byte of an answer has come, of an interim one too.
  [[nodiscard]] bool begun() const { return begun_; }
  // From `body` on; stays the same.
  [[nodiscard]] const std::shared_ptr<AnswerHead>& head() const { return head_; }
  // The lines of the trailer section, with their ends.
  [[nodiscard]] const std::string& trailers() const { return trailers_; }
  // After 101: what follows is of another protocol, up to the end.
  [[nodiscard]] bool upgraded() const { return framing_ == Framing::upgraded; }
  // After `complete`: the end of the answer does not hang on the connection's.
  [[nodiscard]] bool leaves_connection_open() const;

  // After `error`: of what kind, and a sentence for humans.
  [[nodiscard]] AnswerFault fault() const { return fault_; }
  [[nodiscard]] std::string_view reason() const { return reason_; }

 private:
  enum class Stage : std::uint8_t {
    version,
    status,
    after_status,
    reason,
    line_lf,
    field_start,
    name,
    value,
    value_lf,
    last_lf,
  };
  enum class Framing : std::uint8_t { none, length, chunked, until_end, upgraded };

  Step step_body(std::string_view input);
  // Takes head bytes; false when it has failed.
  bool accept(std::string_view input, std::size_t& at);
  bool accept_status_line(char byte);
  bool accept_field(std::string_view input, std::size_t& at);
  bool keep(std::string_view bytes);
  bool end_field();
  bool note_field(std::string_view name, std::string_view value);
  bool note_content_length(std::string_view value);
  bool note_transfer_encoding(std::string_view value);
  void note_connection(std::string_view value);
  bool end_head();
  bool choose_framing();
  void begin_head();
  bool fail(AnswerFault fault, std::string_view reason);
  bool fail_name(char byte);

  const Limits* limits_;
  AnswerTerms terms_;
  AnswerState state_ = AnswerState::head;
  AnswerFault fault_ = AnswerFault::none;
  Stage stage_ = Stage::version;
  Framing framing_ = Framing::none;
  bool begun_ = false;
  bool close_ = false;
  bool asked_to_keep_ = false;
  bool transfer_encoding_ = false;
  unsigned interim_seen_ = 0;
  std::uint32_t line_begin_ = 0;
  std::uint32_t name_end_ = 0;
  std::uint64_t body_left_ = 0;  // of the length, or of what may come until the end
  std::string_view reason_;
  std::shared_ptr<AnswerHead> head_;
  std::optional<ChunkedDecoder> decoder_;
  std::string trailers_;
};

}  // namespace weft::http
