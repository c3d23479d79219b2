#include "answer_checker.hpp"

#include <algorithm>

namespace weft::http::test {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// Behind these the text says why, in words that are no business of this test.
constexpr std::string_view kBad = "HTTP/1.1 400 Bad Request\r\n";
constexpr std::string_view kLate = "HTTP/1.1 408 Request Timeout\r\n";

bool agrees(std::string_view text, std::string_view pattern) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (pattern[i] != kAnyByte && text[i] != pattern[i]) return false;
  }
  return true;
}

}  // namespace

const std::string& AnswerChecker::receive(std::string_view bytes) {
  while (!bytes.empty() && wrong_.empty() && !refused_) {
    if (closed_) {
      fail("bytes behind the last answer", bytes);
    } else if (matched_ == 0) {
      begin_answer();
      if (std::ranges::all_of(candidates_, &std::string_view::empty)) {
        fail("bytes that nothing asked for", bytes);
      } else {
        compare(bytes);
      }
    } else {
      compare(bytes);
    }
  }
  return wrong_;
}

void AnswerChecker::begin_answer() {
  candidates_ = {};
  if (answered_ == asks_.size()) return;
  const Ask& ask = asks_[answered_];
  const std::size_t arrived = sent_ - before_;
  if (arrived >= ask.answerable_at) {
    if (!ask.closes) candidates_[plain] = ask.answer;
    if (ask.closes || may_announce_close_) candidates_[last] = ask.last_answer;
  }
  const bool may_be_asked = ask.may_continue && !continued_;
  if ((may_be_asked || writing_shut_) && arrived >= ask.head_bytes) {
    candidates_[interim] = kContinue;
  }
  if (gave_up_ && arrived > 0 && arrived < ask.bytes.size()) {
    candidates_[bad] = kBad;
    candidates_[late] = kLate;
  }
}

// Takes the bytes that belong to the answer begun.
void AnswerChecker::compare(std::string_view& bytes) {
  std::size_t size = bytes.size();
  for (const std::string_view candidate : candidates_) {
    if (!candidate.empty()) size = std::min(size, candidate.size() - matched_);
  }
  const std::string_view part = bytes.substr(0, size);
  bool any = false;
  for (std::string_view& candidate : candidates_) {
    if (candidate.empty()) continue;
    if (!agrees(part, candidate.substr(matched_, size))) candidate = {};
    any = any || !candidate.empty();
  }
  if (!any) return fail("other bytes than the answer's", bytes);
  matched_ += size;
  bytes.remove_prefix(size);
  for (unsigned kind = 0; kind < kinds; ++kind) {
    if (!candidates_[kind].empty() && candidates_[kind].size() == matched_) {
      return end_answer(static_cast<Kind>(kind));
    }
  }
}

void AnswerChecker::end_answer(Kind kind) {
  matched_ = 0;
  if (kind == interim) {
    continued_ = true;
    return;
  }
  if (kind == bad || kind == late) {
    refused_ = true;
    closed_ = true;
    return;
  }
  before_ += asks_[answered_].bytes.size();
  ++answered_;
  continued_ = false;
  closed_ = kind == last;
}

void AnswerChecker::fail(std::string_view what, std::string_view bytes) {
  wrong_ = what;
  wrong_ += " in answer " + std::to_string(answered_) + " of " + std::to_string(asks_.size());
  wrong_ += " at byte " + std::to_string(matched_) + ": \"";
  wrong_ += bytes.substr(0, 80);
  wrong_ += "\"";
  if (answered_ == asks_.size()) return;
  const Ask& ask = asks_[answered_];
  const std::string_view line = std::string_view(ask.bytes).substr(0, ask.bytes.find('\r'));
  wrong_ += "; it was asked for by ";
  wrong_ += line;
}

}  // namespace weft::http::test
