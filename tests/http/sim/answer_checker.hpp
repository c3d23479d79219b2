// AnswerChecker: says of each byte that a client gets whether it may come now.
//
// What comes must be a prefix of the answers to the requests in order, each only when so much of
// its request was sent that it can be known, and nothing behind an answer that announces the end.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "ask.hpp"

namespace weft::http::test {

class AnswerChecker {
 public:
  // The requests must outlive this.
  explicit AnswerChecker(const std::vector<Ask>& asks) : asks_(asks) {}

  // So much has been sent of all requests together.
  void sent(std::size_t total) { sent_ = total; }
  // Whether from now on any answer may announce the end.
  void may_announce_close() { may_announce_close_ = true; }
  // Whether what was sent ends amid a request, which may be answered with a 400 or 408.
  void gave_up() { gave_up_ = true; }
  // Whether the client has ended its side, and may be asked any number of times if it is there.
  void shut_writing() { writing_shut_ = true; }

  // The first thing that is wrong; stays what it is.
  const std::string& receive(std::string_view bytes);
  const std::string& wrong() const { return wrong_; }

  std::size_t answered() const { return answered_; }
  // The last answer announced that the connection ends.
  bool announced_close() const { return closed_; }
  bool amid_an_answer() const { return matched_ > 0; }
  bool was_refused() const { return refused_; }

 private:
  enum Kind : unsigned { plain, last, interim, bad, late, kinds };

  void begin_answer();
  void compare(std::string_view& bytes);
  void end_answer(Kind kind);
  void fail(std::string_view what, std::string_view bytes);

  const std::vector<Ask>& asks_;
  std::size_t sent_ = 0;
  std::size_t before_ = 0;  // the size of the requests that are answered
  std::size_t answered_ = 0;
  std::size_t matched_ = 0;
  std::array<std::string_view, kinds> candidates_;
  bool continued_ = false;
  bool may_announce_close_ = false;
  bool gave_up_ = false;
  bool writing_shut_ = false;
  bool closed_ = false;
  bool refused_ = false;
  std::string wrong_;
};

}  // namespace weft::http::test
