// ConnectionModel: what keeps a request whose handler waits, and how its connection goes on then.
//
// A connection calls serve() when there is input and no request in progress. The model takes a head
// after the other out of the input, makes an ActiveRequest of each in memory of its choice, has the
// handler called, and the answer written, for as long as the connection may_serve():
//
//     parse, begin, call_endpoint, [the handler's end, settle,] finish
//
// When call_endpoint() says that the handler goes on, the request must stay where it is until its
// end. Either the model waits on the stack it is on, or it leaves the request to wait_in() and
// returns; then the connection calls resume() with what was left there. A plain handler that parks
// parks the stack below it, the model's frames included, so serve() and resume() may take long, and
// other connections are served meanwhile; this one is not called until they have returned.
// A handler's exceptions do not reach the model. What does is std::bad_alloc: it lets go of the
// request and lets it pass, and the connection is closed.
// Models have no state of their own and are called on the worker's thread alone. A request under
// way whose worker has stopped for good is left in its memory, for which there is no call.
#pragma once

#include <concepts>
#include <cstdint>

namespace weft::http {

enum class Model : std::uint8_t { green, coroutine, callback };

namespace models {

struct Green;
struct Coroutine;
struct Callback;

// Stands for any Connection.
class SomeConnection;

template <class ConnectionModel>
concept IsConnectionModel = requires(SomeConnection& connection, void* kept_at) {
  // Whether it waits on stacks; then resume() is called only for what it has moved elsewhere.
  { ConnectionModel::kOnStacks } -> std::convertible_to<bool>;
  ConnectionModel::serve(connection);
  ConnectionModel::resume(connection, kept_at);
  // Before a handler is called that cannot be left once it has begun: gets all that a wait needs.
  // Throws std::bad_alloc.
  ConnectionModel::prepare_to_wait(connection);
};

}  // namespace models

}  // namespace weft::http
