#include "ksvc/instance/in_flight_table.hpp"

#include <gtest/gtest.h>

namespace weft::ksvc {
namespace {

TEST(InFlightTable, an_id_is_not_given_out_twice_in_a_row) {
  InFlightTable table(1, nullptr, nullptr);
  InFlight& first = table.take({});
  const CorrelationId id = InFlightTable::id_of(first);
  EXPECT_EQ(&table.find(id), &first);
  table.give_back(first);
  EXPECT_NE(InFlightTable::id_of(table.take({})), id);
}

TEST(InFlightTable, no_id_is_nobodys_however_often_a_slot_is_used) {
  InFlightTable table(1, nullptr, nullptr);
  InFlight& slot = table.take({});
  slot.generation = InFlightTable::kLastGeneration;
  EXPECT_LT(InFlightTable::id_of(slot), InFlightTable::kNoId);
  table.give_back(slot);
  EXPECT_NE(InFlightTable::id_of(table.take({})), 0U);
}

}  // namespace
}  // namespace weft::ksvc
