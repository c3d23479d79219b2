// `weft probe`: what this kernel offers, what weft chooses on it and why, where system calls go.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weft/version.hpp>

#include "cli/command.hpp"
#include "cli/kernel_report.hpp"
#include "cli/paint.hpp"

namespace weft::cli {
namespace {

constexpr std::size_t kNameColumn = 24;
constexpr std::size_t kColumns = 96;

// One space follows the text at least.
std::string padded(std::string text, std::size_t columns = kNameColumn) {
  text.resize(std::max(columns, text.size() + 1), ' ');
  return text;
}

std::string with_spaces(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

// The words in lines of at most kColumns, all but the first indented.
std::string wrapped(const std::vector<std::string>& words, std::size_t indent = 4) {
  std::string text;
  std::size_t column = indent;
  for (const std::string& word : words) {
    const bool first = text.empty();
    if (!first && column + word.size() + 1 > kColumns) {
      text += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text + "\n";
}

std::vector<std::string> words_of(const std::string& sentence) {
  std::vector<std::string> words;
  std::istringstream stream(sentence);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

class TextReport {
 public:
  TextReport(const KernelReport& report, Paint paint) : report_(report), paint_(paint) {}

  std::string write() {
    summary();
    traits();
    if (report_.features.io_uring) flags("io_uring set-up flags", report_.setup_flags);
    flags("what else the kernel does", report_.abilities);
    if (report_.features.io_uring) {
      words("io_uring feature bits", report_.feature_bits);
      words("io_uring operations", report_.opcodes);
    }
    calls(ksvc::Tier::shared_page, "answered from mapped memory, without a system call");
    ring_calls();
    pool_calls();
    calls(ksvc::Tier::inline_only, "on the caller's own thread: about it, or answered in 64 bits");
    calls(ksvc::Tier::refused, "would end, copy or ruin the process");
    return std::move(text_);
  }

 private:
  void title(const std::string& name, const std::string& remark = {}) {
    text_ +=
        "\n" + paint_.strong(name) + (remark.empty() ? "" : ": " + paint_.faint(remark)) + "\n";
  }
  void fact(const std::string& name, const std::string& value) {
    text_ += "  " + padded(name, 18) + value + "\n";
  }

  void summary() {
    const auto& features = report_.features;
    text_ +=
        paint_.strong("weft " + std::string(version())) + " on Linux " + features.release + "\n\n";
    const std::string refusal = wrapped(words_of("no: " + features.io_uring_refusal), 20);
    fact("io_uring", features.io_uring ? paint_.good("yes")
                                       : paint_.bad("no") + refusal.substr(2, refusal.size() - 3));
    fact("stack guard", report_.stack_guard);
  }

  void traits() {
    title("traits", "what RuntimeInstance is made of here, and why");
    for (const ksvc::TraitChoice& trait : report_.traits) {
      const bool had = std::string_view(trait.choice) != "none";
      const std::string choice = padded(trait.choice, 20);
      text_ += "  " + padded(trait.trait, 10) + (had ? paint_.good(choice) : paint_.bad(choice)) +
               wrapped(words_of(trait.reason), 32);
    }
  }

  void flags(const std::string& name, const std::vector<ReportedFlag>& flags) {
    title(name);
    for (const ReportedFlag& flag : flags) {
      text_ += "  " + (flag.offered ? paint_.good("yes") : paint_.bad("no ")) + "  " +
               padded(with_spaces(flag.name)) + paint_.faint(flag.purpose) + "\n";
    }
  }

  void words(const std::string& name, const std::vector<std::string>& words) {
    title(name + " (" + std::to_string(words.size()) + ")");
    text_ += "    " + wrapped(words);
  }

  std::vector<std::string> names_in(ksvc::Tier tier) const {
    std::vector<std::string> names;
    for (const ReportedSyscall& call : report_.syscalls) {
      if (call.tier == tier) names.emplace_back(call.name);
    }
    return names;
  }
  static std::string heading(ksvc::Tier tier, std::size_t count) {
    return "system calls: " + std::string(tier_name(tier)) + " (" + std::to_string(count) + ")";
  }

  void calls(ksvc::Tier tier, const char* remark) {
    const std::vector<std::string> names = names_in(tier);
    title(heading(tier, names.size()), remark);
    text_ += "    " + wrapped(names);
  }

  // In two columns, an operation with all the calls it does.
  void ring_calls() {
    const std::size_t count = names_in(ksvc::Tier::ring).size();
    title(heading(ksvc::Tier::ring, count), "done by an io_uring operation");
    if (count == 0) text_ += "    none\n";
    std::vector<std::pair<std::string, std::string>> operations;
    for (const ReportedSyscall& call : report_.syscalls) {
      if (call.tier != ksvc::Tier::ring) continue;
      const auto known =
          std::ranges::find(operations, call.opcode, &std::pair<std::string, std::string>::first);
      if (known == operations.end()) {
        operations.emplace_back(call.opcode, call.name);
      } else {
        known->second += " " + std::string(call.name);
      }
    }
    const std::size_t rows = (operations.size() + 1) / 2;
    for (std::size_t row = 0; row < rows; ++row) {
      const auto& [left, left_calls] = operations[row];
      text_ += "    " + paint_.good(padded(left, 16));
      if (row + rows >= operations.size()) {
        text_ += left_calls + "\n";
        continue;
      }
      const auto& [right, right_calls] = operations[row + rows];
      text_ += padded(left_calls, 30) + paint_.good(padded(right, 16)) + right_calls + "\n";
    }
  }

  void pool_calls() {
    const bool ring = report_.choice.kind == ksvc::BackendKind::io_uring;
    std::vector<std::string> names;
    for (const ReportedSyscall& call : report_.syscalls) {
      if (call.tier != ksvc::Tier::pool) continue;
      names.push_back(std::string(call.name) + (ring ? " (" + call.opcode + ")" : ""));
    }
    title("system calls: pool", "ordinary calls on a worker thread");
    if (!names.empty()) {
      text_ += ring ? "    for want of the operation: " : "    for want of a ring: ";
      text_ += wrapped(names, ring ? 31 : 24);
    }
    text_ += "    every call that is not listed here\n";
  }

  const KernelReport& report_;
  Paint paint_;
  std::string text_;
};

int run_probe(Arguments arguments) {
  bool json = false;
  std::string color = "auto";
  const Flags flags =
      Flags("weft probe", kProbeCommand.summary)
          .toggle({"json", "write JSON instead of text"}, json)
          .choice({"color", "colour the text (auto: on a terminal, unless NO_COLOR is set)"},
                  {"auto", "always", "never"}, color);
  if (const auto status = flags.parse(arguments)) return *status;

  const char* const variable = std::getenv("WEFT_BACKEND");
  const std::string wish = variable != nullptr ? variable : "";
  if (!wish.empty() && wish != "auto" && !ksvc::parse_backend_kind(wish)) {
    std::fprintf(stderr, "weft probe: WEFT_BACKEND is '%s'; use auto, io_uring or epoll\n",
                 wish.c_str());
    return kExitFailed;
  }
  const KernelReport report = make_kernel_report(wish);
  const std::string text =
      json ? report_as_json(report) : TextReport(report, Paint::for_stdout(color)).write();
  std::fputs(text.c_str(), stdout);
  return report.choice.possible ? kExitDone : kExitFailed;
}

}  // namespace

const Command kProbeCommand{
    "probe",
    "Tells what this kernel offers, what weft chooses on it and why, and where system calls go",
    run_probe,
};

}  // namespace weft::cli
