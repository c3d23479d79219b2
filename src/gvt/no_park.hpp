// NoPark: while one stands, whoever parks on this OS thread has broken a promise: there is
// something on the stack that must not be left and come back to.
//
// One thread; they may stand within one another.
#pragma once

namespace weft::gvt {

class NoPark {
 public:
  NoPark() noexcept;
  ~NoPark();
  NoPark(const NoPark&) = delete;
  NoPark& operator=(const NoPark&) = delete;
};

}  // namespace weft::gvt
