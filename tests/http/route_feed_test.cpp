#include "http/route_feed.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <thread>
#include <vector>

namespace weft::http {

namespace {

// Routes /0, /1, … for one feed.
class RouteFeedTest : public testing::Test {
 protected:
  const NewRoute& make() {
    NewRoute& route = routes_.emplace_back();
    route.method = Method::get;
    route.pattern = "/" + std::to_string(routes_.size() - 1);
    route.untaken.add();
    return route;
  }
  std::vector<std::string> take_all() {
    std::vector<std::string> taken;
    feed_.take_up([&](const NewRoute& route) {
      taken.push_back(route.pattern);
      return true;
    });
    return taken;
  }

  std::deque<NewRoute> routes_;
  RouteFeed feed_;
};

}  // namespace

TEST_F(RouteFeedTest, what_was_put_in_comes_out_in_order_and_counts_as_taken_up) {
  EXPECT_TRUE(feed_.put(make()));
  EXPECT_TRUE(feed_.put(make()));
  EXPECT_FALSE(routes_[0].untaken.wait_for({}));
  EXPECT_EQ(take_all(), (std::vector<std::string>{"/0", "/1"}));
  EXPECT_TRUE(routes_[0].untaken.wait_for({}));
  EXPECT_TRUE(routes_[1].untaken.wait_for({}));
  EXPECT_TRUE(take_all().empty());
}

TEST_F(RouteFeedTest, a_full_feed_says_so_and_has_room_again_when_one_is_taken) {
  for (std::size_t i = 0; i < RouteFeed::kCapacity; ++i) {
    ASSERT_TRUE(feed_.has_room());
    ASSERT_TRUE(feed_.put(make()));
  }
  EXPECT_FALSE(feed_.has_room());
  EXPECT_FALSE(feed_.put(make()));
  int left = 1;
  feed_.take_up([&](const NewRoute&) { return left-- > 0; });
  EXPECT_TRUE(feed_.has_room());
  EXPECT_EQ(take_all().front(), "/1");
}

TEST_F(RouteFeedTest, what_could_not_be_taken_up_stays_the_first) {
  ASSERT_TRUE(feed_.put(make()));
  ASSERT_TRUE(feed_.put(make()));
  feed_.take_up([](const NewRoute&) { return false; });
  EXPECT_FALSE(routes_[0].untaken.wait_for({}));
  EXPECT_EQ(take_all(), (std::vector<std::string>{"/0", "/1"}));
}

TEST_F(RouteFeedTest, a_worker_that_ends_leaves_nobody_waiting) {
  ASSERT_TRUE(feed_.put(make()));
  feed_.forget_all();
  EXPECT_TRUE(routes_[0].untaken.wait_for({}));
}

TEST_F(RouteFeedTest, everything_arrives_whole_on_another_thread) {
  constexpr std::size_t kRoutes = 20'000;
  for (std::size_t i = 0; i < kRoutes; ++i) make();
  std::thread worker([this] {
    Router router;
    std::vector<Endpoint> endpoints;
    while (endpoints.size() < kRoutes) {
      feed_.take_up([&](const NewRoute& route) { return !add_route(route, router, endpoints); });
    }
  });
  for (const NewRoute& route : routes_) {
    while (!feed_.put(route)) std::this_thread::yield();
  }
  worker.join();
  for (const NewRoute& route : routes_) EXPECT_TRUE(route.untaken.wait_for({}));
}

TEST(AddRoute, a_refused_route_leaves_no_endpoint_behind) {
  Router router;
  std::vector<Endpoint> endpoints;
  NewRoute route;
  route.pattern = "/a";
  EXPECT_FALSE(add_route(route, router, endpoints));
  EXPECT_TRUE(add_route(route, router, endpoints));
  EXPECT_EQ(endpoints.size(), 1U);
  EXPECT_EQ(router.size(), 1U);
}

}  // namespace weft::http
