#include "gvt/symbols.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>

#include "gvt/backtrace.hpp"

namespace weft::gvt {
namespace symbols_test {

struct Here {
  std::array<void*, 32> addresses{};
  std::size_t count = 0;
  int line = 0;

  std::span<void* const> found() const { return std::span(addresses).first(count); }
};

[[gnu::noinline]] void a_named_function(Here& here, int) {
  here.line = __LINE__ + 1;
  here.count = backtrace(here.addresses);
}

[[gnu::always_inline]] inline void an_inlined_function(Here& here) {
  a_named_function(here, 1);
  __asm__ volatile("");
}

[[gnu::noinline]] void a_calling_function(Here& here) {
  an_inlined_function(here);
  __asm__ volatile("");
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class SymbolsTest : public ::testing::Test {
 protected:
  SymbolsTest() { a_calling_function(here_); }

  // Whether this program was built with debug information, and weft with the means to read it.
  bool has_lines() { return symbolizer_.has_debug_information(here_.addresses[0]); }

  Symbolizer symbolizer_;
  Here here_;
};

TEST_F(SymbolsTest, a_function_has_its_name_and_place) {
  const Symbol symbol = symbolizer_.look_up(here_.addresses[0]).back();
  if (!has_lines()) GTEST_SKIP() << "no debug information: " << symbol.text();
  EXPECT_EQ(symbol.line, static_cast<unsigned>(here_.line));
  EXPECT_TRUE(contains(symbol.file, "symbols_test.cpp")) << symbol.file;
  EXPECT_TRUE(contains(symbol.function, "symbols_test::a_named_function(")) << symbol.function;
  EXPECT_TRUE(contains(symbol.text(), "symbols_test.cpp:" + std::to_string(here_.line) + ")"));
  EXPECT_NE(symbol.module, "");
}

TEST_F(SymbolsTest, an_inlined_function_is_named_before_the_one_around_it) {
  const std::vector<Symbol> found = symbolizer_.look_up(here_.addresses[1]);
  if (!has_lines()) GTEST_SKIP() << "no debug information: " << found[0].text();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(contains(found[0].function, "an_inlined_function")) << found[0].function;
  EXPECT_TRUE(found[0].inlined);
  EXPECT_TRUE(contains(found[1].function, "a_calling_function")) << found[1].function;
  EXPECT_FALSE(found[1].inlined);
  EXPECT_GT(found[1].line, found[0].line);
  EXPECT_TRUE(contains(found[1].file, "symbols_test.cpp"));
}

TEST_F(SymbolsTest, a_lambda_has_its_place_too) {
  Here here;
  const auto lambda = [&here]() __attribute__((noinline)) {
    here.line = __LINE__ + 1;
    here.count = backtrace(here.addresses);
  };
  lambda();
  if (!has_lines()) GTEST_SKIP() << "no debug information";
  const Symbol symbol = symbolizer_.look_up(here.addresses[0]).back();
  EXPECT_EQ(symbol.line, static_cast<unsigned>(here.line)) << symbol.text();
  EXPECT_TRUE(contains(symbol.function, "operator()")) << symbol.function;
}

TEST_F(SymbolsTest, a_whole_stack_is_a_line_for_each_function) {
  const std::string text = symbolizer_.describe(here_.found());
  if (!has_lines()) GTEST_SKIP() << "no debug information:\n" << text;
  EXPECT_EQ(text.find("#0 "), 0U);
  const auto named = text.find("a_named_function"), inlined = text.find("an_inlined_function"),
             calling = text.find("a_calling_function");
  EXPECT_LT(named, inlined) << text;
  EXPECT_LT(inlined, calling) << text;
  EXPECT_TRUE(contains(text, "main")) << text;
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(SymbolsTest, a_function_of_a_library_has_its_name_or_at_least_its_module) {
  const std::string text = symbolizer_.look_up(reinterpret_cast<void*>(&std::abort)).back().text();
  EXPECT_TRUE(contains(text, "abort") || contains(text, "+0x")) << text;
}

TEST_F(SymbolsTest, what_is_no_code_is_told_as_a_number) {
  EXPECT_EQ(symbolizer_.look_up(reinterpret_cast<void*>(0x10)).back().text(), "0x10");
}

TEST(Demangle, gives_the_name_that_people_wrote) {
  EXPECT_EQ(demangle("_ZN4weft3gvt8ScheduleEv"), "weft::gvt::Schedule()");
  EXPECT_EQ(demangle("main"), "main");
}

TEST(SymbolText, says_what_is_known) {
  EXPECT_EQ((Symbol{.function = "f()", .file = "a.cpp", .line = 7, .module = "/bin/x"}).text(),
            "f() (a.cpp:7)");
  EXPECT_EQ((Symbol{.function = "f()", .module = "/bin/x", .offset = 31}).text(), "f()+0x1f (x)");
  EXPECT_EQ((Symbol{.module = "/bin/x", .offset = 4660}).text(), "x+0x1234");
}

}  // namespace symbols_test
}  // namespace weft::gvt
