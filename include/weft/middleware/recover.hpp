// recover(): answers 500 for what a handler throws, in a shape of the application's choice.
//
//     app.use(weft::recover({.shape = weft::ErrorFormat::json}));
//
// What ends a request in another way passes: HttpError keeps its status, and a request whose client
// has gone or whose time is over ends as it does without. So does an answer that has begun: it is
// cut off. Any thread, as all middleware.
#pragma once

#include <exception>
#include <functional>
#include <optional>

#include "weft/error_format.hpp"
#include "weft/middleware.hpp"

namespace weft {

// What recover() answers.
struct RecoverOptions {
  // Of the answer, unless a function words it. Nothing: as App::error_format() says.
  std::optional<ErrorFormat> shape = {};
  // Whether what an HttpError says is answered here, in that shape, too; one that brings a body of
  // another type than text passes.
  bool http_errors = false;
  // Words the answer in place of that; its status is 500 by then and nothing else is set. It is
  // called by all workers. For what is no std::exception it is given one that says so. When it
  // throws, the answer has the plain shape.
  std::function<void(Context&, const std::exception&)> answer = {};
  // Whether what was thrown is logged as the server does it itself: at most a line a second.
  bool log = true;
};

// Catches what the rest throws. Put it outside of what shall see an answer in place of an
// exception, and inside of what adds headers to all answers.
Middleware recover(const RecoverOptions& options = {});

}  // namespace weft
