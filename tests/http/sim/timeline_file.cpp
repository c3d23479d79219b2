#include "timeline_file.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "http/vector_file.hpp"

namespace weft::http::test {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// "name=value", unescaped; the value is empty where there is no sign.
std::pair<std::string, std::string> pair_of(const std::string& word) {
  const std::size_t equals = std::min(word.find('='), word.size());
  const std::string value = equals == word.size() ? std::string() : word.substr(equals + 1);
  return {unescaped(word.substr(0, equals)), unescaped(value)};
}

void read_limits(std::istringstream& words, Timeline& timeline) {
  static const std::map<std::string, milliseconds Limits::*> times = {
      {"head_timeout", &Limits::head_timeout},
      {"body_timeout", &Limits::body_timeout},
      {"request_timeout", &Limits::request_timeout},
      {"idle_timeout", &Limits::idle_timeout},
      {"write_timeout", &Limits::write_timeout},
      {"early_response_linger", &Limits::early_response_linger},
      {"gone_probe", &Limits::gone_probe},
  };
  static const std::map<std::string, std::size_t Limits::*> sizes = {
      {"body_step_bytes", &Limits::body_step_bytes},
      {"buffered_bytes", &Limits::buffered_bytes},
  };
  for (std::string word; words >> word;) {
    const auto [name, text] = pair_of(word);
    const long long value = std::stoll(text);
    if (const auto time = times.find(name); time != times.end()) {
      timeline.limits.emplace_back(
          [which = time->second, value](Limits& limits) { limits.*which = milliseconds(value); });
    } else if (const auto size = sizes.find(name); size != sizes.end()) {
      timeline.limits.emplace_back([which = size->second, value](Limits& limits) {
        limits.*which = static_cast<std::size_t>(value);
      });
    } else {
      throw std::runtime_error("unknown limit " + name);
    }
  }
}

// Reads one file after the other, a line after the other.
class Reader {
 public:
  std::vector<Timeline> timelines;

  void read(const fs::path& path) {
    std::ifstream file(path);
    std::size_t number = 0;
    for (std::string line; std::getline(file, line);) {
      where_ = path.filename().string() + ":" + std::to_string(++number);
      const std::size_t begin = line.find_first_not_of(' ');
      if (begin == std::string::npos || line.front() == '#') continue;
      if (begin == 0) {
        timelines.push_back({where_ + ": " + line, {}, {}, {}});
        pace_ = milliseconds(0);
        continue;
      }
      try {
        if (timelines.empty()) throw std::runtime_error("no name before this line");
        read_line(line[begin], line.substr(std::min(begin + 2, line.size())));
      } catch (const std::exception& error) {
        throw std::runtime_error(where_ + ": " + error.what());
      }
    }
  }

 private:
  void read_line(char sign, const std::string& text) {
    std::istringstream words(text);
    switch (sign) {
      case '!': return read_limits(words, timelines.back());
      case '~': timelines.back().duration += milliseconds(std::stoll(text)); return;
      case '<': return read_bytes(unescaped(text));
      case '*':
        if (text.starts_with("pace=")) {
          pace_ = milliseconds(std::stoll(text.substr(5)));
        } else {
          add(TimelineStep::Kind::act, text);
        }
        return;
      case '>': {
        TimelineStep& step = add(TimelineStep::Kind::expect, {});
        for (std::string word; words >> word;) step.facts.push_back(pair_of(word));
        return;
      }
      default: throw std::runtime_error("a line begins with none of ! < ~ * >");
    }
  }

  // In one go, or byte by byte at the client's pace.
  void read_bytes(const std::string& bytes) {
    const std::size_t piece = pace_.count() == 0 ? bytes.size() : 1;
    for (std::size_t from = 0; from < bytes.size(); from += piece) {
      add(TimelineStep::Kind::send, bytes.substr(from, piece));
      timelines.back().duration += pace_;
    }
  }

  TimelineStep& add(TimelineStep::Kind kind, const std::string& text) {
    Timeline& timeline = timelines.back();
    return timeline.steps.emplace_back(TimelineStep{kind, where_, timeline.duration, text, {}});
  }

  std::string where_;
  milliseconds pace_{0};
};

}  // namespace

std::vector<Timeline> read_timelines() {
  std::vector<fs::path> files;
  const fs::path root = fs::path(WEFT_SOURCE_DIR) / "tests/vectors/http1/clock";
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (entry.path().extension() == ".vec") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Reader reader;
  for (const fs::path& file : files) reader.read(file);
  for (const Timeline& timeline : reader.timelines) {
    if (timeline.steps.empty() || timeline.steps.back().kind != TimelineStep::Kind::expect) {
      throw std::runtime_error(timeline.where + ": does not end in what is expected");
    }
  }
  return std::move(reader.timelines);
}

}  // namespace weft::http::test
