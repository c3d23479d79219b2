#include "exec/admission.hpp"

#include <utility>

namespace weft::exec {

bool Gate::take_place() noexcept {
  if (free_ == 0) return false;
  --free_;
  inside_.add(1);
  return true;
}

void Gate::give_back_place() noexcept {
  ++free_;
  inside_.set(inside_.value() - 1);
}

void Gate::line_up(Entrant& entrant) noexcept {
  entrant.waits_at_ = this;
  entrant.next_ = nullptr;
  entrant.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &entrant;
  last_ = &entrant;
  waiting_.add(1);
}

void Gate::take_out(Entrant& entrant) noexcept {
  (entrant.previous_ != nullptr ? entrant.previous_->next_ : first_) = entrant.next_;
  (entrant.next_ != nullptr ? entrant.next_->previous_ : last_) = entrant.previous_;
  entrant.waits_at_ = nullptr;
  waiting_.set(waiting_.value() - 1);
}

void Admission::List::push(Entrant& entrant) noexcept {
  entrant.next_ = nullptr;
  (last != nullptr ? last->next_ : first) = &entrant;
  last = &entrant;
}

Entrant* Admission::List::pop() noexcept {
  Entrant* const taken = first;
  if (taken == nullptr) return nullptr;
  first = taken->next_;
  if (first == nullptr) last = nullptr;
  return taken;
}

Entrant* Admission::enter(Entrant& entrant) noexcept {
  List admitted;
  List leaving;
  const std::lock_guard lock(mutex_);
  advance(entrant, admitted, leaving);
  let_go(admitted, leaving);
  return admitted.first;
}

Entrant* Admission::leave(Entrant& entrant) noexcept {
  List admitted;
  List leaving;
  const std::lock_guard lock(mutex_);
  leaving.push(entrant);
  let_go(admitted, leaving);
  return admitted.first;
}

Entrant* Admission::withdraw(Entrant& entrant) noexcept {
  List admitted;
  List leaving;
  const std::lock_guard lock(mutex_);
  if (entrant.waits_at_ != nullptr) entrant.waits_at_->take_out(entrant);
  leaving.push(entrant);
  let_go(admitted, leaving);
  return admitted.first;
}

// As far as it gets.
void Admission::advance(Entrant& entrant, List& admitted, List& leaving) noexcept {
  for (; entrant.passed_ < entrant.way_.size(); ++entrant.passed_) {
    Gate* const gate = entrant.way_[entrant.passed_];
    if (gate == nullptr || gate->take_place()) continue;
    return gate->line_up(entrant);
  }
  (entrant.still_wants() ? admitted : leaving).push(entrant);
}

// Those behind them move up. Not by recursion: of a long line, many may have given up at once.
void Admission::let_go(List& admitted, List& leaving) noexcept {
  while (Entrant* const gone = leaving.pop()) {
    for (std::size_t passed = std::exchange(gone->passed_, 0); passed > 0; --passed) {
      Gate* const gate = gone->way_[passed - 1];
      if (gate == nullptr) continue;
      Entrant* const next = gate->first_;
      if (next == nullptr) {
        gate->give_back_place();
        continue;
      }
      // The place is its.
      gate->take_out(*next);
      ++next->passed_;
      advance(*next, admitted, leaving);
    }
  }
}

}  // namespace weft::exec
