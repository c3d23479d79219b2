// Upload: a file that came with a form, multipart/form-data (RFC 7578).
//
//     if (weft::Upload* photo = c.upload("photo")) photo->save_as("/srv/" + photo->file_name());
//
// Small ones are in memory, larger ones in a temporary file without a name, which goes with the
// request. Belongs to the handler and ends with it. Calls on the disk park.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weft/file.hpp"
#include "weft/result.hpp"

namespace weft {

// The bounds of a form. Its body is bounded by Limits::body_bytes beside these; beyond any of them
// the answer is 413.
struct FormLimits {
  // Fields and files. Forms that people fill in have tens.
  std::size_t parts = 1000;
  // The header lines of a part: two or three short ones.
  std::size_t part_header_bytes = 4 * 1024;
  // One field's value; it is kept in memory.
  std::size_t field_bytes = 256 * 1024;
  // All fields' names and values.
  std::size_t fields_bytes = 1024 * 1024;
  // All files that are kept in memory; what comes behind that goes to the disk.
  std::size_t memory_bytes = 256 * 1024;
  // One file.
  std::uint64_t file_bytes = std::uint64_t{64} * 1024 * 1024;
};

class Upload {
 public:
  // The name of the form's field.
  const std::string& field() const noexcept { return field_; }
  // The client's name for it, made harmless: without folders, control bytes, leading dots; never
  // empty. Two uploads may have the same.
  const std::string& file_name() const noexcept { return file_name_; }
  // As it was sent.
  const std::string& sent_file_name() const noexcept { return sent_file_name_; }
  // What the client says it is, which nobody has checked; "application/octet-stream" without that.
  const std::string& content_type() const noexcept { return content_type_; }
  // In bytes.
  std::uint64_t size() const noexcept { return size_; }
  // Whether it is kept in memory.
  bool in_memory() const noexcept { return !file_; }

  // Copies it to a file, which is made or replaced.
  Result<void> save_as(const std::string& path) const;
  // All of it.
  Result<std::string> read() const;

 private:
  friend class FormReader;

  std::string field_;
  std::string file_name_;
  std::string sent_file_name_;
  std::string content_type_;
  std::uint64_t size_ = 0;
  std::string memory_;
  std::optional<File> file_;
};

}  // namespace weft
