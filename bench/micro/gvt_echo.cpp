// The echo server that bench/gvt.py measures: a green thread per connection, one worker.
//
//     gvt_echo PORT [io_uring|epoll]

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <weft/weft.hpp>

namespace {

void echo(weft::TcpStream stream) {
  char buffer[16 * 1024];
  for (;;) {
    const auto got = stream.read(buffer);
    if (!got || *got == 0) return;
    if (!stream.write({buffer, *got})) return;
  }
}

void serve(std::uint16_t port) {
  auto listener = weft::TcpListener::bind("127.0.0.1", port);
  if (!listener) {
    std::fprintf(stderr, "gvt_echo: %s\n", listener.error().message().c_str());
    std::exit(1);
  }
  for (;;) {
    auto stream = listener->accept();
    if (!stream) std::exit(1);
    weft::spawn([stream = std::move(stream).value()]() mutable { echo(std::move(stream)); });
  }
}

}  // namespace

int main(int count, char** words) {
  weft::RunOptions options;
  const std::string_view backend = count == 3 ? words[2] : "";
  if (backend == "io_uring") options.backend = weft::RunOptions::Backend::io_uring;
  if (backend == "epoll") options.backend = weft::RunOptions::Backend::epoll;
  const int port = count == 2 || count == 3 ? std::atoi(words[1]) : 0;
  if (port <= 0 || port > 65535) {
    std::fprintf(stderr, "usage: %s PORT [io_uring|epoll]\n", words[0]);
    return 2;
  }
  weft::run([port] { serve(static_cast<std::uint16_t>(port)); }, options);
}
