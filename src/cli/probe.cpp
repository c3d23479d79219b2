// `weft probe`: what this kernel offers, which back end weft takes on it, and why.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <weft/version.hpp>

#include "cli/command.hpp"
#include "cli/kernel_report.hpp"
#include "cli/paint.hpp"

namespace weft::cli {
namespace {

constexpr std::size_t kNameColumn = 24;
constexpr std::size_t kColumns = 96;

std::string padded(std::string text, std::size_t columns = kNameColumn) {
  text.resize(std::max(columns, text.size() + 1), ' ');
  return text;
}

std::string with_spaces(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

// The words in lines of at most kColumns, each line indented.
std::string wrapped(const std::vector<std::string>& words) {
  std::string text = "   ";
  std::size_t column = 3;
  for (const std::string& word : words) {
    if (column + word.size() + 1 > kColumns) {
      text += "\n   ";
      column = 3;
    }
    text += " " + word;
    column += word.size() + 1;
  }
  return text + "\n";
}

class TextReport {
 public:
  TextReport(const KernelReport& report, Paint paint) : report_(report), paint_(paint) {}

  std::string write() {
    summary();
    if (report_.features.io_uring) {
      flags("io_uring set-up flags", report_.setup_flags);
    }
    flags("what else the kernel does", report_.abilities);
    if (report_.features.io_uring) {
      words("io_uring feature bits", report_.feature_bits);
      words("io_uring operations", report_.opcodes);
    }
    for (const ksvc::Tier tier : {ksvc::Tier::shared_page, ksvc::Tier::ring, ksvc::Tier::pool,
                                  ksvc::Tier::inline_only, ksvc::Tier::refused}) {
      syscalls(tier);
    }
    return std::move(text_);
  }

 private:
  void title(const std::string& name) { text_ += "\n" + paint_.strong(name) + "\n"; }
  void fact(const std::string& name, const std::string& value) {
    text_ += "  " + padded(name, 18) + value + "\n";
  }

  void summary() {
    const auto& features = report_.features;
    const auto& choice = report_.choice;
    text_ +=
        paint_.strong("weft " + std::string(version())) + " on Linux " + features.release + "\n\n";
    fact("io_uring", features.io_uring ? paint_.good("yes")
                                       : paint_.bad("no") + ": " + features.io_uring_refusal);
    const std::string kind = backend_name(choice.kind);
    fact("back end", choice.possible ? paint_.good(kind) : paint_.bad(kind + " is impossible"));
    fact("because", choice.reason);
    fact("receive buffers", report_.receive_buffers);
    fact("stack guard", report_.stack_guard);
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
    text_ += wrapped(words);
  }

  void syscalls(ksvc::Tier tier) {
    std::vector<std::string> names;
    for (const ReportedSyscall& call : report_.syscalls) {
      if (call.tier == tier) names.emplace_back(call.name);
    }
    const std::string group = "system calls: " + std::string(tier_name(tier));
    if (tier != ksvc::Tier::pool) return words(group, names);
    title(group);
    names.emplace_back(names.empty() ? "every call not listed here" : "and every call not listed");
    text_ += wrapped(names);
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
    "Tells what this kernel offers, which back end weft takes on it, and why",
    run_probe,
};

}  // namespace weft::cli
