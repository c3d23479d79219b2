// The member functions of Connection that tell observers what has become of a request.
#pragma once

#include <algorithm>
#include <string_view>

#include "http/connection.hpp"
#include "http/service.hpp"

namespace weft::http {

// The answer has been written, and the request's head is still there.
template <class Worker, class Model>
void Connection<Worker, Model>::tell_end(ActiveRequest& request, SentAnswer sent,
                                         bool keep_alive) noexcept {
  told_ = true;
  EndedAnswer ended;
  ended.exchange = &request.exchange;
  ended.status = sent.status;
  ended.body_bytes = sent.body_bytes;
  ended.complete = !failed_ && sent.status != 0;
  if (request.outgoing) {
    tell_end_of_stream(*request.outgoing, request.exchange.response().status, ended);
  }
  if (request.incoming) {
    ended.request_body_bytes = request.incoming->given;
  } else if (request.body_read) {
    ended.request_body_bytes = request.body.size();
  }
  ended.keep_alive = keep_alive;
  const auto* const spill = input_.spill();
  ended.began = spill != nullptr && spill->parsing ? spill->began : request.exchange.began();
  ended.ended = service_.worker().now();
  ended.wall = service_.wall_time_at(ended.ended);
  const auto others = request.exchange.observers();
  AnswerObserver* const first = service_.observer();
  if (!others.empty() || first->wants_peer()) ended.peer = &service_.peer_of(fd_, *this);
  if (first != nullptr) first->answer_ended(ended);
  for (AnswerObserver* const observer : others) observer->answer_ended(ended);
}

template <class Worker, class Model>
void Connection<Worker, Model>::tell_end_of_stream(const AnswerStream& answer, int status,
                                                   EndedAnswer& ended) noexcept {
  if (!answer.begun) return;
  ended.status = status;
  ended.complete = !failed_ && !answer.broken && !reset_;
  if (answer.head_only && !answer.upgraded) return;
  const std::uint64_t gathered = answer.written - answer.left;
  // What was to be sent when the connection broke never was.
  ended.body_bytes = failed_ ? gathered - std::min<std::uint64_t>(gathered, unsent()) : gathered;
}

// There was no request to be told of.
template <class Worker, class Model>
void Connection<Worker, Model>::tell_refusal(SentAnswer sent, gvt::TimePoint began) noexcept {
  EndedAnswer ended;
  const std::string_view arrived = input_.front();
  ended.raw = arrived.substr(0, arrived.find_first_of("\r\n"));
  ended.status = sent.status;
  ended.body_bytes = sent.body_bytes;
  ended.complete = !failed_;
  ended.began = began;
  ended.ended = service_.worker().now();
  ended.wall = service_.wall_time_at(ended.ended);
  ended.peer = &service_.peer_of(fd_, *this);
  service_.observer()->answer_ended(ended);
}

}  // namespace weft::http
