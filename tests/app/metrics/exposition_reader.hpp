// A strict reader of OpenMetrics text, and of Prometheus' older format: what breaks a rule is said.
//
// For tests; one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace weft::app::test {

using LabelMap = std::map<std::string, std::string>;

struct ReadSample {
  std::string name;
  LabelMap labels;
  double value = 0;
};

struct ReadFamily {
  std::string type;
  std::string help;
  std::vector<ReadSample> samples;
};

class ExpositionReader {
 public:
  ExpositionReader(std::string_view text, bool openmetrics) : openmetrics_(openmetrics) {
    read_lines(text);
    for (auto& [name, family] : families_) check_family(name, family);
  }

  // Empty when there is nothing wrong.
  const std::string& wrong() const { return wrong_; }
  const std::map<std::string, ReadFamily>& families() const { return families_; }
  // The value of the sample with these labels and maybe others; the sum when there are several.
  double sum(const std::string& sample, const LabelMap& labels = {}) const {
    double sum = 0;
    for (const auto& [name, family] : families_) {
      for (const ReadSample& one : family.samples) {
        if (one.name == sample && has(one.labels, labels)) sum += one.value;
      }
    }
    return sum;
  }
  std::size_t count(const std::string& sample, const LabelMap& labels = {}) const {
    std::size_t count = 0;
    for (const auto& [name, family] : families_) {
      for (const ReadSample& one : family.samples) {
        if (one.name == sample && has(one.labels, labels)) ++count;
      }
    }
    return count;
  }

 private:
  static bool has(const LabelMap& all, const LabelMap& some) {
    for (const auto& [label, value] : some) {
      const auto found = all.find(label);
      if (found == all.end() || found->second != value) return false;
    }
    return true;
  }

  void complain(const std::string& what) { wrong_ += what + " in: " + line_ + "\n"; }

  static bool is_name(std::string_view name, bool colons) {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
    for (const char c : name) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      if (!letter && !(c >= '0' && c <= '9') && !(colons && c == ':')) return false;
    }
    return true;
  }

  void read_lines(std::string_view text) {
    if (!text.empty() && !text.ends_with('\n'))
      wrong_ += "the text does not end with a line break\n";
    bool ended = false;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      line_ = text.substr(0, end);
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
      if (ended) complain("something comes behind # EOF");
      if (line_ == "# EOF") {
        ended = true;
      } else if (line_.starts_with("#")) {
        read_comment();
      } else {
        read_sample();
      }
    }
    if (ended != openmetrics_) wrong_ += "# EOF is there only where it should not be\n";
  }

  void read_comment() {
    std::istringstream words(line_);
    std::string hash, kind, name;
    words >> hash >> kind >> name;
    std::string rest;
    std::getline(words, rest);
    if (!rest.empty()) rest.erase(0, 1);
    if (!is_name(name, true)) complain("no name");
    if (kind == "TYPE") {
      static const std::set<std::string> known{"counter", "gauge", "histogram", "info"};
      if (known.count(rest) == 0 || (rest == "info" && !openmetrics_)) complain("no type");
      if (!families_.emplace(name, ReadFamily{rest, {}, {}}).second) complain("a family twice");
      current_ = name;
    } else if (kind == "HELP") {
      if (name != current_) complain("help of another family");
      if (!families_[name].help.empty()) complain("help twice");
      families_[name].help = unescaped(rest, openmetrics_);
    } else {
      complain("an unknown comment");
    }
  }

  std::string unescaped(std::string_view text, bool quotes) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '"' && quotes) complain("a bare quote");
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      const char next = ++i < text.size() ? text[i] : '\0';
      if (next != 'n' && next != '\\' && !(next == '"' && quotes)) complain("a bad escape");
      out += next == 'n' ? '\n' : next;
    }
    return out;
  }

  // From behind the brace on; what is left begins behind the closing one.
  LabelMap read_labels(std::string_view& rest) {
    LabelMap labels;
    for (;;) {
      const std::size_t equals = rest.find("=\"");
      if (equals == rest.npos) {
        complain("no label");
        return labels;
      }
      const std::string name(rest.substr(0, equals));
      if (!is_name(name, false)) complain("no label's name: " + name);
      rest.remove_prefix(equals + 2);
      std::size_t end = 0;
      while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
      if (end >= rest.size()) {
        complain("a label that does not end");
        return labels;
      }
      if (!labels.emplace(name, unescaped(rest.substr(0, end), true)).second) {
        complain("a label twice");
      }
      rest.remove_prefix(end + 1);
      const char next = rest.empty() ? '\0' : rest.front();
      if (!rest.empty()) rest.remove_prefix(1);
      if (next == '}') return labels;
      if (next != ',') {
        complain("no comma");
        return labels;
      }
    }
  }

  std::optional<double> number(std::string_view text) {
    if (text == "+Inf") return HUGE_VAL;
    if (text == "NaN") return std::nan("");
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != '\0' || copy.find_first_not_of("0123456789+-.e") != copy.npos) {
      complain("no number: " + copy);
      return std::nullopt;
    }
    return value;
  }

  void read_sample() {
    if (current_.empty()) return complain("a sample without a family");
    std::string_view rest = line_;
    const std::size_t end = rest.find_first_of("{ ");
    ReadSample sample;
    sample.name = rest.substr(0, end);
    if (end == rest.npos || !is_name(sample.name, true)) return complain("no sample");
    const bool labelled = rest[end] == '{';
    rest.remove_prefix(end + 1);
    if (labelled) {
      sample.labels = read_labels(rest);
      if (!rest.starts_with(" ")) return complain("no space behind the labels");
      rest.remove_prefix(1);
    }
    const auto value = number(rest);
    if (!value) return;
    sample.value = *value;
    if (!sample.name.starts_with(current_)) complain("a sample of another family");
    const std::string suffix = sample.name.substr(current_.size());
    if (!fits(families_[current_].type, suffix)) complain("a suffix of another type");
    std::string key = sample.name;
    for (const auto& [label, text] : sample.labels) key += "\x01" + label + "\x02" + text;
    if (!seen_.insert(key).second) complain("a sample twice");
    families_[current_].samples.push_back(std::move(sample));
  }

  bool fits(const std::string& type, const std::string& suffix) const {
    if (type == "histogram") {
      return suffix == "_bucket" || suffix == "_sum" || suffix == "_count";
    }
    if (type == "counter" && openmetrics_) return suffix == "_total";
    if (type == "info") return suffix == "_info";
    return suffix.empty();
  }

  void check_family(const std::string& name, ReadFamily& family) {
    line_ = name;
    if (family.help.empty()) complain("no help");
    const bool is_counter = family.type == "counter";
    if (is_counter && name.ends_with("_total") == openmetrics_)
      complain("_total in the wrong place");
    for (const ReadSample& sample : family.samples) {
      if (is_counter && !(sample.value >= 0)) complain("a counter below zero");
      if (family.type == "info" && sample.value != 1) complain("an info that is not 1");
    }
    if (family.type == "histogram") check_histogram(name, family);
  }

  void check_histogram(const std::string& name, const ReadFamily& family) {
    struct Series {
      double bound = -HUGE_VAL;
      double within = 0;
      bool infinite = false;
      std::optional<double> sum;
      std::optional<double> count;
    };
    std::map<LabelMap, Series> all;
    for (const ReadSample& sample : family.samples) {
      LabelMap labels = sample.labels;
      const std::string le = labels["le"];
      labels.erase("le");
      Series& series = all[labels];
      if (sample.name == name + "_sum") {
        series.sum = sample.value;
      } else if (sample.name == name + "_count") {
        series.count = sample.value;
      } else {
        const double bound = number(le).value_or(0);
        if (openmetrics_ && le.find_first_of(".eI") == le.npos) complain("le is no float: " + le);
        if (bound <= series.bound) complain("the bounds do not ascend");
        if (sample.value < series.within) complain("the buckets do not ascend");
        series.bound = bound;
        series.within = sample.value;
        series.infinite = std::isinf(bound);
      }
    }
    for (const auto& [labels, series] : all) {
      if (!series.infinite) complain("no bucket +Inf");
      if (!series.sum || !series.count) complain("no sum or no count");
      if (series.count && *series.count != series.within) complain("count is not that of +Inf");
    }
  }

  bool openmetrics_;
  std::string wrong_;
  std::string line_;
  std::string current_;
  std::set<std::string> seen_;
  std::map<std::string, ReadFamily> families_;
};

}  // namespace weft::app::test
