// The page on scripts, and what they can call.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

namespace weft::app::lua {
namespace {

namespace fs = std::filesystem;

TEST(LuaPage, names_every_function_that_scripts_have) {
  const auto read = [](const fs::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string page = read(WEFT_SOURCE_DIR "/docs/lua.md");
  const std::regex entry("\\{\"([a-z_]+)\",\\s+&guarded<");
  std::size_t found = 0;
  for (const auto& file : fs::directory_iterator(WEFT_SOURCE_DIR "/src/app/lua")) {
    const std::string source = read(file.path());
    for (std::sregex_iterator at(source.begin(), source.end(), entry), end; at != end; ++at) {
      const std::string name = (*at)[1];
      ++found;
      EXPECT_TRUE(std::regex_search(page, std::regex("[:.`]" + name + "[`({]")))
          << name << " of " << file.path() << " is not in docs/lua.md";
    }
  }
  EXPECT_GT(found, 90U);
}

}  // namespace
}  // namespace weft::app::lua
