#include "ksvc/backend/fixed_buffer_io_uring.hpp"

namespace weft::ksvc {

template class CompositeIoUring<UringOptions{.fixed_buffers = true}>;

}  // namespace weft::ksvc
