#include "ksvc/backend/sqpoll_io_uring.hpp"

namespace weft::ksvc {

template class CompositeIoUring<UringOptions{.sqpoll = true}>;

}  // namespace weft::ksvc
