#include "http/scan.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
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
    ASSERT_EQ(scan::host_end(view, from), scan::scalar::host_end(view, from)) << from;
#if defined(__SSE2__)
    ASSERT_EQ(scan::sse2::value_end(view, from), scan::scalar::value_end(view, from)) << from;
    ASSERT_EQ(scan::sse2::target_end(view, from), scan::scalar::target_end(view, from)) << from;
#endif
    for (const scan::WideScans& wide : scan::all_wide_scans()) {
      if (view.size() < scan::WideScans::least_bytes || !wide.works_here()) continue;
      ASSERT_EQ(wide.value_end(view, from), scan::scalar::value_end(view, from))
          << wide.name << " from " << from;
      ASSERT_EQ(wide.target_end(view, from), scan::scalar::target_end(view, from))
          << wide.name << " from " << from;
    }
  }
}

// One page, and behind it one that cannot be read: a read past its end is a fault, by whatever
// instruction.
class PageAtTheEdge {
 public:
  PageAtTheEdge() {
    void* const both = ::mmap(nullptr, 2 * size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (both == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<char*>(both);
    if (::mprotect(begin_, size_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  ~PageAtTheEdge() { ::munmap(begin_, 2 * size_); }
  PageAtTheEdge(const PageAtTheEdge&) = delete;
  PageAtTheEdge& operator=(const PageAtTheEdge&) = delete;

  // A copy that ends where the page does. The byte before it would end any scan.
  std::string_view put(std::string_view bytes) {
    char* const at = begin_ + size_ - bytes.size();
    at[-1] = '\0';
    std::memcpy(at, bytes.data(), bytes.size());
    return {at, bytes.size()};
  }

 private:
  std::size_t size_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  char* begin_ = nullptr;
};

struct NamedScan {
  const char* of;
  const char* by;
  scan::WideScans::Scan scan;
  std::size_t least_bytes;
};

// Every scan there is, in every make that works here.
std::vector<NamedScan> all_scans() {
  std::vector<NamedScan> all = {
      {"name_end", "scalar", scan::scalar::name_end, 0},
      {"host_end", "scalar", scan::scalar::host_end, 0},
      {"value_end", "scalar", scan::scalar::value_end, 0},
      {"target_end", "scalar", scan::scalar::target_end, 0},
      {"query_or_escape", "scalar", scan::scalar::query_or_escape, 0},
      {"value_end", "choice", scan::value_end, 0},
      {"target_end", "choice", scan::target_end, 0},
#if defined(__SSE2__)
      {"name_end", "SSE2", scan::sse2::name_end, 0},
      {"host_end", "SSE2", scan::sse2::host_end, 0},
      {"value_end", "SSE2", scan::sse2::value_end, 0},
      {"target_end", "SSE2", scan::sse2::target_end, 0},
      {"query_or_escape", "SSE2", scan::sse2::query_or_escape, 0},
#endif
  };
  for (const scan::WideScans& wide : scan::all_wide_scans()) {
    if (!wide.works_here()) continue;
    all.push_back({"value_end", wide.name, wide.value_end, scan::WideScans::least_bytes});
    all.push_back({"target_end", wide.name, wide.target_end, scan::WideScans::least_bytes});
  }
  return all;
}

}  // namespace

TEST(Scan, none_reads_past_a_page_behind_which_nothing_can_be_read) {
  PageAtTheEdge page;
  const std::string run(64, 'a');
  for (const NamedScan& tried : all_scans()) {
    for (std::size_t size = tried.least_bytes; size <= run.size(); ++size) {
      const std::string_view view = page.put(std::string_view(run).substr(0, size));
      for (std::size_t from = 0; from <= size; ++from) {
        ASSERT_EQ(tried.scan(view, from), size)
            << tried.of << " by " << tried.by << ", " << size << " bytes from " << from;
      }
    }
  }
}

TEST(Scan, each_finds_what_it_looks_for_in_every_place_before_the_end_of_a_page) {
  PageAtTheEdge page;
  for (const NamedScan& tried : all_scans()) {
    const char wanted = std::string_view(tried.of) == "query_or_escape" ? '?' : '\r';
    for (std::size_t size = tried.least_bytes; size <= 64; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string bytes(size, 'a');
        bytes[at] = wanted;
        const std::string_view view = page.put(bytes);
        for (std::size_t from = 0; from <= size; ++from) {
          ASSERT_EQ(tried.scan(view, from), from <= at ? at : size)
              << tried.of << " by " << tried.by << ", " << size << " bytes from " << from;
        }
      }
    }
  }
}

TEST(Scan, the_widest_scans_that_work_here_are_chosen_and_there_is_always_one) {
  for (const scan::WideScans& wide : scan::all_wide_scans()) {
    if (!wide.works_here()) continue;
    EXPECT_EQ(&scan::wide_scans(), &wide);
    return;
  }
  FAIL() << "no scan works everywhere";
}

TEST(Scan, vectorised_scans_agree_with_the_scalar_ones_on_every_vector) {
  for (const MessageVector& vector : read_vectors("head")) {
    SCOPED_TRACE(vector.where);
    compare_everywhere(std::string_view(vector.input).substr(0, 1000));
  }
}

TEST(Scan, vectorised_scans_agree_with_the_scalar_ones_on_every_byte_at_every_distance) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    SCOPED_TRACE(byte);
    for (const std::size_t size : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70, 96, 97, 130}) {
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
  std::uniform_int_distribution<std::size_t> any_size(0, 220);
  for (int round = 0; round < 600; ++round) {
    std::string bytes(any_size(random), '\0');
    for (char& byte : bytes) byte = static_cast<char>(any_byte(random) % 95 + 32);
    if (!bytes.empty())
      bytes[any_size(random) % bytes.size()] = static_cast<char>(any_byte(random));
    compare_everywhere(bytes);
  }
}

}  // namespace weft::http::test
