#include "sim_client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace weft::http::test {

SimClient::SimClient(ksvc::SimWorld& world, std::uint16_t port, ClientPlan plan, std::uint64_t seed)
    : world_(world),
      wire_(world),
      plan_(std::move(plan)),
      random_(seed),
      checker_(plan_.asks),
      port_(port) {
  for (const Ask& ask : plan_.asks) {
    bytes_ += ask.bytes;
    ends_.push_back(bytes_.size());
  }
  limit_ = std::min(plan_.ends_at, bytes_.size());
  world_.after(plan_.starts_after, [this] { start(); });
}

void SimClient::server_drains() { checker_.may_announce_close(); }

void SimClient::start() {
  started_at_ = world_.now();
  end_ = wire_.make_endpoint();
  end_->changed = [this] { look(); };
  world_.connect(end_, port_, [this](int os_errno) {
    connect_error_ = os_errno;
    if (os_errno != 0) return leave(false);
    connected_at_ = world_.now();
    look();
  });
}

// Does all that can be done for now.
void SimClient::look() {
  if (gone_ || connected_at_ == ksvc::kNoDeadline) return;
  read();
  send();
}

void SimClient::send_later(std::chrono::nanoseconds most) {
  if (most.count() <= 0 || waits_to_send_) return;
  waits_to_send_ = true;
  const std::uint64_t delay = random_.below(static_cast<std::uint64_t>(most.count()) + 1);
  world_.after(std::chrono::nanoseconds(delay), [this] {
    waits_to_send_ = false;
    look();
  });
}

void SimClient::read() {
  while (!gone_ && !waits_to_read_ && !ended_ && !reset_) {
    std::array<char, 16 * 1024> block;
    const bool slow = plan_.rests.count() > 0;
    const std::size_t most = slow ? random_.between(2'000, 16'000) : block.size();
    const std::int64_t got = wire_.receive(*end_, block.data(), most);
    if (got == -EAGAIN) return;
    ended_ = got == 0;
    reset_ = got < 0;
    if (got <= 0) return;
    const std::size_t before = checker_.answered();
    if (!checker_.amid_an_answer()) answer_began_at_ = world_.now();
    checker_.receive({block.data(), static_cast<std::size_t>(got)});
    if (checker_.announced_close()) announced_at_ = world_.now();
    if (checker_.answered() > before) send_later(plan_.thinks);
    received_ += static_cast<std::size_t>(got);
    if (received_ >= plan_.ends_amid) {
      limit_ = sent_;
      do_as_planned();
    }
    if (slow) {
      waits_to_read_ = true;
      world_.after(plan_.rests, [this] {
        waits_to_read_ = false;
        look();
      });
    }
  }
}

void SimClient::send() {
  if (gone_) return;
  if (ended_ || reset_) return leave(false);
  while (!waits_to_send_ && !writing_shut_ && sent_ < limit_ && !checker_.announced_close()) {
    const std::size_t size = piece_size();
    if (size == 0) return;
    const std::int64_t taken = wire_.send(*end_, bytes_.data() + sent_, size);
    if (taken == -EAGAIN) return;
    if (taken < 0) {
      // What the server has said before is still to be read.
      writing_shut_ = true;
      write_failed_ = true;
      return;
    }
    sent(static_cast<std::size_t>(taken));
    if (static_cast<std::size_t>(taken) < size) return;
    if (plan_.most_pieces > 1 || sent_ == plan_.pauses_behind) send_later(plan_.between_pieces);
  }
  if (!waits_to_send_) end();
}

// How much goes out next: up to the end of the last request that may be under way, or of a piece.
std::size_t SimClient::piece_size() {
  const std::size_t last = std::min(checker_.answered() + plan_.depth, ends_.size()) - 1;
  const std::size_t allowed = std::min(ends_[last], limit_);
  if (allowed <= sent_) return 0;
  std::size_t left = allowed - sent_;
  if (sent_ < plan_.pauses_behind) left = std::min(left, plan_.pauses_behind - sent_);
  if (plan_.most_pieces <= 1) return left;
  const std::size_t current = sent_at_.size();
  const std::size_t common = plan_.asks[current].bytes.size() / plan_.most_pieces + 1;
  return std::min(left, random_.between(1, 2 * common));
}

void SimClient::sent(std::size_t size) {
  sent_ += size;
  last_sent_at_ = world_.now();
  checker_.sent(sent_);
  while (sent_at_.size() < ends_.size() && ends_[sent_at_.size()] <= sent_) {
    sent_at_.push_back(world_.now());
  }
}

bool SimClient::has_its_answers() const {
  return checker_.announced_close() || checker_.answered() >= sent_at_.size();
}

// All is sent, or what it wanted to send of it.
void SimClient::end() {
  if (sent_ < limit_ && !checker_.announced_close()) return;
  if (plan_.lets_server_end && checker_.announced_close()) return;
  do_as_planned();
}

void SimClient::do_as_planned() {
  using Ending = ClientPlan::Ending;
  switch (plan_.ending) {
    case Ending::waits:
      if (has_its_answers()) shut_writing();
      return;
    case Ending::half_closes: return shut_writing();
    case Ending::closes: return leave(false);
    case Ending::resets: return leave(true);
    case Ending::vanishes: gone_ = true; return;
    case Ending::stalls: checker_.gave_up(); return;
  }
}

void SimClient::shut_writing() {
  if (std::exchange(writing_shut_, true)) return;
  checker_.gave_up();
  checker_.shut_writing();
  wire_.shut_write(*end_);
}

void SimClient::leave(bool reset) {
  gone_ = true;
  over_ = true;
  left_at_ = world_.now();
  wire_.close(*end_, reset);
}

std::string SimClient::missed(ksvc::TimePoint deadline, std::chrono::nanoseconds margin) const {
  using Ending = ClientPlan::Ending;
  const bool listens = plan_.ending == Ending::waits || plan_.ending == Ending::half_closes ||
                       plan_.ending == Ending::stalls;
  const std::size_t answered = checker_.answered();
  if (!listens || was_refused() || answered >= sent_at_.size()) return {};
  if (checker_.announced_close()) {
    // To a slow reader the answer may have been on its way for long.
    const bool by_drain = answered > 0 && !plan_.asks[answered - 1].closes;
    const bool there =
        by_drain && plan_.rests.count() == 0 && sent_at_[answered] + margin < answer_began_at_;
    return there ? unanswered("the answer before it announced the end") : std::string();
  }
  if (sent_at_[answered] > deadline) return {};
  return unanswered(reset_ ? "reset" : ended_ ? "ended" : "left alone");
}

std::string SimClient::unanswered(const char* why) const {
  const std::size_t request = checker_.answered();
  const std::string& bytes = plan_.asks[request].bytes;
  return "request " + std::to_string(request) + " of " + std::to_string(plan_.asks.size()) +
         " was sent whole and not answered: " + bytes.substr(0, bytes.find('\r')) + ": " + why;
}

std::chrono::nanoseconds SimClient::waited_for_end() const {
  if (!over_ || !checker_.announced_close() || !plan_.lets_server_end) {
    return std::chrono::nanoseconds(0);
  }
  return left_at_ - announced_at_;
}

}  // namespace weft::http::test
