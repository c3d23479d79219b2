// The errors that weft itself answers, as an OpenAPI document describes them in each ErrorFormat.
//
// Functions of what they are given. Any thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/openapi_schema.hpp"
#include "weft/error_format.hpp"

namespace weft::app {

// Components that say more than a text: of fields that are wrong, and of a body that is no JSON.
inline constexpr std::string_view kFieldErrors = "FieldErrors";
inline constexpr std::string_view kJsonError = "JsonError";

// The component of the rest, where they are no plain text.
std::string_view name_of_error(ErrorFormat format);
// All of these names.
std::vector<std::string> names_of_errors(ErrorFormat format);
// The media type of one of these components, or of the rest if empty.
std::string_view type_of_error(ErrorFormat format, std::string_view component);
// The components that are used.
SchemaComponents::Others error_schemas(const std::set<std::string_view>& used, ErrorFormat format);

}  // namespace weft::app
