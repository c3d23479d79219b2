// KernelReport: everything `weft probe` tells, gathered once, before it is written as text or JSON.
//
// Plain data, so that both forms tell the same. Safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "ksvc/core/syscall_router.hpp"
#include "ksvc/router/backend_choice.hpp"
#include "ksvc/router/kernel_features.hpp"
#include "ksvc/router/trait_choice.hpp"

namespace weft::cli {

struct ReportedFlag {
  const char* name;  // the JSON key, and the words of the text with spaces for underscores
  bool offered;
  const char* purpose;
};

struct ReportedSyscall {
  const char* name;
  int nr;
  ksvc::Tier tier;
  // The io_uring operation that does the call, or on another kernel would; empty where none can.
  std::string opcode;
};

struct KernelReport {
  ksvc::KernelFeatures features;
  ksvc::BackendChoice choice;
  std::vector<ksvc::TraitChoice> traits;
  std::string stack_guard;
  std::string receive_buffers;
  std::vector<ReportedFlag> setup_flags;
  std::vector<ReportedFlag> abilities;
  std::vector<std::string> feature_bits;
  std::vector<std::string> opcodes;
  std::vector<ReportedSyscall> syscalls;
};

// `wish` is what WEFT_BACKEND says: io_uring, epoll, auto or nothing.
KernelReport make_kernel_report(const std::string& wish);

std::string report_as_json(const KernelReport& report);

}  // namespace weft::cli
