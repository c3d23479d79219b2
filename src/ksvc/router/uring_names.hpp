// Names for io_uring's numbers, as the kernel's manual pages spell them; for reports only.
//
// Constant data; safe from any thread. A number without a name is newer than this list.
#pragma once

#include <cstdint>
#include <span>

namespace weft::ksvc {

// "READV" for IORING_OP_READV; null for a number this list does not know.
const char* uring_opcode_name(std::uint8_t opcode) noexcept;

struct UringFeatureName {
  const char* name;  // "NODROP" for IORING_FEAT_NODROP
  std::uint32_t bit;
};
std::span<const UringFeatureName> uring_feature_names() noexcept;

}  // namespace weft::ksvc
