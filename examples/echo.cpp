// An echo server in straight lines: a green thread per connection, on whichever back end there is.
//
//     echo [--port 7007]
#include <charconv>
#include <cstring>
#include <iostream>
#include <span>
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
    std::cerr << "echo: port " << port << ": " << listener.error().message() << '\n';
    std::exit(1);
  }
  std::cout << "echo: listening on 127.0.0.1:" << listener->port() << std::endl;
  for (;;) {
    auto stream = listener->accept();
    if (stream) {
      weft::spawn([stream = std::move(stream).value()]() mutable { echo(std::move(stream)); });
    } else {
      // Out of descriptors, say: those who are connected may leave some.
      weft::sleep(std::chrono::milliseconds(10));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 7007;
  if (argc == 3 && std::strcmp(argv[1], "--port") == 0) {
    const std::string_view text = argv[2];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error == std::errc{} && end == text.data() + text.size()) argc = 1;
  }
  if (argc != 1) {
    std::cerr << "usage: echo [--port PORT]\n";
    return 2;
  }
  weft::run([port] { serve(port); });
}
