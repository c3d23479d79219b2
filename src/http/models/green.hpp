// models::Green: a request that waits is kept by the stack it runs on.
//
// The handler is a plain call; when it parks, the stack becomes a green thread, and all that the
// request needs stands on it. So it does while a coroutine or a Respond is waited for. A request
// that does not wait leaves nothing behind. One whose handler runs elsewhere is kept by a record,
// to which it is moved before that.
#pragma once

#include <utility>

#include "http/active_request.hpp"
#include "http/models/model.hpp"
#include "http/models/record.hpp"

namespace weft::http::models {

struct Green {
  static constexpr bool kOnStacks = true;

  template <class Connection>
  static void serve(Connection& connection) {
    while (connection.may_serve()) {
      if (!serve_one(connection)) return;
    }
  }

  // What waits on a stack goes on as that does; this is for what waits in a record.
  template <class Connection>
  static void resume(Connection& connection, void* kept_at) {
    {
      const RecordPointer record(kept_at, connection.worker().frames());
      connection.settle(*record->request);
      connection.finish(*record->request);
    }
    serve(connection);
  }

  template <class Connection>
  static void prepare_to_wait(Connection& connection) {
    connection.worker().keep_spare_stack();
  }

 private:
  template <class Connection>
  static bool serve_one(Connection& connection) {
    HeadParser fresh(connection.limits());
    HeadParser* const parser = connection.parse(fresh);
    if (parser == nullptr) return false;
    ActiveRequest request(*parser, connection.bytes_in_front(), connection.body_source());
    connection.begin(request);
    if (!connection.call_endpoint(request)) [[unlikely]] {
      if (request.to_move) return serve_in_record(connection, *parser);
      wait(connection, request);
      connection.settle(request);
    }
    connection.finish(request);
    return true;
  }

  template <class Connection>
  static bool serve_in_record(Connection& connection, const HeadParser& parser) {
    RecordPointer record(connection.limits(), connection.worker().frames());
    record->parser = parser;
    ActiveRequest& request = record->request.emplace(record->parser, connection.bytes_in_front(),
                                                     connection.body_source());
    connection.move_to(request);
    if (connection.call_endpoint(request)) {
      connection.finish(request);
      return true;
    }
    connection.wait_in(record.release(), request);
    return false;
  }

  template <class Connection>
  static void wait(Connection& connection, ActiveRequest& request) noexcept {
    connection.let_go();
    auto& worker = connection.worker();
    gvt::GreenThread& here = worker.running();
    // It has been told.
    gvt::ParkObserver* const observer = std::exchange(here.observer, nullptr);
    worker.prepare_park();
    request.waits_at = &here;
    request.tell_end = &Green::wake<Connection>;
    worker.park_prepared("the end of its handler", &request);
    here.observer = observer;
  }

  template <class Connection>
  static void wake(ActiveRequest& request) {
    Connection::of(request).worker().make_ready(
        *static_cast<gvt::GreenThread*>(std::exchange(request.waits_at, nullptr)));
  }
};

static_assert(IsConnectionModel<Green>);

}  // namespace weft::http::models
