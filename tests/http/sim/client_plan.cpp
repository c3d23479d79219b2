#include "client_plan.hpp"

#include <algorithm>
#include <array>

namespace weft::http::test {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

ClientPlan random_plan(Random& random, const PlanOptions& options) {
  using Ending = ClientPlan::Ending;
  ClientPlan plan;
  const std::uint64_t count = random.between(1, options.most_asks);
  while (plan.asks.size() < count && (plan.asks.empty() || !plan.asks.back().says_last)) {
    plan.asks.push_back(random_ask(random));
  }
  plan.starts_after = microseconds(random.below(random.chance(50) ? 1'000 : 100'000));
  if (random.chance(60)) plan.depth = random.between(2, 8);
  // All pieces of a request together stay well below the server's patience for one.
  if (random.chance(60)) plan.most_pieces = random.between(2, random.chance(80) ? 5 : 60);
  if (random.chance(70)) plan.between_pieces = microseconds(random.below(5'000));
  if (random.chance(30)) plan.thinks = microseconds(random.below(100'000));
  if (random.chance(options.slow_readers)) plan.rests = milliseconds(random.between(1, 5));
  plan.lets_server_end = random.chance(50);
  if (random.chance(30)) plan.ending = Ending::half_closes;
  if (random.chance(options.unfair_clients)) {
    constexpr std::array<Ending, 6> kEndings{Ending::waits,  Ending::half_closes, Ending::closes,
                                             Ending::resets, Ending::vanishes,    Ending::stalls};
    plan.ending = kEndings[random.below(kEndings.size())];
    if (random.chance(70)) {
      plan.ends_at = random.below(plan.total_bytes() + 1);
    } else {
      plan.ends_amid = random.below(random.chance(50) ? 1'000 : 100'000);
    }
  }
  return plan;
}

}  // namespace

std::size_t ClientPlan::total_bytes() const {
  std::size_t total = 0;
  for (const Ask& ask : asks) total += ask.bytes.size();
  return total;
}

std::vector<ClientPlan> random_plans(Random& random, const PlanOptions& options) {
  std::vector<ClientPlan> plans;
  const std::uint64_t count = random.between(1, options.most_clients);
  while (plans.size() < count) plans.push_back(random_plan(random, options));
  return plans;
}

}  // namespace weft::http::test
