// What the specification of OpenAPI 3.1 asks of a document, as far as it can be seen in the
// document: the fields of its objects and their types, references that lead somewhere, parameters
// that the path has, names that are unique, and schemas in the words of JSON Schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weft::app::test {

// Sentences about what is wrong; none for a sound document.
std::vector<std::string> broken_rules(std::string_view document);

}  // namespace weft::app::test
