#include "ksvc/backend/fixed_file_io_uring.hpp"

namespace weft::ksvc {

template class CompositeIoUring<UringOptions{.fixed_files = true}>;

}  // namespace weft::ksvc
