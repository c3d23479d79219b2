// Seeing inside: which green threads there are, what each waits for, and where it stands.
#include <iostream>
#include <mutex>
#include <weft/channel.hpp>
#include <weft/green.hpp>
#include <weft/inspect.hpp>
#include <weft/sync.hpp>

using namespace std::chrono_literals;

namespace {

void wait_for_orders(const weft::Channel<int>& orders) {
  for (int order : orders) std::cout << "order " << order << '\n';
}

void use_kitchen(weft::Mutex& kitchen) { const std::lock_guard lock(kitchen); }

}  // namespace

int main() {
  weft::run([] {
    const weft::Channel<int> orders;
    weft::Mutex kitchen;
    std::unique_lock lock(kitchen);
    auto waiter = weft::spawn({.name = "waiter"}, [&] { wait_for_orders(orders); });
    auto cook = weft::spawn({.name = "cook"}, [&] { use_kitchen(kitchen); });
    auto clock = weft::spawn({.name = "clock"}, [] { weft::sleep(1h); });
    weft::yield();  // all three run, and park

    for (const weft::GreenThreadInfo& thread : weft::snapshot()) std::cout << describe(thread);

    orders.close();
    lock.unlock();
    clock.cancel();
    waiter.join();
    cook.join();
  });
}
