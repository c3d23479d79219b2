// Bodies of any length, in constant memory: one that is read, one that is written, one of each at
// once; and a connection that is taken over for another protocol.
//
//     streaming [--host 127.0.0.1] [--port 8080] [--workers 1] [--backend auto]
//
//     curl -N http://127.0.0.1:8080/ticks/5
//     curl -T big.file http://127.0.0.1:8080/sum
#include <chrono>
#include <cstdint>
#include <string>
#include <weft/weft.hpp>

int main(int argc, char** argv) {
  weft::App app;

  // A line every now and then: what is written goes out when the handler parks.
  app.get("/ticks/:count", [](weft::Context& c) {
    const int count = std::stoi(std::string(c.param("count")));
    weft::ResponseWriter out = c.stream("text/plain");
    for (int i = 1; i <= count; ++i) {
      out.write("tick ").write(std::to_string(i)).write("\n");
      weft::sleep(std::chrono::milliseconds(100));
    }
  });

  // Reads as much as is there, and no more is received than it has read.
  app.put("/sum", [](weft::Context& c) {
    std::uint64_t sum = 0;
    std::uint64_t size = 0;
    weft::BodyReader body = c.body_stream();
    for (auto part = body.read(); !part.empty(); part = body.read()) {
      for (const char byte : part) sum += static_cast<unsigned char>(byte);
      size += part.size();
    }
    c.json({{"bytes", size}, {"sum", sum}});
  });

  // Both ways at once: a slow reader of the answer slows down the sender of the body.
  app.post("/copy", [](weft::Context& c) {
    weft::BodyReader in = c.body_stream();
    weft::ResponseWriter out = c.stream("application/octet-stream");
    for (auto part = in.read(); !part.empty(); part = in.read()) out.write(part);
    out.trailer("X-Read-To-The-End", "yes");
  });

  // From here on no HTTP: every byte is sent back until the client ends.
  app.get("/echo", [](weft::Context& c) {
    weft::UpgradedStream stream = c.upgrade("echo");
    for (auto part = stream.read(); part.ok() && !part->empty(); part = stream.read()) {
      if (!stream.write(*part).ok()) return;
    }
  });

  return app.run(weft::Options::from_arguments(argc, argv));
}
