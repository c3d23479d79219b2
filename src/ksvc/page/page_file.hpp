// PublishedFile: a shared page's file, from its first byte to its removal.
//
// The file appears under its name whole or not at all, with mode 0640 or what the umask makes of
// it, and never in the place of a file that is not a dead process's page. A directory is locked
// while a page is published in it, so that two starts cannot take each other's. The file is removed
// by remove(), and only while the name still is this file's. Used by one thread at a time.
//
// Keep pages on a tmpfs (/run, /dev/shm): elsewhere the kernel writes the counters to disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include <weft/result.hpp>

#include "ksvc/page/page_layout.hpp"

namespace weft::ksvc {

class PublishedFile {
 public:
  // `path` names the file, or a directory in which it is called weft-PID.page, and a process's
  // further ones weft-PID-2.page and so on; dead processes' pages of such names are removed from
  // the directory. `fill` writes the content before the file gets its name. Fails with EEXIST when
  // a living process or another kind of file has the name.
  static Result<PublishedFile> publish(const std::string& path,
                                       const std::function<void(PageFile&)>& fill);

  // The mapping, writable and shared with every reader; the caller unmaps it.
  PageFile* page() const noexcept { return page_; }
  const std::string& path() const noexcept { return path_; }
  void remove() const noexcept;

 private:
  PublishedFile(PageFile* page, std::string path, dev_t device, ino_t inode)
      : page_(page), path_(std::move(path)), device_(device), inode_(inode) {}

  PageFile* page_;
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace weft::ksvc
