// models::Callback: a request that waits is kept by a record; nothing else waits.
//
// The record, from the worker's pool, is taken for as long as there are requests to serve. Who ends
// the wait makes the connection run, which goes on with it.
#pragma once

#include <utility>

#include "http/active_request.hpp"
#include "http/models/model.hpp"
#include "http/models/record.hpp"

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
