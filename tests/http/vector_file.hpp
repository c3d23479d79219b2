// Reads the vectors of tests/vectors/http1; its README says what they look like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/limits.hpp"

namespace weft::http::test {

struct MessageVector {
  std::string where;  // "file.vec:12: what it claims"
  Limits limits;
  std::string input;
  std::string outcome;                  // "complete", "incomplete", or a status
  std::optional<std::size_t> error_at;  // how many bytes make the error certain
  std::vector<std::pair<std::string, std::string>> facts;
  std::map<std::string, std::uint64_t> parameters;  // what is no limit: size, most …

  // Whether a server with default limits is to come to the same outcome.
  [[nodiscard]] bool uses_default_limits() const { return !changes_limits; }
  bool changes_limits = false;
};

// All vectors of all files in tests/vectors/http1/FOLDER. Throws std::runtime_error on a file that
// it cannot make sense of.
[[nodiscard]] std::vector<MessageVector> read_vectors(std::string_view folder);

// What is meant by the text of a vector, escapes and repetitions.
[[nodiscard]] std::string unescaped(std::string_view text);

// A copy of the bytes on the heap that ends exactly where they end, so that AddressSanitizer sees
// any read past the end.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {
    bytes_.shrink_to_fit();
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

// Where to cut an input in two: everywhere, or for long inputs at some hundred places and near both
// ends.
[[nodiscard]] std::vector<std::size_t> cuts(std::size_t size);

}  // namespace weft::http::test
