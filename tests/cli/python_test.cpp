// What `weft serve` hands on to Python, and what it does where there is none.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "cli/program.hpp"

namespace weft::cli {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ServePython, says_what_it_needs_where_there_is_no_python) {
  for (const std::string word :
       {"main:app", "package.web:make.app", "main.py", "dir/main.py:app"}) {
    const Outcome outcome = run_weft({"serve", "--reload", word}, {"PATH=/nonexistent"});
    EXPECT_EQ(outcome.status, 1) << word;
    EXPECT_TRUE(has(outcome.text, "needs python3, which cannot be run")) << outcome.text;
  }
}

TEST(ServePython, is_asked_with_all_words_as_they_are) {
  const Outcome outcome = run_weft({"serve", "no_module_of_this_name:app", "--prot", "1"});
  EXPECT_NE(outcome.status, 0);
  // The package may not be there; then the interpreter says so.
  EXPECT_TRUE(has(outcome.text, "did you mean --port?") || has(outcome.text, "No module named"))
      << outcome.text;
}

TEST(ServePython, leaves_other_words_to_others) {
  for (const std::string word : {"main", "a b:c", "main.lua", "1x:app", "x:", ":x", ".py"}) {
    const Outcome outcome = run_weft({"serve", word}, {"PATH=/nonexistent"});
    EXPECT_FALSE(has(outcome.text, "needs python3")) << word << ": " << outcome.text;
    EXPECT_NE(outcome.status, 0) << word;
  }
}

TEST(ServePython, serves_a_folder_whatever_its_name) {
  const std::string folder = testing::TempDir() + "folder.py";
  std::filesystem::create_directories(folder);
  const Outcome outcome = run_weft({"serve", folder, "--port", "many"}, {"PATH=/nonexistent"});
  EXPECT_FALSE(has(outcome.text, "needs python3")) << outcome.text;
  EXPECT_TRUE(has(outcome.text, "port")) << outcome.text;
  std::filesystem::remove(folder);
}

}  // namespace
}  // namespace weft::cli
