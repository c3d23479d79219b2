#include "ksvc/router/kernel_features.hpp"

#include <liburing.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>

#include "ksvc/backend/uring_abi.hpp"
#include "ksvc/core/scoped_descriptor.hpp"
#include "ksvc/router/probe_ring.hpp"

namespace weft::ksvc {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

class Page {
 public:
  Page()
      : bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        address_(
            ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~Page() {
    if (*this) ::munmap(address_, bytes_);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  void* address() const noexcept { return address_; }
  std::size_t bytes() const noexcept { return bytes_; }
  explicit operator bool() const noexcept { return address_ != MAP_FAILED; }

 private:
  std::size_t bytes_;
  void* address_;
};

std::optional<int> read_disabled_sysctl() {
  const File file(std::fopen("/proc/sys/kernel/io_uring_disabled", "re"));
  int value = 0;
  if (!file || std::fscanf(file.get(), "%d", &value) != 1) return std::nullopt;
  return value;
}

bool seccomp_filters_this_thread() {
  const File file(std::fopen("/proc/thread-self/status", "re"));
  std::array<char, 256> line{};
  while (file && std::fgets(line.data(), line.size(), file.get()) != nullptr) {
    int mode = 0;
    if (std::sscanf(line.data(), "Seccomp: %d", &mode) == 1) return mode == 2;
  }
  return false;
}

std::string refusal_text(int os_errno, const KernelFeatures& features) {
  rlimit memlock{};
  ::getrlimit(RLIMIT_MEMLOCK, &memlock);
  return explain_uring_refusal({
      .os_errno = os_errno,
      .disabled_sysctl = features.io_uring_disabled,
      .seccomp_filtered = seccomp_filters_this_thread(),
      .memlock_bytes = memlock.rlim_cur,
  });
}

// Keeps an answer that tells of a limit rather than of the kernel.
void note_shortage(int os_errno, KernelFeatures& features) {
  if (os_errno != ENOMEM && os_errno != EMFILE && os_errno != ENFILE) return;
  if (features.io_uring_shortage.empty()) {
    features.io_uring_shortage = refusal_text(os_errno, features);
  }
}

void probe_setup_flags(KernelFeatures& features) {
  const auto accepts_setup_flags = [&features](std::uint32_t flags) {
    io_uring_params parameters{};
    parameters.flags = flags;
    const int answer = raw_uring_setup(4, parameters);
    if (answer < 0) note_shortage(-answer, features);
    const ScopedDescriptor ring(answer);
    return static_cast<bool>(ring);
  };
  UringSetupFlags& setup = features.setup;
  setup.submit_all = accepts_setup_flags(IORING_SETUP_SUBMIT_ALL);
  setup.coop_taskrun = accepts_setup_flags(IORING_SETUP_COOP_TASKRUN);
  setup.single_issuer = accepts_setup_flags(IORING_SETUP_SINGLE_ISSUER);
  setup.defer_taskrun =
      accepts_setup_flags(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  setup.sqpoll = accepts_setup_flags(IORING_SETUP_SQPOLL);
  setup.no_sqarray = accepts_setup_flags(uring_abi::kSetupNoSqarray);
}

void probe_opcodes(ProbeRing& ring, KernelFeatures& features) {
  constexpr unsigned kMostOpcodes = 256;
  alignas(io_uring_probe)
      std::array<char, sizeof(io_uring_probe) + kMostOpcodes * sizeof(io_uring_probe_op)>
          storage{};
  if (ring.register_call(IORING_REGISTER_PROBE, storage.data(), kMostOpcodes) < 0) return;
  const auto entries = static_cast<unsigned char>(storage[offsetof(io_uring_probe, ops_len)]);
  for (unsigned index = 0; index < entries; ++index) {
    io_uring_probe_op entry{};
    std::memcpy(&entry, storage.data() + sizeof(io_uring_probe) + index * sizeof entry,
                sizeof entry);
    if ((entry.flags & IO_URING_OP_SUPPORTED) != 0) features.uring_opcodes.set(entry.op);
  }
}

// A Unix socket bound by the kernel to a name of its choosing: no port, no file, no network.
bool multishot_accept_works(ProbeRing& ring) {
  const ScopedDescriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof address;
  if (!listener ||
      ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0 ||
      ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return false;
  }
  const ScopedDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!client || ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    return false;
  }
  io_uring_sqe operation{};
  operation.opcode = IORING_OP_ACCEPT;
  operation.fd = listener.get();
  operation.ioprio = IORING_ACCEPT_MULTISHOT;
  const auto outcome = ring.perform(operation);
  if (!outcome || outcome->result < 0) return false;
  const ScopedDescriptor accepted(outcome->result);
  return outcome->more;
}

constexpr std::uint16_t kProbeGroup = 1;

// Registers `page` as a buffer ring; gives the errno with which the kernel refuses it, or 0.
int register_buffer_ring(ProbeRing& ring, const Page& page, std::uint16_t flags) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(page.address());
  registration.ring_entries = 8;
  registration.bgid = kProbeGroup;
  // The flags are in the field that older headers call padding.
  std::memcpy(reinterpret_cast<char*>(&registration) + offsetof(io_uring_buf_reg, bgid) +
                  sizeof registration.bgid,
              &flags, sizeof flags);
  return -ring.register_call(IORING_REGISTER_PBUF_RING, &registration, 1);
}

void unregister_buffer_ring(ProbeRing& ring) {
  io_uring_buf_reg registration{};
  registration.bgid = kProbeGroup;
  ring.register_call(IORING_UNREGISTER_PBUF_RING, &registration, 1);
}

// Puts one small block into the registered ring, then receives one byte into it.
bool multishot_receive_works(ProbeRing& ring, const Page& page) {
  std::array<int, 2> pair{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return false;
  const ScopedDescriptor reader(pair[0]);
  const ScopedDescriptor writer(pair[1]);
  static constexpr std::size_t kBlockBytes = 64;
  auto* const buffers = static_cast<io_uring_buf*>(page.address());
  char* const blocks = static_cast<char*>(page.address()) + page.bytes() / 2;
  for (std::uint16_t block = 0; block < 2; ++block) {
    buffers[block].addr = reinterpret_cast<std::uintptr_t>(blocks + block * kBlockBytes);
    buffers[block].len = kBlockBytes;
    buffers[block].bid = block;
  }
  buffers[0].resv = 2;  // the ring's tail lies over the first entry's spare field
  if (::write(writer.get(), "w", 1) != 1) return false;
  io_uring_sqe operation{};
  operation.opcode = IORING_OP_RECV;
  operation.fd = reader.get();
  operation.flags = IOSQE_BUFFER_SELECT;
  operation.ioprio = IORING_RECV_MULTISHOT;
  operation.buf_group = kProbeGroup;
  const auto outcome = ring.perform(operation);
  return outcome && outcome->result == 1 && outcome->more;
}

void probe_buffers_and_receive(KernelFeatures& features) {
  // The page outlives the ring: a multishot operation may hold it until the ring is gone.
  const Page page;
  const Page other_page;
  ProbeRing ring;
  if (!page || !other_page) return;
  if (const int failed = ring.open(); failed != 0) return note_shortage(failed, features);
  features.incremental_buffers =
      register_buffer_ring(ring, other_page, uring_abi::kPbufRingIncremental) == 0;
  if (features.incremental_buffers) unregister_buffer_ring(ring);
  const int refused = register_buffer_ring(ring, page, 0);
  note_shortage(refused, features);
  features.provided_buffer_ring = refused == 0;
  if (features.provided_buffer_ring) {
    features.multishot_receive = multishot_receive_works(ring, page);
  }
}

bool direct_descriptors_work(ProbeRing& ring) {
  io_uring_rsrc_register table{};
  table.nr = 4;
  table.flags = IORING_RSRC_REGISTER_SPARSE;
  return ring.register_call(IORING_REGISTER_FILES2, &table, sizeof table) == 0;
}

bool registered_ring_fd_works(ProbeRing& ring) {
  io_uring_rsrc_update update{};
  update.offset = ~0U;  // any free slot
  update.data = static_cast<std::uint64_t>(ring.fd());
  if (ring.register_call(IORING_REGISTER_RING_FDS, &update, 1) != 1) return false;
  // The slot is the thread's, not the ring's, so it is handed back.
  io_uring_rsrc_update taken{};
  taken.offset = update.offset;
  ring.register_call(IORING_UNREGISTER_RING_FDS, &taken, 1);
  return true;
}

void probe_io_uring(KernelFeatures& features) {
  ProbeRing ring;
  features.io_uring_errno = ring.open();
  features.io_uring = features.io_uring_errno == 0;
  if (!features.io_uring) {
    features.io_uring_refusal = refusal_text(features.io_uring_errno, features);
    return;
  }
  features.uring_feature_bits = ring.feature_bits();
  probe_setup_flags(features);
  probe_opcodes(ring, features);
  const auto& opcodes = features.uring_opcodes;
  features.receive_bundles = (features.uring_feature_bits & uring_abi::kFeatRecvsendBundle) != 0;
  features.send_zero_copy = opcodes.test(IORING_OP_SEND_ZC);
  features.ring_messages = opcodes.test(IORING_OP_MSG_RING);
  features.futex_wait = opcodes.test(uring_abi::kOpFutexWait);
  features.bind_and_listen = opcodes.test(uring_abi::kOpBind) && opcodes.test(uring_abi::kOpListen);
  features.direct_descriptors = direct_descriptors_work(ring);
  features.registered_ring_fd = registered_ring_fd_works(ring);
  features.multishot_accept = multishot_accept_works(ring);
  probe_buffers_and_receive(features);
}

bool guard_pages_work() {
  const Page page;
  return page && ::madvise(page.address(), page.bytes(), uring_abi::kMadvGuardInstall) == 0;
}

bool reuse_port_works() {
  const ScopedDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  return socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
}

}  // namespace

std::string explain_uring_refusal(const UringRefusal& refusal) {
  if (refusal.os_errno == EPERM && refusal.disabled_sysctl == 2) {
    return "io_uring is disabled by sysctl kernel.io_uring_disabled=2; "
           "an administrator can allow it with `sysctl kernel.io_uring_disabled=0`";
  }
  if (refusal.os_errno == EPERM && refusal.disabled_sysctl == 1) {
    return "io_uring is limited by sysctl kernel.io_uring_disabled=1 to CAP_SYS_ADMIN and the "
           "group in kernel.io_uring_group; join that group or set the sysctl to 0";
  }
  if (refusal.os_errno == EPERM || (refusal.os_errno == ENOSYS && refusal.seccomp_filtered)) {
    const char* const answer = refusal.os_errno == EPERM ? "EPERM" : "ENOSYS";
    return std::string("io_uring is refused (") + answer +
           ") by a seccomp filter, as container runtimes install by default; allow "
           "io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile";
  }
  switch (refusal.os_errno) {
    case ENOSYS:
      return "this kernel has no io_uring (ENOSYS): it is older than 5.1 or was built without "
             "CONFIG_IO_URING; use a kernel of 6.1 or newer";
    case ENOMEM:
      return "no memory for an io_uring (ENOMEM) within the locked-memory limit of " +
             std::to_string(refusal.memlock_bytes) +
             " bytes; raise it (`ulimit -l`, LimitMEMLOCK=)";
    case EMFILE:
    case ENFILE:
      return "no descriptor is free for an io_uring; raise the open-files limit (`ulimit -n`)";
    default: return std::string("io_uring_setup failed: ") + std::strerror(refusal.os_errno);
  }
}

KernelFeatures probe_kernel_features() {
  KernelFeatures features;
  utsname names{};
  if (::uname(&names) == 0) features.release = names.release;
  features.io_uring_disabled = read_disabled_sysctl();
  probe_io_uring(features);
  features.guard_pages = guard_pages_work();
  features.reuse_port = reuse_port_works();
  return features;
}

}  // namespace weft::ksvc
