// The contract of reads and writes at offsets, and of sends that need not copy.
#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendFileTest : public BackendTest<Backend> {
 protected:
  std::int32_t perform(const auto& op) {
    this->backend().submit(op, ++last_id_);
    this->await_final(last_id_);
    return this->completions_of(last_id_).front().result;
  }

 private:
  CorrelationId last_id_ = 100;
};
TYPED_TEST_SUITE(IoBackendFileTest, LinkingBackends, BackendNames);

TYPED_TEST(IoBackendFileTest, read_takes_bytes_from_the_offset) {
  auto file = this->own(this->network().make_file(patterned(10'000)));
  std::string memory(4'000, '\0');
  EXPECT_EQ(this->perform(ReadAt{file.get(), memory.data(), 4'000, 5'000}), 4'000);
  EXPECT_TRUE(memory == patterned(10'000).substr(5'000, 4'000));
  EXPECT_EQ(this->perform(ReadAt{file.get(), memory.data(), 4'000, 0}), 4'000);
  EXPECT_TRUE(memory == patterned(4'000)) << "the offset is the operation's, not the file's";
}

TYPED_TEST(IoBackendFileTest, read_across_the_end_is_short_and_behind_it_empty) {
  auto file = this->own(this->network().make_file("ten bytes!"));
  char memory[16] = {};
  EXPECT_EQ(this->perform(ReadAt{file.get(), memory, sizeof memory, 4}), 6);
  EXPECT_EQ(std::string(memory, 6), "bytes!");
  EXPECT_EQ(this->perform(ReadAt{file.get(), memory, sizeof memory, 10}), 0);
  EXPECT_EQ(this->perform(ReadAt{file.get(), memory, sizeof memory, 1'000'000}), 0);
  EXPECT_EQ(this->perform(ReadAt{file.get(), memory, 0, 0}), 0);
}

TYPED_TEST(IoBackendFileTest, write_puts_bytes_at_the_offset_and_lengthens_the_file) {
  auto file = this->own(this->network().make_file("0123456789"));
  EXPECT_EQ(this->perform(WriteAt{file.get(), "abc", 3, 4}), 3);
  EXPECT_EQ(this->network().file_contents(file.get()), "0123abc789");
  EXPECT_EQ(this->perform(WriteAt{file.get(), "end", 3, 12}), 3);
  EXPECT_EQ(this->network().file_contents(file.get()), std::string("0123abc789\0\0end", 15));
}

TYPED_TEST(IoBackendFileTest, reads_and_writes_of_one_file_may_be_in_flight_together) {
  const std::string bytes = patterned(64 * 1024);
  auto file = this->own(this->network().make_file(bytes));
  std::vector<std::string> memory(16, std::string(4'096, '\0'));
  for (CorrelationId i = 0; i < 16; ++i) {
    this->backend().submit(ReadAt{file.get(), memory[i].data(), 4'096, i * 4'096}, i + 1);
  }
  for (CorrelationId i = 0; i < 16; ++i) {
    EXPECT_EQ(this->await_final(i + 1).result, 4'096);
    EXPECT_TRUE(memory[i] == bytes.substr(i * 4'096, 4'096));
  }
}

TYPED_TEST(IoBackendFileTest, copy_of_a_file_is_a_chain) {
  const std::string bytes = patterned(8'192);
  auto from = this->own(this->network().make_file(bytes));
  auto to = this->own(this->network().make_file(""));
  std::string memory(8'192, '\0');
  this->backend().submit(Linked{ReadAt{from.get(), memory.data(), 8'192, 0}}, 1);
  this->backend().submit(WriteAt{to.get(), memory.data(), 8'192, 0}, 2);
  EXPECT_EQ(this->await_final(2).result, 8'192);
  EXPECT_EQ(this->await_final(1).result, 8'192);
  EXPECT_TRUE(this->network().file_contents(to.get()) == bytes);
}

TYPED_TEST(IoBackendFileTest, bad_descriptor_is_told) {
  char memory[16] = {};
  EXPECT_EQ(this->perform(ReadAt{-1, memory, sizeof memory, 0}), -EBADF);
  EXPECT_EQ(this->perform(WriteAt{-1, memory, sizeof memory, 0}), -EBADF);
  EXPECT_EQ(this->perform(SendZeroCopy{-1, memory, sizeof memory}), -EBADF);
}

TYPED_TEST(IoBackendFileTest, zero_copy_send_arrives_and_ends_with_one_final_completion) {
  auto pair = this->make_pair();
  std::string memory = patterned(20'000);
  this->backend().submit(SendZeroCopy{pair.ours.get(), memory.data(), 20'000}, 1);
  std::string got;
  EXPECT_TRUE(this->turn_until([&] {
    got += pair.peer.reads_what_is_there();
    const auto told = this->completions_of(1);
    return !told.empty() && !told.back().more;
  }));
  const auto told = this->completions_of(1);
  EXPECT_EQ(told.front().result, 20'000);
  EXPECT_LE(told.size(), 2U);
  got += pair.peer.reads_exactly(20'000 - got.size());
  EXPECT_TRUE(got == memory);
}

TYPED_TEST(IoBackendFileTest, memory_of_a_zero_copy_send_may_change_after_its_final_completion) {
  auto pair = this->make_pair(16 * 1024);
  std::string memory;
  std::string expected;
  std::string got;
  for (CorrelationId id = 1; id <= 6; ++id) {
    memory = patterned(30'000 + id);
    expected += memory;
    this->backend().submit(
        SendZeroCopy{pair.ours.get(), memory.data(), static_cast<std::uint32_t>(memory.size())},
        id);
    const TimePoint give_up = this->soon();
    for (auto told = this->completions_of(id);
         (told.empty() || told.back().more) && this->now() < give_up;
         told = this->completions_of(id)) {
      this->turn();
      got += pair.peer.reads_what_is_there();
    }
    EXPECT_EQ(this->completions_of(id).front().result, static_cast<std::int32_t>(memory.size()));
    memory.assign(memory.size(), '#');
  }
  got += pair.peer.reads_exactly(expected.size() - got.size());
  EXPECT_TRUE(got == expected);
}

TYPED_TEST(IoBackendFileTest, zero_copy_send_to_a_reset_peer_fails_and_lets_go_of_its_memory) {
  auto pair = this->make_pair();
  pair.peer.resets();
  const std::string memory = patterned(20'000);
  this->backend().submit(SendZeroCopy{pair.ours.get(), memory.data(), 20'000}, 1);
  this->await_final(1);
  const std::int32_t failed = this->completions_of(1).front().result;
  EXPECT_TRUE(failed == -ECONNRESET || failed == -EPIPE) << failed;
}

TYPED_TEST(IoBackendFileTest, zero_copy_send_lets_its_chain_go_on_before_its_memory_is_free) {
  auto pair = this->make_pair();
  const std::string memory = patterned(20'000);
  this->backend().submit(Linked{SendZeroCopy{pair.ours.get(), memory.data(), 20'000}}, 1);
  this->backend().submit(Shutdown{pair.ours.get(), SHUT_WR}, 2);
  std::string got;
  EXPECT_TRUE(this->turn_until([&] {
    got += pair.peer.reads_what_is_there();
    const auto told = this->completions_of(1);
    return !told.empty() && !told.back().more && !this->completions_of(2).empty();
  }));
  EXPECT_EQ(this->completions_of(2).front().result, 0);
  got += pair.peer.reads_exactly(20'001 - got.size());
  EXPECT_TRUE(got == memory) << "all of it, then the end";
}

}  // namespace
}  // namespace weft::ksvc
