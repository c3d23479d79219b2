#include "ksvc/router/uring_names.hpp"

#include <liburing.h>

#include <array>

#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/router/opcode_releases.hpp"

namespace weft::ksvc {
namespace {

constexpr std::array kOpcodeNames{
    "NOP",
    "READV",
    "WRITEV",
    "FSYNC",
    "READ_FIXED",
    "WRITE_FIXED",
    "POLL_ADD",
    "POLL_REMOVE",
    "SYNC_FILE_RANGE",
    "SENDMSG",
    "RECVMSG",
    "TIMEOUT",
    "TIMEOUT_REMOVE",
    "ACCEPT",
    "ASYNC_CANCEL",
    "LINK_TIMEOUT",
    "CONNECT",
    "FALLOCATE",
    "OPENAT",
    "CLOSE",
    "FILES_UPDATE",
    "STATX",
    "READ",
    "WRITE",
    "FADVISE",
    "MADVISE",
    "SEND",
    "RECV",
    "OPENAT2",
    "EPOLL_CTL",
    "SPLICE",
    "PROVIDE_BUFFERS",
    "REMOVE_BUFFERS",
    "TEE",
    "SHUTDOWN",
    "RENAMEAT",
    "UNLINKAT",
    "MKDIRAT",
    "SYMLINKAT",
    "LINKAT",
    "MSG_RING",
    "FSETXATTR",
    "SETXATTR",
    "FGETXATTR",
    "GETXATTR",
    "SOCKET",
    "URING_CMD",
    "SEND_ZC",
    "SENDMSG_ZC",
    "READ_MULTISHOT",
    "WAITID",
    "FUTEX_WAIT",
    "FUTEX_WAKE",
    "FUTEX_WAITV",
    "FIXED_FD_INSTALL",
    "FTRUNCATE",
    "BIND",
    "LISTEN",
    "RECV_ZC",
    "EPOLL_WAIT",
    "READV_FIXED",
    "WRITEV_FIXED",
    "PIPE",
    "NOP128",
    "URING_CMD128",
};
static_assert(kOpcodeNames.size() == kKnownOpcodes && kKnownOpcodes > uring_abi::kOpPipe);

constexpr UringFeatureName kFeatureNames[] = {
    {"SINGLE_MMAP", IORING_FEAT_SINGLE_MMAP},
    {"NODROP", IORING_FEAT_NODROP},
    {"SUBMIT_STABLE", IORING_FEAT_SUBMIT_STABLE},
    {"RW_CUR_POS", IORING_FEAT_RW_CUR_POS},
    {"CUR_PERSONALITY", IORING_FEAT_CUR_PERSONALITY},
    {"FAST_POLL", IORING_FEAT_FAST_POLL},
    {"POLL_32BITS", IORING_FEAT_POLL_32BITS},
    {"SQPOLL_NONFIXED", IORING_FEAT_SQPOLL_NONFIXED},
    {"EXT_ARG", IORING_FEAT_EXT_ARG},
    {"NATIVE_WORKERS", IORING_FEAT_NATIVE_WORKERS},
    {"RSRC_TAGS", IORING_FEAT_RSRC_TAGS},
    {"CQE_SKIP", IORING_FEAT_CQE_SKIP},
    {"LINKED_FILE", IORING_FEAT_LINKED_FILE},
    {"REG_REG_RING", uring_abi::kFeatRegRegRing},
    {"RECVSEND_BUNDLE", uring_abi::kFeatRecvsendBundle},
    {"MIN_TIMEOUT", uring_abi::kFeatMinTimeout},
    {"RW_ATTR", uring_abi::kFeatRwAttr},
    {"NO_IOWAIT", uring_abi::kFeatNoIowait},
};

}  // namespace

const char* uring_opcode_name(std::uint8_t opcode) noexcept {
  return opcode < kOpcodeNames.size() ? kOpcodeNames[opcode] : nullptr;
}

std::span<const UringFeatureName> uring_feature_names() noexcept { return kFeatureNames; }

}  // namespace weft::ksvc
