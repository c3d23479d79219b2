// Cards: the demonstration's routes that show one part of the application kit each.
//
// None of them keeps what it is sent, but for a count that its client carries in a cookie.
#pragma once

#include <weft/app.hpp>
#include <weft/metrics.hpp>

namespace weft::demo {

// Adds them; the figures must outlive the App's run.
void add_cards(App& app, Metrics& figures);

}  // namespace weft::demo
