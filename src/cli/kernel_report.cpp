#include "cli/kernel_report.hpp"

#include <weft/json.hpp>
#include <weft/version.hpp>

#include "ksvc/router/probe_router.hpp"
#include "ksvc/router/syscall_table.hpp"
#include "ksvc/router/uring_names.hpp"

namespace weft::cli {
namespace {

std::vector<ReportedFlag> setup_flags(const ksvc::UringSetupFlags& setup) {
  return {
      {"single_issuer", setup.single_issuer, "one thread owns a ring"},
      {"defer_taskrun", setup.defer_taskrun, "completions run when the owner asks for them"},
      {"coop_taskrun", setup.coop_taskrun, "completions do not interrupt the owner"},
      {"submit_all", setup.submit_all, "one bad operation does not stop a batch"},
      {"sqpoll", setup.sqpoll, "a kernel thread takes the submissions"},
      {"no_sqarray", setup.no_sqarray, "submissions without the index array"},
  };
}

std::vector<ReportedFlag> abilities(const ksvc::KernelFeatures& features) {
  return {
      {"provided_buffer_ring", features.provided_buffer_ring, "the kernel picks receive buffers"},
      {"incremental_buffers", features.incremental_buffers, "a buffer is filled piece by piece"},
      {"multishot_accept", features.multishot_accept, "one submission, many connections"},
      {"multishot_receive", features.multishot_receive, "one submission, many receives"},
      {"receive_bundles", features.receive_bundles, "one completion, many buffers"},
      {"send_zero_copy", features.send_zero_copy, "sends from user memory"},
      {"ring_messages", features.ring_messages, "a ring wakes another"},
      {"futex_wait", features.futex_wait, "a ring waits for memory"},
      {"bind_and_listen", features.bind_and_listen, "listeners made by the ring"},
      {"direct_descriptors", features.direct_descriptors, "files without a descriptor"},
      {"registered_ring_fd", features.registered_ring_fd, "cheaper entry to the kernel"},
      {"guard_pages", features.guard_pages, "stack guards without mappings of their own"},
      {"reuse_port", features.reuse_port, "a listener per worker"},
  };
}

// On epoll there is no ring to route to, whatever the kernel could do.
std::vector<ReportedSyscall> routed_syscalls(ksvc::KernelFeatures features,
                                             const ksvc::BackendChoice& choice) {
  if (choice.kind == ksvc::BackendKind::epoll) features.io_uring = false;
  const ksvc::ProbeRouter router(features);
  std::vector<ReportedSyscall> calls;
  for (const ksvc::SyscallRow& row : ksvc::syscall_table()) {
    const char* const name =
        row.tier == ksvc::Tier::ring ? ksvc::uring_opcode_name(row.opcode) : nullptr;
    calls.push_back({row.name, row.nr, router.tier(row.nr), name != nullptr ? name : ""});
  }
  return calls;
}

std::string text_as_json(std::string_view text) {
  std::string json;
  write_json(JsonValue(text), json);
  return json;
}

std::string flags_as_json(const std::vector<ReportedFlag>& flags) {
  std::string json;
  for (const ReportedFlag& flag : flags) {
    json +=
        (json.empty() ? "" : ",") + text_as_json(flag.name) + (flag.offered ? ":true" : ":false");
  }
  return "{" + json + "}";
}

std::string words_as_json(const std::vector<std::string>& words) {
  std::string json;
  for (const std::string& word : words) json += (json.empty() ? "" : ",") + text_as_json(word);
  return "[" + json + "]";
}

std::string syscalls_as_json(const std::vector<ReportedSyscall>& calls) {
  std::string json;
  for (const ReportedSyscall& call : calls) {
    if (!json.empty()) json += ',';
    const std::optional<std::string> opcode =
        call.tier == ksvc::Tier::ring ? std::optional(call.opcode) : std::nullopt;
    write_json({{"name", call.name},
                {"number", call.nr},
                {"tier", tier_name(call.tier)},
                {"opcode", opcode}},
               json);
  }
  return "[" + json + "]";
}

std::string traits_as_json(const std::vector<ksvc::TraitChoice>& traits) {
  std::string json;
  for (const ksvc::TraitChoice& trait : traits) {
    if (!json.empty()) json += ',';
    write_json({{"trait", trait.trait}, {"choice", trait.choice}, {"reason", trait.reason}}, json);
  }
  return "[" + json + "]";
}

}  // namespace

KernelReport make_kernel_report(const std::string& wish) {
  KernelReport report;
  report.features = ksvc::probe_kernel_features();
  report.choice = ksvc::choose_backend(report.features, ksvc::parse_backend_kind(wish));
  report.traits = ksvc::choose_traits(report.features, report.choice);
  report.stack_guard = report.features.guard_pages ? "MADV_GUARD_INSTALL" : "mprotect";
  report.receive_buffers =
      report.choice.kind == ksvc::BackendKind::io_uring ? "provided buffer ring" : "heap blocks";
  report.setup_flags = setup_flags(report.features.setup);
  report.abilities = abilities(report.features);
  for (const ksvc::UringFeatureName& feature : ksvc::uring_feature_names()) {
    if ((report.features.uring_feature_bits & feature.bit) != 0) {
      report.feature_bits.emplace_back(feature.name);
    }
  }
  for (std::size_t opcode = 0; opcode < report.features.uring_opcodes.size(); ++opcode) {
    if (!report.features.uring_opcodes.test(opcode)) continue;
    const char* const name = ksvc::uring_opcode_name(static_cast<std::uint8_t>(opcode));
    report.opcodes.push_back(name != nullptr ? name : "OP_" + std::to_string(opcode));
  }
  report.syscalls = routed_syscalls(report.features, report.choice);
  return report;
}

std::string report_as_json(const KernelReport& report) {
  const ksvc::KernelFeatures& features = report.features;
  const std::string disabled = features.io_uring_disabled
                                   ? std::to_string(*features.io_uring_disabled)
                                   : std::string("null");
  const std::string io_uring =
      std::string("{\"available\":") + (features.io_uring ? "true" : "false") +
      ",\"refusal\":" + (features.io_uring ? "null" : text_as_json(features.io_uring_refusal)) +
      ",\"errno\":" + std::to_string(features.io_uring_errno) + ",\"disabled_sysctl\":" + disabled +
      ",\"setup_flags\":" + flags_as_json(report.setup_flags) +
      ",\"feature_bits\":" + words_as_json(report.feature_bits) +
      ",\"opcodes\":" + words_as_json(report.opcodes) + "}";
  return "{\"weft\":" + text_as_json(version()) + ",\"commit\":" + text_as_json(commit()) +
         ",\"kernel\":" + text_as_json(features.release) +
         ",\"backend\":{\"kind\":" + text_as_json(backend_name(report.choice.kind)) +
         ",\"possible\":" + (report.choice.possible ? "true" : "false") +
         ",\"reason\":" + text_as_json(report.choice.reason) +
         "},\"traits\":" + traits_as_json(report.traits) +
         ",\"receive_buffers\":" + text_as_json(report.receive_buffers) +
         ",\"stack_guard\":" + text_as_json(report.stack_guard) +
         ",\"abilities\":" + flags_as_json(report.abilities) + ",\"io_uring\":" + io_uring +
         ",\"system_calls\":" + syscalls_as_json(report.syscalls) + "}\n";
}

}  // namespace weft::cli
