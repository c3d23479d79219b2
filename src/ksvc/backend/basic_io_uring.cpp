#include "ksvc/backend/basic_io_uring.hpp"

namespace weft::ksvc {

template class CompositeIoUring<UringOptions{}>;

}  // namespace weft::ksvc
