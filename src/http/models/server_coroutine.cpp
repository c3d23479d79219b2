#include "http/models/coroutine.hpp"
#include "http/server_run_impl.hpp"

namespace weft::http {

template void Server::start_workers_as<models::Coroutine>();

}  // namespace weft::http
