#include "storm_kinds.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "weft/blocking.hpp"
#include "weft/channel.hpp"
#include "weft/scope.hpp"
#include "weft/select.hpp"
#include "weft/sync.hpp"

namespace weft::test {

namespace {

using std::chrono::hours;
using std::chrono::microseconds;

constexpr hours kForEver{10};
constexpr microseconds kMoment{200};

// ---- On descriptors.

// Some have a limit of their own, beside what else may end a wait on them.
void limit(StormWait& wait, End& end, Random& random) {
  if (random.below(3) != 0) return;
  end.set_timeout(microseconds(random.between(1, 1'500)));
  wait.times_out();
}

void read_from_a_stream(StormWait& wait, StormShared& shared, Random& random) {
  auto [end, peer] = shared.ground.make_pair();
  limit(wait, end, random);
  wait.stays_here();
  wait.may_close([&] {
    end.close();
    return true;
  });
  wait.may_close([&] {
    peer.close();
    return true;
  });
  wait.may_let_go_on([&] { return peer.write("x").ok(); });
  wait.run([&] {
    char bytes[16];
    const auto got = end.read(bytes);
    return got && *got == 0 ? Ending::closed : ending_of(got);
  });
}

void write_to_a_stream(StormWait& wait, StormShared& shared, Random& random) {
  auto [end, peer] = shared.ground.make_pair();
  limit(wait, end, random);
  const std::string bytes(random.between(1, 40'000), 'x');
  wait.stays_here();
  wait.may_close([&] {
    end.close();
    return true;
  });
  wait.may_close([&] {
    peer.close();
    return true;
  });
  wait.may_let_go_on([&] {
    std::vector<char> into(bytes.size());
    return with_timeout(kMoment, [&] { return peer.read_exactly(into); }).ok();
  });
  wait.may_end_by_itself();
  wait.run([&] { return ending_of(end.write(bytes)); });
}

void accept_a_connection(StormWait& wait, StormShared& shared, Random&) {
  Listener listener = shared.ground.make_listener(4);
  wait.stays_here();
  wait.may_close([&] {
    listener.close();
    return true;
  });
  wait.may_let_go_on([&] { return shared.ground.connect(listener.address()).ok(); });
  wait.run([&] { return ending_of(listener.accept()); });
}

// The listener has no room, unless something went wrong or someone accepts.
void connect_to_a_full_listener(StormWait& wait, StormShared& shared, Random&) {
  Listener listener = shared.ground.make_listener(1);
  const auto first = shared.ground.connect(listener.address());
  wait.stays_here();
  wait.may_close([&] {
    listener.close();
    return false;  // tried again for long by some kernels
  });
  wait.may_let_go_on([&] {
    static_cast<void>(with_timeout(kMoment, [&] { return listener.accept(); }));
    return false;
  });
  wait.run([&] { return ending_of(shared.ground.connect(listener.address())); });
}

// ---- On channels.

void receive_from_a_channel(StormWait& wait, StormShared& shared, Random& random) {
  Channel<int> channel(random.below(2));
  int sent = 0;
  std::atomic<int> received = 0;
  wait.may_close([&] { return channel.close(), true; });
  wait.may_let_go_on([&] {
    const bool ok = channel.send_for(1, kMoment).ok();
    sent += ok ? 1 : 0;
    return ok;
  });
  wait.run([&] {
    if (!channel.receive()) return Ending::closed;
    ++received;
    return Ending::done;
  });
  if (received + static_cast<int>(channel.size()) != sent) shared.complain("a value got lost");
}

void send_to_a_channel(StormWait& wait, StormShared& shared, Random& random) {
  Channel<int> channel(random.below(2));
  std::atomic<int> sent = channel.try_send(1) ? 1 : 0;
  int received = 0;
  const auto take = [&] {
    const bool ok = channel.receive_for(kMoment).ok();
    received += ok ? 1 : 0;
    return ok;
  };
  wait.may_close([&] { return channel.close(), true; });
  wait.may_let_go_on(take);
  wait.run([&] {
    if (!channel.send(2)) return Ending::closed;
    ++sent;
    return Ending::done;
  });
  if (received + static_cast<int>(channel.size()) != sent) shared.complain("a value was not sent");
}

void select_of_several(StormWait& wait, StormShared& shared, Random&) {
  Channel<int> one;
  Channel<int> other(1);
  Channel<int> out;
  CancelSource source;
  int given = 0;
  int taken = 0;
  std::atomic<int> got = 0;
  std::atomic<int> put = 0;
  wait.may_close([&] { return one.close(), true; });
  for (Channel<int>* channel : {&one, &other}) {
    wait.may_let_go_on([&given, channel] {
      const bool ok = channel->send_for(1, kMoment).ok();
      given += ok ? 1 : 0;
      return ok;
    });
  }
  wait.may_let_go_on([&] {
    const bool ok = out.receive_for(kMoment).ok();
    taken += ok ? 1 : 0;
    return ok;
  });
  wait.may_let_go_on([&] { return source.cancel(), true; });
  wait.run([&] {
    Ending ending = Ending::done;
    const auto receive = [&](std::optional<int> value) {
      value ? static_cast<void>(++got) : static_cast<void>(ending = Ending::closed);
    };
    select(on_receive(one, receive), on_receive(other, receive), on_send(out, 1, [&] { ++put; }),
           after(kForEver, [&] { ending = Ending::failed; }), on_cancelled(source.token(), [] {}));
    return ending;
  });
  const int left = static_cast<int>(other.size());
  if (got + left != given || put != taken) shared.complain("a select did half of something");
}

// ---- On one another.

void lock_a_mutex(StormWait& wait, StormShared&, Random& random) {
  Mutex mutex;
  std::unique_lock held(mutex);
  const bool for_a_while = random.below(2) == 0;
  wait.may_let_go_on([&] {
    if (held) held.unlock();
    return true;
  });
  wait.run([&] {
    if (for_a_while) {
      if (!mutex.lock_for(kForEver)) return Ending::failed;
    } else {
      mutex.lock();
    }
    mutex.unlock();
    return Ending::done;
  });
  if (!held) held.lock();
}

void lock_for_reading_or_writing(StormWait& wait, StormShared&, Random& random) {
  RwLock lock;
  std::unique_lock held(lock);
  const bool reads = random.below(2) == 0;
  wait.may_let_go_on([&] {
    if (held) held.unlock();
    return true;
  });
  wait.run([&] {
    reads ? lock.lock_shared() : lock.lock();
    reads ? lock.unlock_shared() : lock.unlock();
    return Ending::done;
  });
  if (!held) held.lock();
}

void acquire_permits(StormWait& wait, StormShared& shared, Random& random) {
  Semaphore permits(1);
  const std::size_t wanted = random.between(2, 3);
  bool released = false;
  wait.may_let_go_on([&] {
    if (!std::exchange(released, true)) permits.release(2);
    return true;
  });
  JoinHandle<void> behind;
  if (random.below(2) == 0) {
    // Wants less, and gets it when the other one has been cancelled.
    behind = spawn([&] {
      permits.acquire();
      permits.release();
    });
  }
  wait.run([&] {
    permits.acquire(wanted);
    permits.release(wanted);
    return Ending::done;
  });
  if (behind.joinable()) behind.join();
  if (!released) permits.release(2);
  if (!permits.try_acquire(3) || permits.try_acquire()) shared.complain("a permit got lost");
}

void wait_for_a_condition(StormWait& wait, StormShared&, Random& random) {
  Mutex mutex;
  CondVar changed;
  bool holds = false;
  const bool all = random.below(2) == 0;
  wait.may_let_go_on([&] {
    {
      const std::lock_guard guard(mutex);
      holds = true;
    }
    all ? changed.notify_all() : changed.notify_one();
    return true;
  });
  wait.run([&] {
    std::unique_lock held(mutex);
    changed.wait(held, [&] { return holds; });
    return Ending::done;
  });
}

void wait_for_a_group(StormWait& wait, StormShared&, Random&) {
  WaitGroup group(1);
  bool done = false;
  wait.may_let_go_on([&] {
    if (!std::exchange(done, true)) group.done();
    return true;
  });
  wait.run([&] {
    group.wait();
    return Ending::done;
  });
}

void meet_at_a_barrier(StormWait& wait, StormShared&, Random&) {
  Barrier barrier(2);
  wait.may_let_go_on(
      [&] { return with_timeout(kMoment, [&] { return barrier.arrive_and_wait(); }).ok(); });
  wait.run([&] {
    barrier.arrive_and_wait();
    return Ending::done;
  });
}

// ---- On time and other green threads.

void sleep_for_long(StormWait& wait, StormShared&, Random& random) {
  const bool long_enough = random.below(2) == 0;
  if (!long_enough) wait.ends_by_itself();
  wait.run([&] {
    long_enough ? sleep(kForEver) : sleep(kMoment);
    return Ending::done;
  });
}

void compute_until_cancelled(StormWait& wait, StormShared&, Random&) {
  wait.run([] {
    while (!cancelled()) yield();
    check_cancelled();
    return Ending::failed;
  });
}

void call_what_blocks(StormWait& wait, StormShared&, Random&) {
  wait.ends_by_itself();
  wait.run([] { return blocking([] { return Ending::done; }); });
}

void join_one_that_sleeps(StormWait& wait, StormShared&, Random&) {
  auto sleeper = spawn([] { sleep(kForEver); });
  wait.may_close([&] {
    if (sleeper.joinable()) sleeper.cancel();
    return true;
  });
  wait.run([&]() -> Ending {
    const auto joined = sleeper.join_for(kForEver);
    return joined ? Ending::failed : ending_of(joined.error());
  });
  if (!sleeper.joinable()) return;
  sleeper.cancel();
  try {
    sleeper.join();
  } catch (const Cancelled&) {
  }
}

void run_a_scope(StormWait& wait, StormShared&, Random&) {
  Channel<int> channel(1);
  wait.may_close([&] { return channel.close(), true; });
  wait.may_let_go_on([&] { return channel.try_send(1); });
  wait.run([&] {
    Ending ending = Ending::done;
    scope([&](Scope& children) {
      children.spawn([] { sleep(kForEver); });
      children.spawn([&] {
        scope([&](Scope& grandchildren) { grandchildren.spawn([] { sleep(kForEver); }).cancel(); });
        if (!channel.receive()) ending = Ending::closed;
        children.cancel();
      });
    });
    return ending;
  });
}

// ---- On what all share.

void lock_what_all_lock(StormWait& wait, StormShared& shared, Random& random) {
  const std::uint64_t stays = random.below(3);
  wait.ends_by_itself();
  wait.run([&] {
    const std::lock_guard guard(shared.mutex);
    if (++shared.inside != 1) shared.complain("two hold a mutex");
    for (std::uint64_t i = 0; i < stays; ++i) yield();
    --shared.inside;
    return Ending::done;
  });
}

void read_or_write_what_all_do(StormWait& wait, StormShared& shared, Random& random) {
  const bool reads = random.below(3) != 0;
  wait.ends_by_itself();
  wait.run([&] {
    if (reads) {
      const std::shared_lock guard(shared.rw_lock);
      ++shared.readers;
      if (shared.writers != 0) shared.complain("one reads while another writes");
      yield();
      --shared.readers;
    } else {
      const std::lock_guard guard(shared.rw_lock);
      if (++shared.writers != 1 || shared.readers != 0) shared.complain("a writer is not alone");
      yield();
      --shared.writers;
    }
    return Ending::done;
  });
}

void take_permits_that_all_take(StormWait& wait, StormShared& shared, Random& random) {
  const auto wanted = static_cast<int>(random.between(1, 3));
  wait.ends_by_itself();
  wait.run([&] {
    shared.permits.acquire(static_cast<std::size_t>(wanted));
    if ((shared.permits_out += wanted) > 3) shared.complain("more permits than there are");
    yield();
    shared.permits_out -= wanted;
    shared.permits.release(static_cast<std::size_t>(wanted));
    return Ending::done;
  });
}

void use_the_channel_of_all(StormWait& wait, StormShared& shared, Random& random) {
  const bool sends = random.below(2) == 0;
  const microseconds patience(random.below(600));
  wait.ends_by_itself();
  wait.run([&] {
    if (sends) {
      const std::uint64_t value = shared.next_value++;
      if (shared.channel.send_for(value, patience)) shared.sent += value;
    } else if (const auto value = shared.channel.receive_for(patience)) {
      shared.received += *value;
    }
    return Ending::done;
  });
}

constexpr std::array kKinds = {
    read_from_a_stream,          write_to_a_stream,
    accept_a_connection,         connect_to_a_full_listener,
    receive_from_a_channel,      send_to_a_channel,
    select_of_several,           lock_a_mutex,
    lock_for_reading_or_writing, acquire_permits,
    wait_for_a_condition,        wait_for_a_group,
    meet_at_a_barrier,           sleep_for_long,
    compute_until_cancelled,     call_what_blocks,
    join_one_that_sleeps,        run_a_scope,
    lock_what_all_lock,          read_or_write_what_all_do,
    take_permits_that_all_take,  use_the_channel_of_all,
};

}  // namespace

std::span<const StormKind> storm_kinds() noexcept { return kKinds; }

}  // namespace weft::test
