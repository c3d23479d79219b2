// What is known of a file before it is read.
#include "ksvc/backend/socket_calls.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace weft::ksvc {
namespace {

struct File {
  explicit File(int descriptor) : fd(descriptor) {}
  ~File() { ::close(fd); }
  const int fd;
};

bool says_what_it_waits_for(int file) {
  char byte = 0;
  const iovec into{&byte, 1};
  return ::preadv2(file, &into, 1, 0, RWF_NOWAIT) >= 0 || errno != EOPNOTSUPP;
}

TEST(SocketCalls, file_of_a_file_system_in_memory_is_in_memory) {
  const File file(::memfd_create("weft", MFD_CLOEXEC));
  ASSERT_GE(file.fd, 0);
  const std::string bytes(10'000, 'b');
  ASSERT_EQ(::write(file.fd, bytes.data(), bytes.size()), 10'000);
  EXPECT_TRUE(is_kept_in_memory(file.fd));
  EXPECT_TRUE(is_in_memory(file.fd, 0, 10'000));
}

TEST(SocketCalls, file_that_does_not_say_may_have_to_be_waited_for) {
  const File file(::open("/proc/version", O_RDONLY | O_CLOEXEC));
  ASSERT_GE(file.fd, 0);
  if (says_what_it_waits_for(file.fd)) GTEST_SKIP() << "this kernel's file says so";
  EXPECT_FALSE(is_kept_in_memory(file.fd));
  EXPECT_FALSE(is_in_memory(file.fd, 0, 10));
  EXPECT_TRUE(is_in_memory(file.fd, 0, 0));
}

}  // namespace
}  // namespace weft::ksvc
