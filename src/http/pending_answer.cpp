#include "http/pending_answer.hpp"

#include <new>
#include <stdexcept>

#include "ksvc/core/assert.hpp"
#include "weft/cancel.hpp"
#include "weft/detail/coro_strand.hpp"

namespace weft::http {

PendingAnswer::PendingAnswer(gvt::Scheduler& home) noexcept
    : Runnable(&PendingAnswer::came_round), home_(home), waiter_(*this, home), armed_(waiter_) {}

PendingAnswer& PendingAnswer::make(gvt::Scheduler& home) {
  return *new (detail::take_frame(sizeof(PendingAnswer))) PendingAnswer(home);
}

void PendingAnswer::release() noexcept {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  this->~PendingAnswer();
  detail::give_back_frame(this, sizeof(PendingAnswer));
}

bool PendingAnswer::has_ended(ToldOfAnswer told, detail::CancelNode* node) noexcept {
  if (ended_) return true;
  told_ = told;
  ended_ = !armed_.arm(node, detail::kNever);
  return ended_;
}

bool PendingAnswer::give_up() noexcept {
  if (!ended_) ended_ = waiter_.claim(detail::Outcome::cancelled);
  return ended_;
}

void PendingAnswer::fill(Context& context) {
  if (waiter_.outcome() == detail::Outcome::cancelled) detail::throw_cancelled();
  if (dropped_) throw std::runtime_error("its Respond was dropped without being called");
  if (fill_ != nullptr) fill_(context);
}

void PendingAnswer::request_ended() noexcept {
  armed_.disarm();
  told_ = {};
  // What is on its way still comes round, to a request that could not wait for it.
  if (!give_up()) {
    told_ = {this, [](void* self) noexcept { static_cast<PendingAnswer*>(self)->request_ended(); }};
    return;
  }
  // What it has in hand is the application's, and may belong to this thread.
  if (waiter_.outcome() == detail::Outcome::woken) fill_ = nullptr;
  release();
}

void PendingAnswer::answer(Respond::Fill fill) noexcept {
  fill_ = std::move(fill);
  end();
}

void PendingAnswer::drop() noexcept {
  dropped_ = true;
  end();
}

void PendingAnswer::end() noexcept {
  if (waiter_.claim(detail::Outcome::woken)) {
    // In the handler's own call nobody waits yet.
    if (gvt::current_scheduler() == &home_ && told_.tell == nullptr) {
      ended_ = true;
    } else {
      waiter_.wake();
    }
  }
  release();
}

void PendingAnswer::came_round(detail::Runnable& runnable) {
  auto& self = static_cast<PendingAnswer&>(runnable);
  self.ended_ = true;
  // None yet while the handler is parked in its own call.
  if (self.told_.tell != nullptr) self.told_.tell(self.told_.object);
}

}  // namespace weft::http

namespace weft {

Respond& Respond::operator=(Respond&& other) noexcept {
  Respond dropped(std::move(*this));
  answer_ = std::exchange(other.answer_, nullptr);
  return *this;
}

Respond::~Respond() {
  if (answer_ != nullptr) answer_->drop();
}

void Respond::operator()() { (*this)(Fill()); }

void Respond::operator()(Fill fill) {
  WEFT_ASSERT(answer_ != nullptr && "a Respond is called once");
  std::exchange(answer_, nullptr)->answer(std::move(fill));
}

}  // namespace weft
