// Clients that reset, in numbers, against a server process whose memory is looked at from outside.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>

#include "hello_process.hpp"

namespace weft::http::test {

namespace {

constexpr unsigned kDescriptors = 20'000;
constexpr std::size_t kAtOnce = 200;
constexpr std::size_t kRounds = 5;
// In the round that grows least: memory that is lost is lost in each, while how much is needed at
// the same time is highest in some. A dozen bytes lost of each connection would show.
constexpr std::ptrdiff_t kMostGrowth = 256 * 1024;

class SlowResets : public HelloTest {};
INSTANTIATE_TEST_SUITE_P(Slow, SlowResets, every_backend, backend_of);

// WEFT_RESET_CYCLES=1000000 is for those who have some minutes.
std::size_t cycles() {
  const char* const asked = std::getenv("WEFT_RESET_CYCLES");
  if (asked != nullptr) return std::stoul(asked);
  return sanitized ? 5'000 : 100'000;
}

// What the client has said when it resets: nothing, half a head, a request that is answered at
// once, one whose handler waits, and one with others behind it.
const std::string kSaid[] = {
    "",
    "GET / HTTP/1.1\r\nHo",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /sleep/60000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /sleep/60000 HTTP/1.1\r\nHost: a\r\n\r\nGET / "
    "HTTP/1.1\r\n",
};

// So many clients, of which some are there at the same time.
void connect_and_reset(std::uint16_t port, std::size_t count) {
  std::deque<Client> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(port).send(kSaid[i % std::size(kSaid)]);
    if (clients.size() < kAtOnce) continue;
    clients.front().reset();
    clients.pop_front();
  }
  for (Client& client : clients) client.reset();
}

}  // namespace

TEST_P(SlowResets, a_hundred_thousand_of_them_leave_memory_and_descriptors_as_they_were) {
  HelloProcess hello(arguments(), kDescriptors);
  const std::uint16_t port = hello.wait_until_it_listens();
  ASSERT_NE(port, 0) << hello.log();
  EXPECT_EQ(Client(port).get("/sleep/1").status, 200);
  const std::size_t descriptors = hello.open_descriptors();
  std::ptrdiff_t least_growth = PTRDIFF_MAX;
  std::size_t before = 0;
  for (std::size_t round = 0; round <= kRounds; ++round) {
    connect_and_reset(port, cycles() / kRounds);
    ASSERT_TRUE(eventually([&] { return hello.open_descriptors() <= descriptors; }));
    const std::size_t after = hello.resident_bytes();
    const auto growth = static_cast<std::ptrdiff_t>(after) - static_cast<std::ptrdiff_t>(before);
    RecordProperty("resident_bytes_" + std::to_string(round), std::to_string(after));
    least_growth = std::min(least_growth, growth);
    before = after;
  }
  // A sanitizer keeps what is freed.
  if (!sanitized) {
    EXPECT_LE(least_growth, kMostGrowth * static_cast<std::ptrdiff_t>(cycles()) / 100'000);
  }
  EXPECT_EQ(Client(port).get("/").body, "Hello, World!");
  hello.signal(SIGTERM);
  EXPECT_EQ(hello.wait_for_exit(), 0) << hello.log();
}

}  // namespace weft::http::test
