// Options::from_arguments(): what it reads, and how it leaves the process when it cannot.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weft/app.hpp"

namespace weft {

namespace {

Options parse(std::vector<std::string> words) {
  words.insert(words.begin(), "/somewhere/hello");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  return Options::from_arguments(static_cast<int>(arguments.size()), arguments.data());
}

// A death test starts the program anew, for other tests of it have had threads.
class OptionsDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

}  // namespace

TEST(Options, defaults_stay_without_arguments) {
  const Options options = parse({});
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.port, 8080);
  EXPECT_EQ(options.workers, 1U);
  EXPECT_EQ(options.backend, "auto");
  EXPECT_EQ(options.topology, "per-worker");
  EXPECT_EQ(options.model, "green");
  EXPECT_FALSE(options.quiet);
}

TEST(Options, every_flag_is_read_in_both_spellings) {
  const Options apart =
      parse({"--host", "::1", "--port", "81", "--workers", "4", "--backend", "epoll"});
  EXPECT_EQ(apart.host, "::1");
  EXPECT_EQ(apart.port, 81);
  EXPECT_EQ(apart.workers, 4U);
  EXPECT_EQ(apart.backend, "epoll");
  EXPECT_EQ(parse({"--topology", "shared"}).topology, "shared");
  EXPECT_EQ(parse({"--topology=per-worker"}).topology, "per-worker");
  EXPECT_EQ(parse({"--model", "callback"}).model, "callback");
  EXPECT_EQ(parse({"--model=coroutine"}).model, "coroutine");
  const Options joined = parse({"--host=::1", "--port=65535", "--workers=0", "--backend=io_uring"});
  EXPECT_EQ(joined.host, "::1");
  EXPECT_EQ(joined.port, 65535);
  EXPECT_EQ(joined.workers, 0U);
  EXPECT_EQ(joined.backend, "io_uring");
}

TEST(Options, limits_have_flags_and_keep_their_values_without) {
  const Limits defaults;
  const Limits kept = parse({}).limits;
  EXPECT_EQ(kept.request_timeout, defaults.request_timeout);
  EXPECT_EQ(kept.idle_timeout, defaults.idle_timeout);
  EXPECT_EQ(kept.drain_grace, defaults.drain_grace);
  EXPECT_EQ(kept.body_bytes, defaults.body_bytes);
  EXPECT_EQ(kept.connections, defaults.connections);
  EXPECT_EQ(kept.connections_per_address, defaults.connections_per_address);
  const Limits set =
      parse({"--request-timeout", "5", "--idle-timeout=60", "--drain-grace", "0", "--max-body",
             "64KiB", "--max-connections", "7", "--max-connections-per-address=3"})
          .limits;
  EXPECT_EQ(set.request_timeout, std::chrono::seconds(5));
  EXPECT_EQ(set.idle_timeout, std::chrono::minutes(1));
  EXPECT_EQ(set.drain_grace, std::chrono::seconds(0));
  EXPECT_EQ(set.body_bytes, 64U * 1024);
  EXPECT_EQ(set.connections, 7U);
  EXPECT_EQ(set.connections_per_address, 3U);
}

TEST(Options, a_switch_is_turned_on_and_off_in_every_spelling) {
  EXPECT_FALSE(parse({}).sq);
  EXPECT_TRUE(parse({"--sq"}).sq);
  EXPECT_FALSE(parse({"--sq", "--no-sq"}).sq);
  EXPECT_TRUE(parse({}).server_header);
  EXPECT_FALSE(parse({"--no-server-header"}).server_header);
  EXPECT_FALSE(parse({"--server-header=false"}).server_header);
  EXPECT_TRUE(parse({"--no-server-header", "--server-header"}).server_header);
  EXPECT_TRUE(parse({"--quiet"}).quiet);
  EXPECT_TRUE(parse({"--quiet=true"}).quiet);
}

TEST(Options, what_is_given_nowhere_is_as_the_program_has_it) {
  Options defaults;
  defaults.port = 4000;
  defaults.limits.body_bytes = 7;
  std::string program = "hello";
  std::string flag = "--workers=2";
  std::vector<char*> arguments{program.data(), flag.data()};
  const Options options = Options::from_arguments(2, arguments.data(), defaults);
  EXPECT_EQ(options.port, 4000);
  EXPECT_EQ(options.limits.body_bytes, 7U);
  EXPECT_EQ(options.workers, 2U);
}

TEST_F(OptionsDeathTest, help_ends_with_0) {
  EXPECT_EXIT(parse({"--help"}), testing::ExitedWithCode(0), "");
}

TEST_F(OptionsDeathTest, what_makes_no_sense_ends_with_2_and_is_named) {
  const testing::ExitedWithCode two(2);
  EXPECT_EXIT(parse({"--port", "65536"}), two, "--port.*65535.*65536");
  EXPECT_EXIT(parse({"--port", "x"}), two, "--port.*'x'");
  EXPECT_EXIT(parse({"--port"}), two, "--port needs a value");
  EXPECT_EXIT(parse({"--workers", "-1"}), two, "--workers.*-1");
  EXPECT_EXIT(parse({"--topology", "ring"}), two, "--topology.*per-worker, shared.*ring");
  EXPECT_EXIT(parse({"--model", "fiber"}), two, "--model.*green, coroutine, callback.*fiber");
  EXPECT_EXIT(parse({"--backend", "kqueue"}), two, "--backend.*auto, io_uring, epoll.*kqueue");
  EXPECT_EXIT(parse({"--pors", "80"}), two, "--pors; did you mean --port");
  EXPECT_EXIT(parse({"--prot", "80"}), two, "--prot; did you mean --port");
  EXPECT_EXIT(parse({"--hots", "::1"}), two, "--hots; did you mean --host");
  EXPECT_EXIT(parse({"--backend", "eplol"}), two, "did you mean epoll");
  EXPECT_EXIT(parse({"80"}), two, "80");
  EXPECT_EXIT(parse({"--config", "/nowhere/weft.toml"}), two, "/nowhere/weft.toml: cannot read");
  EXPECT_EXIT(parse({"--server-header=maybe"}), two, "--server-header must be true or false");
  EXPECT_EXIT(parse({"--no-port"}), two, "no flag --no-port");
}

}  // namespace weft
