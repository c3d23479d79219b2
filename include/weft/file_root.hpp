// FileRoot: a folder whose files may be given to clients, and nothing that is not beneath it.
//
//     const weft::FileRoot root = weft::FileRoot::open("/srv/www").value();
//     app.get("/files/*path", [&](weft::Context& c) { c.file(root, c.param("path")); });
//
// The folder is looked up once: what is later put in its place is not seen. Any thread.
#pragma once

#include <string>

#include "weft/result.hpp"

namespace weft {

class FileRoot {
 public:
  // A folder that is there.
  static Result<FileRoot> open(const std::string& path);

  FileRoot(FileRoot&& other) noexcept;
  FileRoot& operator=(FileRoot&& other) noexcept;
  ~FileRoot();

  // The folder's descriptor. It stays the object's.
  int fd() const noexcept { return fd_; }

 private:
  explicit FileRoot(int fd) noexcept : fd_(fd) {}

  int fd_;
};

}  // namespace weft
