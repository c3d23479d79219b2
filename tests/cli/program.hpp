// Program: the built `weft` command as a child process, for tests.
//
// What it writes to standard output and standard error comes through one pipe. A child that is
// still there when its Program goes is killed. Used by one thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace weft::cli {

struct Outcome {
  int status = -1;   // -1: it did not exit by itself
  std::string text;  // all that it wrote and nobody read before
};

class Program {
 public:
  // `settings` are added to the environment, as "NAME=value", in place of what it has by that name;
  // variables WEFT_... are not inherited.
  // `socket` is handed over as a service manager does: as descriptor 3, with LISTEN_FDS.
  explicit Program(std::vector<std::string> words, const std::vector<std::string>& settings = {},
                   int socket = -1);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The next line without its end; what is left when the program has closed its output.
  std::string read_line();
  void send_signal(int signal) const;
  // Reads to the end and waits for the exit.
  Outcome finish();

 private:
  bool read_more();

  pid_t child_ = -1;
  int output_ = -1;
  std::string unread_;
};

Outcome run_weft(std::vector<std::string> words, const std::vector<std::string>& settings = {});

}  // namespace weft::cli
