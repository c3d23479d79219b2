// Record: memory of a worker's pool that keeps one request after the other, with its head.
//
// Worker's thread only.
#pragma once

#include <new>
#include <optional>
#include <utility>

#include "gvt/frame_pool.hpp"
#include "http/active_request.hpp"
#include "http/head_parser.hpp"

namespace weft::http::models {

struct Record {
  explicit Record(const Limits& limits) noexcept : parser(limits) {}

  void clear() noexcept {
    request.reset();
    parser.reset();
  }

  HeadParser parser;
  std::optional<ActiveRequest> request;
};

// Owns a record of the pool.
class RecordPointer {
 public:
  RecordPointer(const Limits& limits, gvt::FramePool& pool)
      : pool_(pool), record_(new(pool.take(sizeof(Record))) Record(limits)) {}
  RecordPointer(void* record, gvt::FramePool& pool) noexcept
      : pool_(pool), record_(static_cast<Record*>(record)) {}
  RecordPointer(RecordPointer&& other) noexcept
      : pool_(other.pool_), record_(std::exchange(other.record_, nullptr)) {}
  RecordPointer& operator=(RecordPointer&&) = delete;
  ~RecordPointer() {
    if (record_ == nullptr) return;
    record_->~Record();
    pool_.give_back(record_, sizeof(Record));
  }

  Record* operator->() const noexcept { return record_; }
  void* release() noexcept { return std::exchange(record_, nullptr); }

 private:
  gvt::FramePool& pool_;
  Record* record_;
};

}  // namespace weft::http::models
