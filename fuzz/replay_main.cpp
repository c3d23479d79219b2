// The main of a fuzz target that no fuzzer drives: feeds it every file named on the command line,
// and every file below every folder named there, in the order of their paths.
//
// A folder without a single file is an error, so that a corpus which has gone missing is noticed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs_below(const fs::path& root) {
  std::vector<fs::path> inputs;
  if (fs::is_directory(root)) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file()) inputs.push_back(entry.path());
    }
    std::sort(inputs.begin(), inputs.end());
  } else if (fs::is_regular_file(root)) {
    inputs.push_back(root);
  }
  return inputs;
}

bool replay(const fs::path& input) {
  std::ifstream file(input, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (file.bad() || !file.is_open()) {
    std::fprintf(stderr, "cannot read %s\n", input.c_str());
    return false;
  }
  // Printed first, so that the last line before a crash names the input.
  std::printf("%s (%zu bytes)\n", input.c_str(), bytes.size());
  std::fflush(stdout);
  // A copy of exactly this size lets AddressSanitizer see a read past the end.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
    return 2;
  }
  std::size_t replayed = 0;
  for (int i = 1; i < argc; ++i) {
    const std::vector<fs::path> inputs = inputs_below(argv[i]);
    if (inputs.empty()) {
      std::fprintf(stderr, "no input at %s\n", argv[i]);
      return 1;
    }
    for (const fs::path& input : inputs) {
      if (!replay(input)) return 1;
      ++replayed;
    }
  }
  std::printf("%zu inputs replayed\n", replayed);
  return 0;
}
