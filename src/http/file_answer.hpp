// What a request makes of a file: all of it, a part, or only word that it has not changed (RFC 9110
// §13 and §14).
//
// Functions of their arguments alone; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "http/date.hpp"
#include "http/head_parser.hpp"

namespace weft::http {

struct FileFacts {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970
};

// What a file's state is known by: its time and its size, and the coding of its content where there
// are several. The tag is a weak one while the file is so young that it might change again without
// either of them telling.
class FileValidators {
 public:
  // Of the name of the coding as much as there is room for.
  FileValidators(const FileFacts& facts, std::int64_t now_ns,
                 std::string_view coding = {}) noexcept;

  // With its quotes, and W/ in front of a weak one.
  std::string_view tag() const noexcept { return {tag_.data(), tag_size_}; }
  bool is_weak() const noexcept { return tag_.front() == 'W'; }
  std::string_view last_modified() const noexcept { return {date_.data(), date_.size()}; }
  std::int64_t modified_seconds() const noexcept { return seconds_; }

 private:
  static constexpr std::size_t kMostCoding = 8;
  std::array<char, 48 + kMostCoding> tag_{};
  std::size_t tag_size_ = 0;
  std::array<char, http_date_length> date_{};
  std::int64_t seconds_;
};

struct FileAnswer {
  int status = 200;  // 200, 206, 304, 412 or 416
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // of the body; 0 for the last three
};

// Of GET and HEAD; other methods are given the whole. More than one range is given the whole, too.
FileAnswer answer_with_file(const HeadView& head, const FileFacts& facts,
                            const FileValidators& validators);

}  // namespace weft::http
