#include "ksvc/backend/uring_any.hpp"

#include <array>
#include <utility>

#include "ksvc/backend/composite_io_uring.hpp"

namespace weft::ksvc {
namespace {

template <UringOptions options>
class Combination final : public AnyUring {
 public:
  using Backend = CompositeIoUring<options>;

  static Result<std::unique_ptr<AnyUring>> create(const BackendOptions& backend_options) {
    auto made = Backend::create(backend_options);
    if (!made) return made.error();
    return std::unique_ptr<AnyUring>(new Combination(std::move(made).value()));
  }

  void submit_and_wait(unsigned at_least, TimePoint deadline) override {
    backend_->submit_and_wait(at_least, deadline);
  }
  unsigned drain(Recorder& recorder) override { return backend_->drain(recorder); }
  bool settled() const override { return backend_->settled(); }
  Buffers& buffers() override { return backend_->buffers(); }
  RegisteredBuffers* registered_buffers() override {
    if constexpr (options.fixed_buffers) return &backend_->registered_buffers();
    return nullptr;
  }

 private:
  explicit Combination(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  void start(const ChainedOperation& operation, CorrelationId corr_id) override {
    std::visit([&](const auto& op) { backend_->submit(op, corr_id); }, operation);
  }

  std::unique_ptr<Backend> backend_;
};

using Create = Result<std::unique_ptr<AnyUring>> (*)(const BackendOptions&);

template <unsigned... numbers>
constexpr auto table_of(std::integer_sequence<unsigned, numbers...>) {
  return std::array<Create, sizeof...(numbers)>{
      &Combination<AnyUring::options_of(numbers)>::create...};
}

constexpr auto kCreate = table_of(std::make_integer_sequence<unsigned, AnyUring::kCombinations>{});

}  // namespace

Result<std::unique_ptr<AnyUring>> AnyUring::create(unsigned combination,
                                                   const BackendOptions& options) {
  return kCreate[combination](options);
}

}  // namespace weft::ksvc
