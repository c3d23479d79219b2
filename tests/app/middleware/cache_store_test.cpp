// Where cache() keeps answers: its bounds.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "app/middleware/cache_store.hpp"

namespace weft {

namespace {

using namespace std::chrono_literals;

}  // namespace

TEST(CacheStore, stays_within_its_bound_and_lets_go_what_was_used_longest_ago) {
  constexpr std::size_t kBytes = 16 * 20'000;
  app::CacheStore store(kBytes);
  http::Limits limits;
  http::HeadParser parser(limits);
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.advance(text), http::ParseState::complete);
  const http::HeadView head(parser.head(), text.data());
  const auto now = app::CacheClock::now();
  const auto answer_of = [&](std::size_t size) {
    auto answer = std::make_shared<app::StoredAnswer>();
    answer->body.assign(size, 'b');
    answer->fresh_until = answer->stale_until = now + 1h;
    return answer;
  };
  std::mt19937 random(11);
  const auto keep = [&](const std::string& key, std::size_t size) {
    const app::CacheStore::Asked asked{key, head};
    return store.keep(asked, {}, store.find(asked, now).purges, answer_of(size));
  };
  for (int i = 0; i < 3'000; ++i) {
    ASSERT_TRUE(keep("key" + std::to_string(random() % 500), random() % 10'000));
    ASSERT_LE(store.stats().bytes, kBytes);
    // This one is in use.
    keep("used", 10);
  }
  EXPECT_GT(store.stats().evicted, 100U);
  EXPECT_NE(store.find({"used", head}, now).answer, nullptr);
  EXPECT_EQ(store.find({"used", head}, now + 2h).answer, nullptr);
  EXPECT_FALSE(keep("huge", 20'001));
  store.clear();
  EXPECT_EQ(store.stats().bytes, 0U);
  EXPECT_EQ(store.stats().entries, 0U);
}

TEST(CacheStore, takes_no_memory_for_what_is_not_kept) {
  app::CacheStore store(1024);
  http::Limits limits;
  http::HeadParser parser(limits);
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(parser.advance(text), http::ParseState::complete);
  const http::HeadView head(parser.head(), text.data());
  const auto now = app::CacheClock::now();
  std::size_t passed = 0;
  const auto key_of = [](int i) { return std::string(10'000, 'k') + std::to_string(i); };
  constexpr int kKeys = 10'000;
  for (int i = 0; i < kKeys; ++i) store.keep_out(key_of(i), now + 5s);
  for (int i = 0; i < kKeys; ++i) passed += store.find({key_of(i), head}, now).pass ? 1U : 0U;
  // The youngest push out the others.
  EXPECT_TRUE(store.find({key_of(kKeys - 1), head}, now).pass);
  EXPECT_LE(passed, 16U * 256);
  EXPECT_FALSE(store.find({key_of(kKeys - 1), head}, now + 5s).pass);
}

}  // namespace weft
