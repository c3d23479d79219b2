// models::Callback: a request that waits is kept by a record; nothing else waits.
//
// The record, from the worker's pool, is taken for as long as there are requests to serve. Who ends
// the wait makes the connection run, which goes on with it.
#pragma once

#include <new>
#include <optional>
#include <utility>

#include "gvt/frame_pool.hpp"
#include "http/active_request.hpp"
#include "http/models/model.hpp"

namespace weft::http::models {

struct Callback {
  static constexpr bool kOnStacks = false;

  template <class Connection>
  static void serve(Connection& connection) {
    serve_with(connection, RecordPointer(connection.limits(), connection.worker().frames()));
  }

  template <class Connection>
  static void resume(Connection& connection, void* kept_at) {
    RecordPointer record(kept_at, connection.worker().frames());
    connection.settle(*record->request);
    connection.finish(*record->request);
    serve_with(connection, std::move(record));
  }

  template <class Connection>
  static void prepare_to_wait(Connection&) noexcept {}

 private:
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

  template <class Connection>
  static void serve_with(Connection& connection, RecordPointer record) {
    while (connection.may_serve()) {
      if (record->request) record->clear();
      HeadParser* const parser = connection.parse(record->parser);
      if (parser == nullptr) return;
      ActiveRequest& request =
          record->request.emplace(*parser, connection.bytes_in_front(), connection.body_source());
      connection.begin(request);
      if (!connection.call_endpoint(request)) [[unlikely]] {
        return connection.wait_in(record.release(), request);
      }
      connection.finish(request);
    }
  }
};

static_assert(IsConnectionModel<Callback>);

}  // namespace weft::http::models
