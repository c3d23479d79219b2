// FormData: what a form's body was taken apart into.
//
// Made at the first question for it, and kept with the request. Belongs to the handler.
#pragma once

#include <deque>
#include <string>

#include "http/exchange.hpp"
#include "weft/context.hpp"
#include "weft/multipart.hpp"

namespace weft::app {

struct FormField {
  std::string name;
  std::string value;
};

struct FormData {
  std::deque<FormField> fields;
  std::deque<Upload> uploads;
};

// Reads the body if nobody has. Throws HttpError 400, 413 or 415.
FormData& form_of(http::Exchange& exchange, const FormLimits& limits = {});

struct ContextAccess {
  static http::Exchange& exchange(Context& context) noexcept { return context.exchange_; }
};

}  // namespace weft::app
