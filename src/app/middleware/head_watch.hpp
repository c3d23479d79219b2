// HeadWatch: stands before a request's bodies and has a last word before the head of the answer is
// sent, when that happens while the handler still runs.
//
// Invariants: it lives on the stack of its middleware, puts itself in front and is taken away again
// at its end. before_head() is called at most once; not at all for an answer that is not streamed.
// Belongs to its request.
#pragma once

#include "app/middleware/passed_bodies.hpp"

namespace weft::app {

class HeadWatch : public PassedBodies {
 public:
  using PassedBodies::PassedBodies;

  void write_part(std::string_view bytes) override {
    if (!bytes.empty()) announce_head();
    PassedBodies::write_part(bytes);
  }
  void write_file(int file, std::uint64_t offset, std::uint64_t size) override {
    announce_head();
    PassedBodies::write_file(file, offset, size);
  }
  void flush_parts() override {
    announce_head();
    PassedBodies::flush_parts();
  }
  void change_protocol(std::string_view protocol) override {
    announce_head();
    PassedBodies::change_protocol(protocol);
  }

 protected:
  ~HeadWatch() = default;

  // The last moment at which status and headers may be changed. May park.
  virtual void before_head() = 0;
  // Calls it, unless that was done.
  void announce_head() {
    if (announced_) return;
    announced_ = true;
    before_head();
  }

 private:
  bool announced_ = false;
};

}  // namespace weft::app
