// Values there and back through Lua, what is refused, and the dictionary they are kept in.
#include "exec/lua/values.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "exec/lua/vm.hpp"
#include "exec/shared_dictionary.hpp"

namespace weft::exec {
namespace {

using lua::Vm;

// A value of any kind, at most so deep.
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  Value make(int depth) {
    // Those with parts come last.
    switch (below(depth > 0 ? 11 : 7)) {
      case 0: return Value();
      case 1: return Value(below(2) == 1);
      case 2: return Value(static_cast<std::int64_t>(random_()));
      case 3: return Value(number());
      case 4: return Value(text());
      case 5: return Value(Bytes{text() + "\xff" + text()});
      case 6: return Value(FunctionReference{text()});
      case 7: return Value(list(depth));
      case 8: return Value(Tuple{list(depth)});
      case 9: return Value(Tagged{text(), std::make_shared<const Value>(make(depth - 1))});
      default: return Value(record(depth));
    }
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  double number() {
    constexpr double kSome[] = {0.0,
                                -0.0,
                                1.0,
                                0.1,
                                1e300,
                                std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::denorm_min()};
    return kSome[below(std::size(kSome))];
  }
  std::string text() {
    std::string text;
    for (std::uint64_t i = below(6); i > 0; --i) {
      static const std::string kPieces[] = {"a", std::string(1, '\0'), "\n", "ä", "€", "𝄞", "1"};
      text += kPieces[below(std::size(kPieces))];
    }
    return text;
  }
  ValueList list(int depth) {
    ValueList items;
    for (std::uint64_t i = below(4); i > 0; --i) items.push_back(make(depth - 1));
    return items;
  }
  Record record(int depth) {
    Record record;
    for (std::uint64_t i = below(4); i > 0; --i) record.set(text(), make(depth - 1));
    return record;
  }

  std::mt19937_64 random_;
};

struct Crossing {
  const Value* from;
  std::variant<Value, ValueRefusal> to;
};

int there_and_back(lua_State* state) {
  auto& crossing = *static_cast<Crossing*>(lua_touserdata(state, 1));
  lua::push_value(state, *crossing.from);
  const int top = lua_gettop(state);
  crossing.to = lua::to_value(state, -1, {});
  lua_settop(state, lua_gettop(state) == top ? top : 0);
  return 0;
}

TEST(LuaValues, what_goes_there_and_back_is_the_same) {
  const std::uint64_t seed = 20'261'130;
  Vm vm{lua::VmOptions{}};
  RandomValues values(seed);
  for (int i = 0; i < 5'000; ++i) {
    const Value value = values.make(4);
    Crossing crossing{&value, {}};
    ASSERT_FALSE(vm.protect(&there_and_back, &crossing));
    ASSERT_TRUE(std::holds_alternative<Value>(crossing.to))
        << i << ": " << std::get<ValueRefusal>(crossing.to).text();
    ASSERT_EQ(std::get<Value>(crossing.to), value) << "value " << i << " of seed " << seed;
  }
}

TEST(LuaValues, large_records_cross_in_no_particular_order) {
  constexpr int kMembers = 100'000;
  std::vector<Record::Member> members;
  for (int i = 0; i < kMembers; ++i) {
    // Neither in order nor backwards.
    const int key = static_cast<int>((i * 7'919LL) % kMembers);
    members.emplace_back("name" + std::to_string(key), Value(std::int64_t{key}));
  }
  const Value value{Record(std::move(members))};
  Vm vm{lua::VmOptions{}};
  Crossing crossing{&value, {}};
  ASSERT_FALSE(vm.protect(&there_and_back, &crossing));
  EXPECT_EQ(std::get<Value>(crossing.to), value);
  EXPECT_EQ(*value.get_if<Record>()->find("name777"), Value(std::int64_t{777}));
}

TEST(Record, made_of_many_has_the_last_of_each_name_in_order) {
  const Record record({{"b", Value(true)},
                       {"a", Value(std::int64_t{1})},
                       {"b", Value()},
                       {"c", Value(2.5)},
                       {"a", Value(std::string("last"))}});
  ASSERT_EQ(record.members().size(), 3U);
  EXPECT_EQ(record.members()[0].first, "a");
  EXPECT_EQ(record.members()[0].second, Value(std::string("last")));
  EXPECT_EQ(record.members()[1].second, Value());
  EXPECT_EQ(record.members()[2].first, "c");
}

// What is wrong with what a text makes.
std::string refusal_of(const std::string& text) {
  Vm vm{lua::VmOptions{}};
  auto loaded = vm.load({"test.lua", "return function() " + text + " end"});
  const auto result = vm.call(std::get<Vm::Function>(loaded), {});
  const auto* const failure = std::get_if<ScriptFailure>(&result);
  return failure != nullptr ? failure->text : "";
}

TEST(LuaValues, cycles_and_what_belongs_to_a_state_are_refused_with_the_path) {
  EXPECT_EQ(refusal_of("local t = {a = {}} t.a.b = {1, t} return t"),
            "the result $.a.b[2] is a table that it is in itself: a cycle");
  EXPECT_EQ(refusal_of("return {coroutine.create(print)}"),
            "the result $[1] is a coroutine, which belongs to its state");
  EXPECT_EQ(refusal_of("return {x = 1, [2] = 3}"),
            "the result $ has keys that are neither names alone nor 1 to its length");
  EXPECT_EQ(refusal_of("return {y = {1, nil, 3, x = 4}}").substr(0, 18), "the result $.y has");
  EXPECT_EQ(refusal_of("local t = {} return {t, t}"), "") << "twice is no cycle";
}

TEST(LuaValues, depth_and_size_are_bounded) {
  EXPECT_NE(refusal_of("local t = {} for i = 1, 40 do t = {t} end return t")
                .find("is deeper than the 32 levels allowed"),
            std::string::npos);
  EXPECT_NE(refusal_of("local t = ('x'):rep(1 << 20) local all = {} for i = 1, 20 do all[i] = t "
                       "end return all")
                .find("is beyond the 16777216 bytes"),
            std::string::npos);
  EXPECT_NE(refusal_of("local t = {1} for i = 1, 30 do t = {t, t} end return t")
                .find("is beyond the 16777216 bytes"),
            std::string::npos);
}

// ---- SharedDictionary

using Clock = SharedDictionary::Clock;
using Outcome = SharedDictionary::Outcome;
using namespace std::chrono_literals;

Value whole(std::int64_t number) { return Value(std::int64_t{number}); }

TEST(SharedDictionary, values_are_kept_replaced_and_taken_away) {
  SharedDictionary dictionary(1 << 20);
  EXPECT_FALSE(dictionary.get("a"));
  EXPECT_EQ(dictionary.set("a", whole(1)), Outcome::done);
  EXPECT_EQ(dictionary.add("a", whole(2)), Outcome::there);
  EXPECT_EQ(dictionary.get("a"), whole(1));
  EXPECT_EQ(dictionary.set("a", Value(std::string("text"))), Outcome::done);
  EXPECT_EQ(dictionary.get("a"), Value(std::string("text")));
  EXPECT_TRUE(dictionary.erase("a"));
  EXPECT_FALSE(dictionary.erase("a"));
  EXPECT_EQ(dictionary.add("a", whole(3)), Outcome::done);
  dictionary.clear();
  EXPECT_EQ(dictionary.size(), 0U);
}

TEST(SharedDictionary, a_value_whose_time_is_over_is_not_there) {
  Clock::time_point now{};
  SharedDictionary dictionary(1 << 20, [&now] { return now; });
  EXPECT_EQ(dictionary.set("a", whole(1), 10s), Outcome::done);
  EXPECT_EQ(dictionary.set("b", whole(2)), Outcome::done);
  now += 9s;
  EXPECT_EQ(dictionary.expire("a", 5s), Outcome::done);
  now += 4s;
  EXPECT_EQ(dictionary.get("a"), whole(1));
  now += 1s;
  EXPECT_FALSE(dictionary.get("a"));
  EXPECT_EQ(dictionary.expire("a", 5s), Outcome::not_there);
  EXPECT_EQ(dictionary.get("b"), whole(2));
  std::int64_t sum = 0;
  EXPECT_EQ(dictionary.increase("a", 1, std::nullopt, {}, sum), Outcome::not_there);
  EXPECT_EQ(dictionary.increase("a", 5, 10, {}, sum), Outcome::done);
  EXPECT_EQ(sum, 15);
}

TEST(SharedDictionary, what_has_no_room_is_refused_and_nothing_is_lost) {
  Clock::time_point now{};
  SharedDictionary dictionary(64 * 1024, [&now] { return now; });
  const auto big = [] { return Value(std::string(1000, 'x')); };
  std::size_t kept = 0;
  for (int i = 0; i < 1000; ++i) {
    if (dictionary.set("name " + std::to_string(i), big(), 10s) == Outcome::done) ++kept;
  }
  EXPECT_GT(kept, 16U);
  EXPECT_LT(kept, 64U);
  EXPECT_EQ(dictionary.size(), kept);
  EXPECT_EQ(dictionary.set("huge", Value(std::string(70'000, 'x'))), Outcome::no_room);
  now += 10s;
  std::size_t again = 0;
  for (int i = 1000; i < 2000; ++i) {
    if (dictionary.set("name " + std::to_string(i), big()) == Outcome::done) ++again;
  }
  EXPECT_GT(again, 16U) << "what has expired makes room";
}

TEST(SharedDictionary, sums_of_several_threads_are_whole) {
  SharedDictionary dictionary(1 << 20);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&dictionary] {
      std::int64_t sum = 0;
      for (int k = 0; k < 5'000; ++k) {
        ASSERT_EQ(dictionary.increase("sum", 1, 0, {}, sum), Outcome::done);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(dictionary.get("sum"), whole(20'000));
}

}  // namespace
}  // namespace weft::exec
