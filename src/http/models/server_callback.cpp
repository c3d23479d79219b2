#include "http/models/callback.hpp"
#include "http/server_run_impl.hpp"

namespace weft::http {

template void Server::start_workers_as<models::Callback>();

}  // namespace weft::http
