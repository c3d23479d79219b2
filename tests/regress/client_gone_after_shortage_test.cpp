// A client that goes while its handler is parked, after no block was free for what it had sent
// behind its request. That was received into borrowed memory, once, and then nothing was received
// any more, so that the handler was cancelled at the time limit of the request only.

#include <gtest/gtest.h>

#include "http/sim/sim_run.hpp"
#include "ksvc/sim/sim_peer.hpp"

namespace weft::http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Regression, a_client_that_goes_after_a_shortage_of_blocks_cancels_its_handler) {
  for (const Model model : {Model::green, Model::coroutine, Model::callback}) {
    SimRunOptions options;
    options.model = model;
    options.drain_after = seconds(10);
    options.world.faults.no_buffers = 1'000;  // of a thousand
    SimRun run(1, options);
    ksvc::SimPeer peer(run.world(), run.port());
    run.world().after(seconds(1),
                      [&] { peer.send("GET /sleep/15000 HTTP/1.1\r\nHost: sim\r\n\r\n"); });
    run.world().after(seconds(2), [&] { peer.send("GET /hello HTTP/1.1\r\n"); });
    run.world().after(seconds(3), [&] { peer.close(); });
    run.world().after(seconds(4), [&] { EXPECT_EQ(run.counters().closed.value(), 1U); });
    EXPECT_EQ(run.run(), "");
  }
}

}  // namespace weft::http::test
