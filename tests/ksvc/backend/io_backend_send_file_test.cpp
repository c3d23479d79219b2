// The contract of sends whose bytes are a file's.
#include <fcntl.h>
#include <unistd.h>

#include "ksvc/backend/backend_harness.hpp"
#include "ksvc/backend/every_backend.hpp"

namespace weft::ksvc {
namespace {

template <class Backend>
class IoBackendSendFileTest : public BackendTest<Backend> {
 protected:
  using Pair = SocketPair<typename BackendTest<Backend>::Net>;

  OwnedFd<typename BackendTest<Backend>::Net> make_file(const std::string& bytes) {
    return this->own(this->network().make_file(bytes));
  }
  std::int32_t send(int fd, int file, std::uint64_t offset, std::uint32_t size) {
    this->backend().submit(SendFile{fd, file, offset, size}, ++last_id_);
    return this->await_final(last_id_).result;
  }
  // Reads until the operation has ended, and then the rest of so many bytes.
  std::string read_until_final(Pair& pair, CorrelationId id, std::size_t size) {
    std::string got;
    const TimePoint give_up = this->soon();
    while (this->completions_of(id).empty() && this->now() < give_up) {
      this->turn();
      got += pair.peer.reads_what_is_there();
    }
    return got + pair.peer.reads_exactly(size - got.size());
  }

 private:
  CorrelationId last_id_ = 100;
};
TYPED_TEST_SUITE(IoBackendSendFileTest, LinkingBackends, BackendNames);

TYPED_TEST(IoBackendSendFileTest, bytes_from_the_offset_arrive) {
  auto pair = this->make_pair();
  auto file = this->make_file(patterned(10'000));
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 5'000, 4'000), 4'000);
  EXPECT_TRUE(pair.peer.reads_exactly(4'000) == patterned(10'000).substr(5'000, 4'000));
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 9'999, 1), 1);
  EXPECT_EQ(pair.peer.reads_exactly(1), patterned(10'000).substr(9'999));
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 0, 0), 0);
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 0, 10'000), 10'000);
  EXPECT_TRUE(pair.peer.reads_exactly(10'000) == patterned(10'000));
}

TYPED_TEST(IoBackendSendFileTest, long_file_to_a_slow_reader_completes_once_and_whole) {
  auto pair = this->make_pair(16 * 1024);
  const std::string bytes = patterned(300'000);
  auto file = this->make_file(bytes);
  this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 300'000}, 1);
  EXPECT_TRUE(this->read_until_final(pair, 1, bytes.size()) == bytes);
  EXPECT_EQ(this->await_final(1).result, 300'000);
  this->turn();
  EXPECT_EQ(this->seen().size(), 1U);
}

TYPED_TEST(IoBackendSendFileTest, end_of_the_file_makes_it_short) {
  auto pair = this->make_pair();
  auto file = this->make_file("ten bytes!");
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 4, 1'000), 6);
  EXPECT_EQ(pair.peer.reads_exactly(6), "bytes!");
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 10, 1'000), 0);
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 1'000'000, 1), 0);
}

TYPED_TEST(IoBackendSendFileTest, file_that_is_cut_while_it_is_sent_ends_there) {
  auto pair = this->make_pair(16 * 1024);
  const std::string bytes = patterned(1 << 20);
  auto file = this->make_file(bytes);
  this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 1 << 20}, 1);
  for (int i = 0; i < 3; ++i) this->turn();
  ASSERT_TRUE(this->seen().empty());
  this->network().cut_file(file.get(), 600'000);
  const std::string got = this->read_until_final(pair, 1, 600'000);
  EXPECT_EQ(this->await_final(1).result, 600'000);
  EXPECT_TRUE(got == bytes.substr(0, 600'000));
}

TYPED_TEST(IoBackendSendFileTest, cancelled_one_tells_what_was_sent) {
  auto pair = this->make_pair(16 * 1024);
  const std::string bytes = patterned(4 << 20);
  auto file = this->make_file(bytes);
  this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 4 << 20}, 1);
  std::string got;
  const TimePoint give_up = this->soon();
  while (got.empty() && this->now() < give_up) {
    this->turn();
    got = pair.peer.reads_what_is_there();
  }
  ASSERT_TRUE(this->seen().empty());
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  const std::int32_t result = this->await_final(1).result;
  this->await_final(2);
  ASSERT_GT(result, 0);
  ASSERT_LT(result, 4 << 20);
  pair.ours.reset();
  const auto count = static_cast<std::size_t>(result);
  ASSERT_LE(got.size(), count);
  got += pair.peer.reads_exactly(count - got.size());
  EXPECT_TRUE(got == bytes.substr(0, count));
  EXPECT_EQ(pair.peer.reads_exactly(1), "") << "more was sent than was told";
}

TYPED_TEST(IoBackendSendFileTest, one_that_waits_for_room_can_be_cancelled) {
  auto pair = this->make_pair(16 * 1024);
  auto file = this->make_file("more");
  this->fill(pair.ours.get());
  this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 4}, 1);
  this->turn();
  EXPECT_TRUE(this->seen().empty());
  this->backend().submit(Cancel{pair.ours.get(), 1}, 2);
  EXPECT_EQ(this->await_final(1).result, -ECANCELED);
}

TYPED_TEST(IoBackendSendFileTest, deadline_ends_one_that_nobody_reads) {
  auto pair = this->make_pair(16 * 1024);
  auto file = this->make_file(patterned(4 << 20));
  const TimePoint deadline = this->now() + std::chrono::milliseconds(20);
  this->backend().submit(Timed{SendFile{pair.ours.get(), file.get(), 0, 4 << 20}, deadline}, 1);
  const std::int32_t result = this->await_final(1).result;
  EXPECT_GT(result, 0);
  EXPECT_LT(result, 4 << 20);
  EXPECT_GE(this->now().ns, deadline.ns);
}

TYPED_TEST(IoBackendSendFileTest, reset_peer_is_an_error_and_no_signal) {
  auto file = this->make_file(patterned(100'000));
  auto early = this->make_pair();
  early.peer.resets();
  std::int32_t told = this->send(early.ours.get(), file.get(), 0, 100'000);
  EXPECT_TRUE(told == -ECONNRESET || told == -EPIPE) << told;
  EXPECT_EQ(this->send(early.ours.get(), file.get(), 0, 100'000), -EPIPE);

  auto waiting = this->make_pair(16 * 1024);
  this->fill(waiting.ours.get());
  this->backend().submit(SendFile{waiting.ours.get(), file.get(), 0, 100'000}, 1);
  this->turn();
  waiting.peer.resets();
  told = this->await_final(1).result;
  EXPECT_TRUE(told == -ECONNRESET || told == -EPIPE) << told;
}

TYPED_TEST(IoBackendSendFileTest, comes_behind_what_it_ends_the_chain_of) {
  auto pair = this->make_pair();
  auto file = this->make_file("body");
  this->backend().submit(Linked{Send{pair.ours.get(), "head ", 5}}, 1);
  this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 4}, 2);
  EXPECT_EQ(this->await_final(2).result, 4);
  EXPECT_EQ(pair.peer.reads_exactly(9), "head body");

  this->backend().submit(Linked{Send{-1, "head ", 5}}, 3);
  this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 4}, 4);
  EXPECT_EQ(this->await_final(4).result, -ECANCELED);
}

TYPED_TEST(IoBackendSendFileTest, what_comes_after_it_on_the_socket_still_waits) {
  auto pair = this->make_pair(16 * 1024);
  auto file = this->make_file("file");
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 0, 4), 4);
  EXPECT_EQ(pair.peer.reads_exactly(4), "file");

  this->backend().submit(Receive{pair.ours.get()}, 1);
  this->turn();
  const std::string bytes = patterned(300'000);
  this->backend().submit(Send{pair.ours.get(), bytes.data(), 300'000}, 2);
  EXPECT_TRUE(this->read_until_final(pair, 2, bytes.size()) == bytes);
  EXPECT_EQ(this->await_final(2).result, 300'000);
  EXPECT_TRUE(this->completions_of(1).empty());
  pair.peer.writes("answer");
  this->await(1);
  EXPECT_EQ(this->collect_bytes(), "answer");
}

TYPED_TEST(IoBackendSendFileTest, many_at_once_do_not_mix) {
  constexpr std::size_t kCount = 20;
  std::vector<SocketPair<typename TestFixture::Net>> pairs;
  typename TestFixture::FdList files;
  for (std::size_t i = 0; i < kCount; ++i) {
    pairs.push_back(this->make_pair());
    files.push_back(this->make_file(std::string(20'000, static_cast<char>('a' + i))));
    this->backend().submit(SendFile{pairs[i].ours.get(), files[i].get(), 0, 20'000}, i + 1);
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(this->await_final(i + 1).result, 20'000);
    EXPECT_TRUE(pairs[i].peer.reads_exactly(20'000) ==
                std::string(20'000, static_cast<char>('a' + i)));
  }
}

TYPED_TEST(IoBackendSendFileTest, what_cannot_be_sent_so_is_told) {
  auto pair = this->make_pair();
  auto file = this->make_file("bytes");
  auto event = this->make_event();
  EXPECT_EQ(this->send(-1, file.get(), 0, 5), -EBADF);
  EXPECT_EQ(this->send(pair.ours.get(), -1, 0, 5), -EBADF);
  EXPECT_LT(this->send(pair.ours.get(), event.get(), 0, 5), 0);
  EXPECT_EQ(this->send(pair.ours.get(), file.get(), 0, 5), 5);
  EXPECT_EQ(pair.peer.reads_exactly(5), "bytes");
}

TYPED_TEST(IoBackendSendFileTest, accepted_socket_takes_it_or_says_that_it_does_not) {
  auto server = this->make_server();
  auto file = this->make_file("bytes");
  this->backend().submit(Accept{server.fd.get()}, 1);
  auto client = server.connect_client();
  const int fd = this->await_final(1).result;
  ASSERT_GE(fd, 0);
  const std::int32_t result = this->send(fd, file.get(), 0, 5);
  if (TestFixture::Net::kIsTheSystems && made_by_backend(fd)) {
    EXPECT_EQ(result, -EOPNOTSUPP);
  } else {
    EXPECT_EQ(result, 5);
    EXPECT_EQ(client.reads_exactly(5), "bytes");
  }
  this->backend().submit(Close{fd}, 0);
  EXPECT_TRUE(this->turn_until_settled());
}

TYPED_TEST(IoBackendSendFileTest, offsets_behind_four_gigabytes_are_found) {
  if constexpr (TestFixture::Net::kIsTheSystems) {
    auto pair = this->make_pair();
    auto file = this->make_file("");
    constexpr std::uint64_t kFar = (std::uint64_t{5} << 30) + 17;
    ASSERT_EQ(::pwrite(file.get(), "far away", 8, static_cast<off_t>(kFar)), 8);
    EXPECT_EQ(this->send(pair.ours.get(), file.get(), kFar + 4, 100), 4);
    EXPECT_EQ(pair.peer.reads_exactly(4), "away");
  } else {
    GTEST_SKIP() << "a simulated file has no holes";
  }
}

TYPED_TEST(IoBackendSendFileTest, file_that_is_not_in_memory_is_sent_or_left_to_others) {
  if constexpr (TestFixture::Net::kIsTheSystems) {
    auto pair = this->make_pair();
    char path[] = "send_file_test_XXXXXX";
    auto file = this->own(::mkstemp(path));
    ASSERT_GE(file.get(), 0);
    ::unlink(path);
    const std::string bytes = patterned(1 << 20);
    ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), 1 << 20);
    ::fsync(file.get());
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    this->backend().submit(SendFile{pair.ours.get(), file.get(), 0, 1 << 20}, 1);
    std::string got;
    const TimePoint give_up = this->soon();
    while (got.empty() && this->completions_of(1).empty() && this->now() < give_up) {
      this->turn();
      got += pair.peer.reads_what_is_there();
    }
    // Of a back end that could only block.
    if (got.empty() && this->await_final(1).result == -EOPNOTSUPP) return;
    got += this->read_until_final(pair, 1, bytes.size() - got.size());
    EXPECT_TRUE(got == bytes);
    EXPECT_EQ(this->await_final(1).result, 1 << 20);
  } else {
    GTEST_SKIP() << "a simulated file is always in memory";
  }
}

}  // namespace
}  // namespace weft::ksvc
