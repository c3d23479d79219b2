#include "ksvc/router/static_router.hpp"

#include "ksvc/router/uring_names.hpp"

namespace weft::ksvc {
namespace {

std::string opcode_text(std::uint8_t opcode) {
  const char* const name = uring_opcode_name(opcode);
  return name != nullptr ? name : "operation " + std::to_string(opcode);
}

std::string calls_served_by(std::uint8_t opcode) {
  std::string calls;
  for (const SyscallRow& row : syscall_table()) {
    if (row.tier != Tier::ring || row.opcode != opcode) continue;
    calls += (calls.empty() ? "" : ", ") + std::string(row.name);
  }
  return calls;
}

std::string list_of(const std::vector<std::uint8_t>& opcodes) {
  std::string list;
  for (const std::uint8_t opcode : opcodes) {
    list += (list.empty() ? "" : ", ") + opcode_text(opcode);
    const std::string calls = calls_served_by(opcode);
    if (!calls.empty()) list += " (" + calls + ")";
  }
  return list;
}

}  // namespace

ReleaseAgreement compare_with_release(const KernelFeatures& features, KernelRelease release) {
  ReleaseAgreement agreement;
  for (std::size_t index = 0; index < features.uring_opcodes.size(); ++index) {
    const auto opcode = static_cast<std::uint8_t>(index);
    const bool offered = features.io_uring && features.uring_opcodes.test(index);
    const bool expected = release_has_opcode(release, opcode);
    if (expected && !offered) {
      agreement.lacking.push_back(opcode);
      agreement.usable = agreement.usable && calls_served_by(opcode).empty();
    }
    if (offered && !expected) agreement.beyond.push_back(opcode);
  }
  const std::string name =
      std::to_string(release.version) + "." + std::to_string(release.patch_level);
  const std::string kernel = "kernel " + features.release;
  if (agreement) {
    agreement.sentence = kernel + " offers exactly what Linux " + name + " has";
  } else if (!features.io_uring) {
    agreement.sentence = kernel + " offers no io_uring: " + features.io_uring_refusal;
  } else {
    if (!agreement.lacking.empty()) {
      agreement.sentence =
          "unlike Linux " + name + ", " + kernel + " does not offer " + list_of(agreement.lacking);
    }
    if (!agreement.beyond.empty()) {
      agreement.sentence += (agreement.sentence.empty() ? "" : "; ") + ("beyond Linux " + name) +
                            ", " + kernel + " offers " + list_of(agreement.beyond);
    }
  }
  return agreement;
}

}  // namespace weft::ksvc
