// select(): whatever comes first of a value, a timer and a cancellation.
//
// A worker takes jobs until it is told to stop, and notices when it has been idle.
#include <iostream>
#include <string>
#include <weft/cancel.hpp>
#include <weft/channel.hpp>
#include <weft/green.hpp>
#include <weft/select.hpp>

using namespace std::chrono_literals;

namespace {

void work(const weft::Channel<std::string>& jobs, const weft::CancelToken& stop) {
  for (bool stopped = false; !stopped;) {
    weft::select(weft::on_receive(jobs,
                                  [&](std::optional<std::string> job) {
                                    if (job) std::cout << "job: " << *job << '\n';
                                  }),
                 weft::after(20ms, [] { std::cout << "idle\n"; }),
                 weft::on_cancelled(stop, [&] { stopped = true; }));
  }
  std::cout << "stopped\n";
}

}  // namespace

int main() {
  weft::run([] {
    const weft::Channel<std::string> jobs;
    weft::CancelSource stop;
    auto worker = weft::spawn([=, token = stop.token()] { work(jobs, token); });
    jobs.send("wash");
    jobs.send("dry");
    weft::sleep(100ms);
    jobs.send("fold");
    stop.cancel();
    worker.join();

    // The same once, without waiting: what is there now, or nothing.
    weft::select(weft::on_receive(jobs, [](const auto&) { std::cout << "one more job\n"; }),
                 weft::otherwise([] { std::cout << "no more jobs\n"; }));
  });
}
