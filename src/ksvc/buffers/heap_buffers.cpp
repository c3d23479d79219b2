#include "ksvc/buffers/heap_buffers.hpp"

namespace weft::ksvc {

HeapBuffers::HeapBuffers(const BufferOptions& options)
    : table_(options.blocks, BlockLayout::scattered(options.block_bytes)) {
  free_.reserve(options.blocks);
  for (std::uint16_t i = options.blocks; i > 0; --i) {
    free_.push_back(static_cast<std::uint16_t>(i - 1));
  }
}

}  // namespace weft::ksvc
