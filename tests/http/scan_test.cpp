#include "http/scan.hpp"

#include <gtest/gtest.h>

#include <random>

#include "vector_file.hpp"

namespace weft::http::test {

namespace {

// Compares the scans in use with the scalar ones from every position of the input, which ends
// exactly where its memory ends.
void compare_everywhere(std::string_view bytes) {
  const ExactCopy copy(bytes);
  const std::string_view view = copy.view();
  for (std::size_t from = 0; from <= view.size(); ++from) {
    ASSERT_EQ(scan::name_end(view, from), scan::scalar::name_end(view, from)) << from;
    ASSERT_EQ(scan::value_end(view, from), scan::scalar::value_end(view, from)) << from;
    ASSERT_EQ(scan::target_end(view, from), scan::scalar::target_end(view, from)) << from;
    ASSERT_EQ(scan::query_or_escape(view, from), scan::scalar::query_or_escape(view, from)) << from;
  }
}

}  // namespace

TEST(Scan, vectorised_scans_agree_with_the_scalar_ones_on_every_vector) {
  for (const MessageVector& vector : read_vectors("head")) {
    SCOPED_TRACE(vector.where);
    compare_everywhere(std::string_view(vector.input).substr(0, 1000));
  }
}

TEST(Scan, vectorised_scans_agree_with_the_scalar_ones_on_every_byte_at_every_distance) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    for (const std::size_t size : {1, 15, 16, 17, 33, 70}) {
      std::string bytes(size, 'a');
      bytes[size / 2] = static_cast<char>(byte);
      compare_everywhere(bytes);
      bytes[size - 1] = static_cast<char>(byte);
      compare_everywhere(bytes);
    }
  }
}

TEST(Scan, vectorised_scans_agree_with_the_scalar_ones_on_random_bytes) {
  std::mt19937 random(20240607);  // fixed, so that a failure can be repeated
  std::uniform_int_distribution<int> any_byte(0, 255);
  std::uniform_int_distribution<std::size_t> any_size(0, 100);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(any_size(random), '\0');
    for (char& byte : bytes) byte = static_cast<char>(any_byte(random) % 95 + 32);
    if (!bytes.empty())
      bytes[any_size(random) % bytes.size()] = static_cast<char>(any_byte(random));
    compare_everywhere(bytes);
  }
}

}  // namespace weft::http::test
