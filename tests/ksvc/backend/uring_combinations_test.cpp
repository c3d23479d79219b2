// Every combination of options does the same: connections from accept to close, files, and queues
// that are too small.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ksvc/backend/uring_any.hpp"

namespace weft::ksvc {
namespace {

class UringCombinationTest : public BackendTest<AnyUring>,
                             public testing::WithParamInterface<unsigned> {
 protected:
  static constexpr CorrelationId kAccept = 1;
  static constexpr CorrelationId kReceive = 2;
  static constexpr CorrelationId kSend = 3;
  static constexpr CorrelationId kOther = 4;

  void SetUp() override {
    network().combination = GetParam();
    BackendTest::SetUp();
  }
  static UringOptions options() { return AnyUring::options_of(GetParam()); }

  // Sends all of it from memory that is the cheapest there is, and waits until that is free again.
  void send(int fd, const std::string& bytes) {
    BufferLease pinned;
    const char* data = bytes.data();
    if (RegisteredBuffers* registered = backend().registered_buffers()) {
      pinned = registered->acquire();
      ASSERT_LE(bytes.size(), registered->block_bytes());
      data = std::copy(bytes.begin(), bytes.end(), pinned.data) - bytes.size();
    }
    backend().submit(SendZeroCopy{fd, data, static_cast<std::uint32_t>(bytes.size())}, kSend);
    await_final(kSend);
    const auto told = completions_of(kSend);
    EXPECT_EQ(told.front().result, static_cast<std::int32_t>(bytes.size()));
    EXPECT_EQ(told.size(), options().zero_copy_send ? 2U : 1U);
    std::erase_if(seen(), [](const Completion& one) { return one.corr_id == kSend; });
    if (pinned) backend().registered_buffers()->release(pinned);
  }

  // What has been received until there were so many bytes, or the stream ended.
  std::string receive(std::size_t size) {
    std::string bytes;
    bool ended = false;
    EXPECT_TRUE(turn_until([&] {
      for (Completion& completion : seen()) {
        if (completion.corr_id != kReceive) continue;
        ended = ended || !completion.more;
        if (!completion.lease) continue;
        bytes.append(completion.lease.data, completion.lease.size);
        backend().buffers().release(completion.lease);
      }
      std::erase_if(seen(), [](const Completion& one) { return one.corr_id == kReceive; });
      return ended || bytes.size() >= size;
    }));
    return bytes;
  }
};

TEST_P(UringCombinationTest, connection_is_accepted_echoed_half_closed_and_closed) {
  auto server = make_server();
  backend().submit(Accept{server.fd.get(), true}, kAccept);
  for (std::size_t round = 1; round <= 2; ++round) {
    auto client = server.connect_client();
    const Completion taken = await(kAccept, round);
    EXPECT_TRUE(taken.more);
    ASSERT_GE(taken.result, 0);
    EXPECT_EQ(made_by_backend(taken.result), options().fixed_files);
    const int fd = taken.result;

    backend().submit(Receive{fd}, kReceive);
    client.writes("question");
    EXPECT_EQ(receive(8), "question");
    send(fd, "answer");
    EXPECT_EQ(client.reads_exactly(6), "answer");

    client.finishes();
    EXPECT_EQ(receive(1), "");
    backend().submit(Send{fd, "still answered", 14}, kOther);
    EXPECT_EQ(await_final(kOther).result, 14);
    seen().erase(seen().end() - 1);
    backend().submit(Shutdown{fd, SHUT_WR}, kOther);
    EXPECT_EQ(await_final(kOther).result, 0);
    EXPECT_EQ(client.reads_exactly(100), "still answered");
    std::erase_if(seen(), [](const Completion& one) { return one.corr_id == kOther; });
    backend().submit(Close{fd}, 0);
    EXPECT_TRUE(turn_until_settled());
  }
  backend().submit(Cancel{server.fd.get(), kAccept}, kOther);
  EXPECT_EQ(await_final(kAccept).result, -ECANCELED);
  EXPECT_EQ(await_final(kOther).result, 0);
}

TEST_P(UringCombinationTest, cancelled_receive_and_a_close_with_reset_are_seen_by_the_peer) {
  auto server = make_server();
  backend().submit(Accept{server.fd.get()}, kAccept);
  auto client = server.connect_client();
  const Completion taken = await(kAccept);
  EXPECT_FALSE(taken.more);
  ASSERT_GE(taken.result, 0);
  backend().submit(Receive{taken.result}, kReceive);
  turn();
  backend().submit(Cancel{taken.result, kReceive}, kOther);
  EXPECT_EQ(await_final(kReceive).result, -ECANCELED);
  EXPECT_EQ(await_final(kOther).result, 0);
  backend().submit(SendNow{taken.result, "last words", 10}, kSend);
  EXPECT_TRUE(turn_until_settled());
  EXPECT_EQ(client.reads_exactly(10), "last words");
  backend().submit(Close{taken.result, true}, 0);
  turn();
  int why = 0;
  EXPECT_EQ(client.reads_exactly(1, &why), "");
  // Through a slot only where the kernel has the command (6.7).
  EXPECT_TRUE(why == ECONNRESET || (why == 0 && options().fixed_files)) << why;
  EXPECT_TRUE(completions_of(kSend).empty());
}

TEST_P(UringCombinationTest, file_is_written_and_read_at_offsets) {
  auto file = own(network().make_file("0123456789"));
  char memory[16] = "abcd";
  char* data = memory;
  BufferLease pinned;
  if (RegisteredBuffers* registered = backend().registered_buffers()) {
    pinned = registered->acquire();
    data = std::copy(memory, memory + 5, pinned.data) - 5;
  }
  backend().submit(WriteAt{file.get(), data, 4, 3}, 1);
  EXPECT_EQ(await_final(1).result, 4);
  EXPECT_EQ(network().file_contents(file.get()), "012abcd789");
  backend().submit(ReadAt{file.get(), data, 16, 5}, 2);
  EXPECT_EQ(await_final(2).result, 5);
  EXPECT_EQ(std::string(data, 5), "cd789");
  backend().submit(ReadAt{file.get(), data, 16, UINT64_MAX}, 3);
  EXPECT_EQ(await_final(3).result, -EINVAL);
  if (pinned) backend().registered_buffers()->release(pinned);
}

TEST_P(UringCombinationTest, eight_entries_for_completions_lose_none_of_thousands) {
  remake({.submission_entries = 8, .completion_entries = 8});
  constexpr CorrelationId kOperations = 3000;
  for (CorrelationId id = 1; id <= kOperations; ++id) backend().submit(Nop{}, id);
  EXPECT_TRUE(turn_until([&] { return seen().size() >= kOperations; }));
  turn();
  std::set<CorrelationId> ids;
  for (const Completion& completion : seen()) ids.insert(completion.corr_id);
  EXPECT_EQ(ids.size(), kOperations);
  EXPECT_EQ(seen().size(), kOperations);
  EXPECT_TRUE(turn_until_settled());
}

TEST_P(UringCombinationTest, eight_entries_lose_no_connection_and_no_byte) {
  remake({.submission_entries = 8, .completion_entries = 8});
  constexpr std::size_t kConnections = 40;
  auto server = make_server();
  PeerList clients;
  std::vector<int> taken;
  std::vector<std::string> heard;
  for (std::size_t i = 0; i < kConnections; ++i) {
    clients.push_back(server.connect_client());
    clients.back().writes("number " + std::to_string(i));
    clients.back().finishes();
  }
  backend().submit(Accept{server.fd.get(), true}, kAccept);
  std::size_t ended = 0;
  const auto handle = [&](Completion completion) {
    if (completion.corr_id == kAccept) {
      ASSERT_GE(completion.result, 0);
      taken.push_back(completion.result);
      heard.emplace_back();
      backend().submit(Receive{completion.result}, 100 + taken.size() - 1);
      if (!completion.more) backend().submit(Accept{server.fd.get(), true}, kAccept);
      return;
    }
    const std::size_t who = completion.corr_id - 100;
    if (completion.lease) {
      heard[who].append(completion.lease.data, completion.lease.size);
      backend().buffers().release(completion.lease);
    }
    if (completion.more) return;
    if (completion.result == 0) {
      ++ended;
      backend().submit(Close{taken[who]}, 0);
    } else {
      ASSERT_TRUE(completion.result > 0 || completion.result == -ENOBUFS) << completion.result;
      backend().submit(Receive{taken[who]}, completion.corr_id);
    }
  };
  EXPECT_TRUE(turn_until([&] {
    for (const Completion& completion : std::exchange(seen(), {})) handle(completion);
    return ended == kConnections || HasFatalFailure();
  }));
  std::set<std::string> all(heard.begin(), heard.end());
  EXPECT_EQ(all.size(), kConnections);
  EXPECT_EQ(all.count("number 39"), 1U);
  EXPECT_EQ(backend().buffers().lent(), 0U);
}

std::string name_of(const testing::TestParamInfo<unsigned>& info) {
  const UringOptions options = AnyUring::options_of(info.param);
  std::string name = options.sqpoll ? "sqpoll" : "plain";
  if (options.fixed_files) name += "_files";
  if (options.fixed_buffers) name += "_buffers";
  if (!options.multishot_accept) name += "_single";
  if (options.zero_copy_send) name += "_zero_copy";
  return name;
}

INSTANTIATE_TEST_SUITE_P(Options, UringCombinationTest, testing::Range(0U, AnyUring::kCombinations),
                         name_of);

}  // namespace
}  // namespace weft::ksvc
