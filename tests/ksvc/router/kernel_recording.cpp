#include "ksvc/router/kernel_recording.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "ksvc/router/uring_names.hpp"

namespace weft::ksvc {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStart = "linux-";

template <class Flags>
struct NamedFlag {
  const char* name;
  bool Flags::* flag;
};

constexpr NamedFlag<UringSetupFlags> kSetupFlags[] = {
    {"submit_all", &UringSetupFlags::submit_all},
    {"coop_taskrun", &UringSetupFlags::coop_taskrun},
    {"single_issuer", &UringSetupFlags::single_issuer},
    {"defer_taskrun", &UringSetupFlags::defer_taskrun},
    {"sqpoll", &UringSetupFlags::sqpoll},
    {"no_sqarray", &UringSetupFlags::no_sqarray},
};

constexpr NamedFlag<KernelFeatures> kAbilities[] = {
    {"io_uring", &KernelFeatures::io_uring},
    {"provided_buffer_ring", &KernelFeatures::provided_buffer_ring},
    {"incremental_buffers", &KernelFeatures::incremental_buffers},
    {"multishot_accept", &KernelFeatures::multishot_accept},
    {"multishot_receive", &KernelFeatures::multishot_receive},
    {"receive_bundles", &KernelFeatures::receive_bundles},
    {"send_zero_copy", &KernelFeatures::send_zero_copy},
    {"ring_messages", &KernelFeatures::ring_messages},
    {"futex_wait", &KernelFeatures::futex_wait},
    {"bind_and_listen", &KernelFeatures::bind_and_listen},
    {"direct_descriptors", &KernelFeatures::direct_descriptors},
    {"registered_ring_fd", &KernelFeatures::registered_ring_fd},
    {"guard_pages", &KernelFeatures::guard_pages},
    {"reuse_port", &KernelFeatures::reuse_port},
};

template <class Flags, std::size_t Count>
bool set_flag(Flags& flags, const NamedFlag<Flags> (&known)[Count], const std::string& name) {
  for (const NamedFlag<Flags>& candidate : known) {
    if (name != candidate.name) continue;
    flags.*candidate.flag = true;
    return true;
  }
  return false;
}

bool set_opcode(KernelFeatures& features, const std::string& name) {
  for (unsigned opcode = 0; opcode < features.uring_opcodes.size(); ++opcode) {
    const char* const known = uring_opcode_name(static_cast<std::uint8_t>(opcode));
    if (known == nullptr || name != known) continue;
    features.uring_opcodes.set(opcode);
    return true;
  }
  return false;
}

bool set_feature_bit(KernelFeatures& features, const std::string& name) {
  for (const UringFeatureName& known : uring_feature_names()) {
    if (name != known.name) continue;
    features.uring_feature_bits |= known.bit;
    return true;
  }
  return false;
}

bool set_word(KernelFeatures& features, const std::string& key, const std::string& word) {
  if (key == "release") return !(features.release = word).empty();
  if (key == "setup") return set_flag(features.setup, kSetupFlags, word);
  if (key == "offers") return set_flag(features, kAbilities, word);
  if (key == "opcodes") return set_opcode(features, word);
  if (key == "features") return set_feature_bit(features, word);
  return false;
}

fs::path folder() { return fs::path(WEFT_SOURCE_DIR) / "tests/vectors/kernels"; }

std::pair<int, int> numbers_of(const std::string& release) {
  std::pair<int, int> numbers{0, 0};
  char dot = 0;
  std::istringstream(release) >> numbers.first >> dot >> numbers.second;
  return numbers;
}

}  // namespace

KernelFeatures load_kernel_recording(const std::string& release) {
  const fs::path path = folder() / (std::string(kStart) + release + ".txt");
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  KernelFeatures features;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    std::istringstream words(line);
    std::string key;
    words >> key;
    for (std::string word; words >> word;) {
      if (!set_word(features, key, word)) {
        throw std::runtime_error(path.string() + ": nobody knows " + key + " " + word);
      }
    }
  }
  return features;
}

std::vector<std::string> flags_of(const KernelFeatures& features) {
  std::vector<std::string> names;
  for (const auto& known : kAbilities) {
    if (features.*known.flag) names.emplace_back(known.name);
  }
  for (const auto& known : kSetupFlags) {
    if (features.setup.*known.flag) names.emplace_back(known.name);
  }
  return names;
}

std::vector<std::string> recorded_releases() {
  std::vector<std::string> releases;
  for (const auto& entry : fs::directory_iterator(folder())) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with(kStart)) releases.push_back(name.substr(kStart.size()));
  }
  std::ranges::sort(releases, {}, numbers_of);
  return releases;
}

}  // namespace weft::ksvc
