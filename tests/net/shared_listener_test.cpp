// Listeners that workers share: the file of a Unix socket, inherited descriptors, and which is
// meant.
#include "net/shared_listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "net/address.hpp"
#include "net/listener.hpp"
#include "weft/detail/descriptor.hpp"

namespace weft::net {
namespace {

namespace fs = std::filesystem;
using weft::detail::Descriptor;

class SharedListener : public testing::Test {
 protected:
  SharedListener() { EXPECT_NE(::mkdtemp(folder.data()), nullptr); }
  ~SharedListener() override { fs::remove_all(folder); }

  std::variant<PathListener, std::string> listen(unsigned mode = 0) const {
    return listen_on(ListenPath{.path = path(), .mode = mode});
  }
  std::string path() const { return folder + "/s"; }
  bool is_there() const { return fs::exists(fs::symlink_status(path())); }
  // The errno of connecting, 0 when it works.
  int connect() const {
    const Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = unix_address(path());
    return ::connect(client.fd(), (*address).get(), (*address).size) == 0 ? 0 : errno;
  }
  // A socket on which nobody listens, as a server leaves it behind that was killed.
  void leave_stale_socket() const {
    const Descriptor dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = unix_address(path());
    ASSERT_EQ(::bind(dead.fd(), (*address).get(), (*address).size), 0);
    ASSERT_EQ(::listen(dead.fd(), 1), 0);
  }

  std::string folder = "/tmp/weft-shared-XXXXXX";
};

std::string refusal_of(const std::variant<PathListener, std::string>& outcome) {
  const auto* text = std::get_if<std::string>(&outcome);
  return text != nullptr ? *text : "(none)";
}

std::string refusal_of(const std::variant<int, std::string>& outcome) {
  const auto* text = std::get_if<std::string>(&outcome);
  return text != nullptr ? *text : "(none)";
}

}  // namespace

TEST_F(SharedListener, the_file_is_there_as_long_as_its_owner_keeps_it) {
  {
    auto opened = listen();
    ASSERT_TRUE(std::holds_alternative<PathListener>(opened)) << refusal_of(opened);
    auto& listener = std::get<PathListener>(opened);
    const Descriptor fd(listener.fd);
    EXPECT_EQ(connect(), 0);
    EXPECT_EQ(location_of(listener.fd), "unix:" + path());
    listener.file.remove();
    EXPECT_FALSE(is_there());
    EXPECT_EQ(connect(), ENOENT);
  }
  {
    const auto opened = listen();
    const Descriptor fd(std::get<PathListener>(opened).fd);
    EXPECT_TRUE(is_there());
  }
  EXPECT_FALSE(is_there());
}

TEST_F(SharedListener, its_mode_is_the_one_asked_for_whatever_the_umask) {
  for (const unsigned mode : {0600U, 0660U, 0777U}) {
    const auto opened = listen(mode);
    ASSERT_TRUE(std::holds_alternative<PathListener>(opened)) << refusal_of(opened);
    const Descriptor fd(std::get<PathListener>(opened).fd);
    struct stat state{};
    ASSERT_EQ(::stat(path().c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777U, mode);
  }
}

TEST_F(SharedListener, a_socket_that_nobody_listens_on_is_replaced) {
  leave_stale_socket();
  ASSERT_TRUE(is_there());
  ASSERT_EQ(connect(), ECONNREFUSED);
  const auto opened = listen();
  ASSERT_TRUE(std::holds_alternative<PathListener>(opened)) << refusal_of(opened);
  const Descriptor fd(std::get<PathListener>(opened).fd);
  EXPECT_EQ(connect(), 0);
}

TEST_F(SharedListener, a_socket_that_somebody_listens_on_stays_theirs) {
  const auto first = listen();
  const Descriptor fd(std::get<PathListener>(first).fd);
  EXPECT_EQ(refusal_of(listen()), "another server listens there; stop it or choose another path");
  EXPECT_EQ(connect(), 0);
}

TEST_F(SharedListener, one_whose_queue_is_full_is_alive) {
  const Descriptor busy(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = unix_address(path());
  ASSERT_EQ(::bind(busy.fd(), (*address).get(), (*address).size), 0);
  ASSERT_EQ(::listen(busy.fd(), 0), 0);
  const Descriptor waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(waiting.fd(), (*address).get(), (*address).size), 0);
  EXPECT_EQ(refusal_of(listen()), "another server listens there; stop it or choose another path");
}

TEST_F(SharedListener, any_other_file_stays_where_it_is) {
  std::ofstream(path()) << "precious";
  EXPECT_EQ(refusal_of(listen()),
            "something other than a socket is there; move it away or choose another path");
  EXPECT_EQ(fs::file_size(path()), 8U);
  fs::remove(path());
  fs::create_symlink("/nowhere", path());
  EXPECT_EQ(refusal_of(listen()),
            "something other than a socket is there; move it away or choose another path");
  EXPECT_TRUE(is_there());
}

TEST_F(SharedListener, what_has_taken_the_place_of_its_file_is_not_removed) {
  auto opened = listen();
  const Descriptor fd(std::get<PathListener>(opened).fd);
  // The second has another number for certain while the first is still there.
  fs::rename(path(), path() + ".old");
  std::ofstream(path()) << "another's";
  std::get<PathListener>(opened).file.remove();
  EXPECT_TRUE(is_there());
}

TEST_F(SharedListener, paths_that_will_not_do_are_refused_with_the_reason) {
  const auto refused = [](const std::string& path) {
    return refusal_of(listen_on(ListenPath{.path = path}));
  };
  EXPECT_EQ(refused("@abstract"), "give a path of the file system, without an @ before it");
  EXPECT_EQ(refused("/tmp/" + std::string(200, 'x')),
            "the path is longer than the 107 bytes that the system takes; choose a shorter one");
  EXPECT_EQ(refused(folder + "/missing/s"),
            "the folder " + folder + "/missing: No such file or directory");
}

TEST_F(SharedListener, only_one_server_at_a_time_sets_up_a_socket_in_a_folder) {
  {
    const Descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::flock(lock.fd(), LOCK_EX), 0);
    EXPECT_EQ(refusal_of(listen()),
              "another program holds a lock on the folder " + folder + "; try again");
  }
  const auto opened = listen();
  ASSERT_TRUE(std::holds_alternative<PathListener>(opened)) << refusal_of(opened);
  const Descriptor fd(std::get<PathListener>(opened).fd);
}

TEST_F(SharedListener, an_inherited_descriptor_must_be_a_listening_stream_socket) {
  const Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Descriptor datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Descriptor idle(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  int closed = -1;
  {
    const Descriptor soon_closed(::dup(file.fd()));
    closed = soon_closed.fd();
  }
  const auto refused = [](int fd) {
    const std::string text = refusal_of(inherited_listener(fd));
    const std::string name = "descriptor " + std::to_string(fd) + " ";
    return text.starts_with(name) ? text.substr(name.size()) : "? " + text;
  };
  EXPECT_EQ(refused(closed), "is not open; whoever starts the server has to leave it open");
  EXPECT_EQ(refused(file.fd()), "is not a socket");
  EXPECT_EQ(refused(datagrams.fd()), "is not a stream socket");
  EXPECT_EQ(refused(idle.fd()), "does not listen; whoever opens it has to call listen()");
  EXPECT_EQ(refused(netlink.fd()), "is a socket of another kind than TCP and Unix");
}

TEST_F(SharedListener, an_inherited_listener_is_made_fit) {
  auto listeners = listen_on(ListenAddress{}, 1);
  ASSERT_TRUE(listeners);
  const Descriptor fd((*listeners).fds.front());
  const int off = 0;
  ::setsockopt(fd.fd(), IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
  ::fcntl(fd.fd(), F_SETFD, 0);
  ::fcntl(fd.fd(), F_SETFL, ::fcntl(fd.fd(), F_GETFL) | O_NONBLOCK);
  EXPECT_EQ(refusal_of(inherited_listener(fd.fd())), "(none)");
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  ::getsockopt(fd.fd(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
  EXPECT_NE(no_delay, 0);
  EXPECT_EQ(::fcntl(fd.fd(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(fd.fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(location_of(fd.fd()), "http://127.0.0.1:" + std::to_string((*listeners).port));
}

TEST(Activation, sockets_of_a_service_manager_are_found_by_number_and_name) {
  const auto found = [](const char* pid, const char* count, const char* names, const char* name) {
    const auto outcome = activated_fd({.pid = pid, .count = count, .names = names}, name, 42);
    const auto* fd = std::get_if<int>(&outcome);
    return fd != nullptr ? std::to_string(*fd) : std::get<std::string>(outcome);
  };
  EXPECT_EQ(found("42", "1", "", ""), "3");
  EXPECT_EQ(found("42", "1", "web", ""), "3");
  EXPECT_EQ(found("42", "3", "admin:web:unknown", "web"), "4");
  EXPECT_EQ(found("42", "3", "admin:web:last", "last"), "5");
  EXPECT_EQ(found("", "", "", ""),
            "no service manager handed over a socket (LISTEN_FDS is not set)");
  EXPECT_EQ(found("41", "1", "", ""),
            "the sockets of LISTEN_FDS are for process 41, and this is 42");
  EXPECT_EQ(found("42x", "1", "", ""),
            "the sockets of LISTEN_FDS are for process 42x, and this is 42");
  for (const char* const count : {"0", "-1", "x", "99999999999", "1025"}) {
    EXPECT_EQ(found("42", count, "", ""),
              "LISTEN_FDS is '" + std::string(count) + "', which is no number of sockets");
  }
  EXPECT_EQ(found("42", "2", "a:b", ""),
            "LISTEN_FDS hands over 2 sockets; name the one to listen on as systemd:NAME "
            "(FileDescriptorName= in the unit)");
  EXPECT_EQ(found("42", "2", "a:b", "c"), "no socket of LISTEN_FDNAMES, 'a:b', is named 'c'");
  // More names than sockets are of no use.
  EXPECT_EQ(found("42", "1", "a:b", "b"), "no socket of LISTEN_FDNAMES, 'a:b', is named 'b'");
}

}  // namespace weft::net
