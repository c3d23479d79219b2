// AnswerView: what has been answered so far, as middleware sees it behind next().
//
//     next();
//     if (c.answer().status() == 200 && !c.answer().streamed()) sign(c.answer().body());
//
// A view of its request's Context, and as short-lived. An answer that is streamed, or a file, has
// sent its head by then: what remains to be seen is its status, its headers and its size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft {

namespace http {
class Exchange;
}

class AnswerView {
 public:
  // For Context.
  explicit AnswerView(http::Exchange& exchange) noexcept : exchange_(exchange) {}

  // The status that is, or will be, sent.
  int status() const noexcept;
  // Empty when there is none.
  std::string_view content_type() const noexcept;
  // The first header of that name, in any case, that a handler or middleware has set; `fallback`
  // when there is none. The server's own (Date, Content-Length, …) are not among them.
  std::string_view header(std::string_view name, std::string_view fallback = {}) const;
  // Takes all headers of that name out. Too late once the head is sent.
  void remove_header(std::string_view name);
  // Sets a header, as Context::set_header() does, that the answer has whatever becomes of the
  // request: when the handler throws, other headers go, and so they do at clear().
  void lasting_header(std::string_view name, std::string_view value);

  // Whether the body is written piece by piece, or is a file's.
  bool streamed() const noexcept;
  // Whether status and headers can still be changed.
  bool head_is_sent() const noexcept;
  // The whole body, of an answer that is not streamed.
  std::string_view body() const noexcept;
  // Another body, with the content type that is set; not for one that is streamed.
  void replace_body(std::string_view body);
  // How many bytes the body has; of a streamed one, how many were written so far.
  std::uint64_t size() const noexcept;
  // Back to an answer of which nothing is set: 200, no headers but lasting ones, no body. Throws
  // std::logic_error once the head is sent.
  void clear();

 private:
  http::Exchange& exchange_;
};

}  // namespace weft
