// The only place that knows which library reads JSON: it is asked for a tree, which is written into
// a flat list of our own, and in passing names are compared and levels counted.
#include "weft/json_document.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "app/json_scan.hpp"

namespace weft {

namespace {

using Kind = JsonNode::Kind;

// A container stands before its contents, a member's name before its value.
struct Entry {
  Kind kind = Kind::null;
  bool is_unsigned = false;  // an integer above what fits the signed one
  std::uint32_t size = 0;    // of strings, arrays and objects
  std::uint32_t behind = 0;  // the entry behind it and all that is in it
  union {
    std::uint64_t bits = 0;
    std::int64_t integer;
    double number;
    const char* text;
  };

  std::string_view string() const noexcept { return {text, size}; }
};

// Where a node's list is. Vectors keep their memory when they are moved.
const Entry* entries(const void* tape) noexcept { return static_cast<const Entry*>(tape); }

// Beyond this names are sorted to compare them.
constexpr std::size_t kCompareEach = 16;

bool names_repeat(std::vector<std::string_view>& names, std::string_view& which) {
  if (names.size() <= kCompareEach) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (names[i] == names[j]) {
          which = names[i];
          return true;
        }
      }
    }
    return false;
  }
  std::sort(names.begin(), names.end());
  const auto found = std::adjacent_find(names.begin(), names.end());
  if (found == names.end()) return false;
  which = *found;
  return true;
}

}  // namespace

struct JsonDocument::Parsed {
  simdjson::dom::parser parser;  // keeps the strings
  std::vector<Entry> tape;

  // False when something is wrong, which `problem` tells.
  bool add(const simdjson::dom::element& element, std::size_t depth_left, std::string& problem);
  void add_text(std::string_view text) {
    Entry& entry = tape.emplace_back();
    entry.kind = Kind::string;
    entry.size = static_cast<std::uint32_t>(text.size());
    entry.text = text.data();
    entry.behind = static_cast<std::uint32_t>(tape.size());
  }
  bool add_array(const simdjson::dom::array& array, std::size_t depth_left, std::string& problem);
  bool add_object(const simdjson::dom::object& object, std::size_t depth_left,
                  std::string& problem);
};

bool JsonDocument::Parsed::add_array(const simdjson::dom::array& array, std::size_t depth_left,
                                     std::string& problem) {
  const std::size_t self = tape.size();
  std::uint32_t size = 0;
  tape.emplace_back().kind = Kind::array;
  for (const simdjson::dom::element element : array) {
    if (!add(element, depth_left - 1, problem)) return false;
    ++size;
  }
  tape[self].size = size;
  tape[self].behind = static_cast<std::uint32_t>(tape.size());
  return true;
}

bool JsonDocument::Parsed::add_object(const simdjson::dom::object& object, std::size_t depth_left,
                                      std::string& problem) {
  const std::size_t self = tape.size();
  std::vector<std::string_view> names;
  tape.emplace_back().kind = Kind::object;
  for (const simdjson::dom::key_value_pair member : object) {
    names.push_back(member.key);
    add_text(member.key);
    if (!add(member.value, depth_left - 1, problem)) return false;
  }
  tape[self].size = static_cast<std::uint32_t>(names.size());
  tape[self].behind = static_cast<std::uint32_t>(tape.size());
  std::string_view twice;
  if (!names_repeat(names, twice)) return true;
  problem = "an object has two members named \"" + std::string(twice.substr(0, 64)) + "\"";
  return false;
}

bool JsonDocument::Parsed::add(const simdjson::dom::element& element, std::size_t depth_left,
                               std::string& problem) {
  using simdjson::dom::element_type;
  const element_type type = element.type();
  if (type == element_type::ARRAY || type == element_type::OBJECT) {
    if (depth_left == 0) {
      problem = "too many levels";
      return false;
    }
    if (type == element_type::ARRAY) {
      return add_array(element.get_array().value_unsafe(), depth_left, problem);
    }
    return add_object(element.get_object().value_unsafe(), depth_left, problem);
  }
  if (type == element_type::STRING) {
    add_text(element.get_string().value_unsafe());
    return true;
  }
  Entry& entry = tape.emplace_back();
  switch (type) {
    case element_type::BOOL:
      entry.kind = Kind::boolean;
      entry.bits = element.get_bool().value_unsafe() ? 1 : 0;
      break;
    case element_type::INT64:
      entry.kind = Kind::integer;
      entry.integer = element.get_int64().value_unsafe();
      break;
    case element_type::UINT64:
      entry.kind = Kind::integer;
      entry.is_unsigned = true;
      entry.bits = element.get_uint64().value_unsafe();
      break;
    case element_type::DOUBLE:
      entry.kind = Kind::number;
      entry.number = element.get_double().value_unsafe();
      break;
    default: entry.kind = Kind::null; break;
  }
  entry.behind = static_cast<std::uint32_t>(tape.size());
  return true;
}

std::variant<JsonDocument, JsonError> JsonDocument::parse(std::string_view text,
                                                          const JsonLimits& limits) {
  if (text.size() > std::min<std::size_t>(limits.bytes, std::numeric_limits<std::int32_t>::max())) {
    return app::json_error_at(text, 0,
                              "the text is longer than " + std::to_string(limits.bytes) + " bytes");
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return app::json_error_at(text, 0, "a byte order mark stands before the text");
  }
  auto parsed = std::make_unique<Parsed>();
  simdjson::dom::element root;
  // One level more than is allowed, so that its way to count does not matter.
  simdjson::error_code error =
      parsed->parser.allocate(std::max<std::size_t>(text.size(), 64), limits.depth + 2);
  if (!error) error = parsed->parser.parse(text.data(), text.size(), true).get(root);
  if (error == simdjson::MEMALLOC) throw std::bad_alloc();
  if (error) {
    if (auto found = app::find_json_error(text, limits)) return *std::move(found);
    return app::json_error_at(text, 0, simdjson::error_message(error));
  }
  std::string problem;
  if (parsed->add(root, limits.depth, problem)) return JsonDocument(std::move(parsed));
  if (auto found = app::find_json_error(text, limits)) return *std::move(found);
  return app::json_error_at(text, 0, std::move(problem));
}

JsonDocument::JsonDocument(std::unique_ptr<Parsed> parsed) noexcept : parsed_(std::move(parsed)) {}
JsonDocument::JsonDocument(JsonDocument&& other) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&& other) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonNode JsonDocument::root() const noexcept {
  if (parsed_ == nullptr) return {};
  return {parsed_->tape.data(), 0};
}

std::string JsonError::text() const {
  return "line " + std::to_string(line) + ", column " + std::to_string(column) + " (offset " +
         std::to_string(offset) + "): " + message;
}

JsonNode::Kind JsonNode::kind() const noexcept {
  return tape_ == nullptr ? Kind::missing : entries(tape_)[index_].kind;
}

std::optional<bool> JsonNode::as_bool() const noexcept {
  if (kind() != Kind::boolean) return std::nullopt;
  return entries(tape_)[index_].bits != 0;
}

std::optional<std::int64_t> JsonNode::as_int() const noexcept {
  if (kind() != Kind::integer || entries(tape_)[index_].is_unsigned) return std::nullopt;
  return entries(tape_)[index_].integer;
}

std::optional<std::uint64_t> JsonNode::as_uint() const noexcept {
  if (kind() != Kind::integer) return std::nullopt;
  const Entry& entry = entries(tape_)[index_];
  if (!entry.is_unsigned && entry.integer < 0) return std::nullopt;
  return entry.bits;
}

std::optional<double> JsonNode::as_double() const noexcept {
  if (kind() == Kind::number) return entries(tape_)[index_].number;
  if (kind() != Kind::integer) return std::nullopt;
  const Entry& entry = entries(tape_)[index_];
  return entry.is_unsigned ? static_cast<double>(entry.bits) : static_cast<double>(entry.integer);
}

std::optional<std::string_view> JsonNode::as_string() const noexcept {
  if (kind() != Kind::string) return std::nullopt;
  return entries(tape_)[index_].string();
}

std::size_t JsonNode::size() const noexcept {
  if (kind() != Kind::array && kind() != Kind::object) return 0;
  return entries(tape_)[index_].size;
}

JsonNode JsonNode::find(std::string_view name) const noexcept {
  for (const JsonNodeMember member : members()) {
    if (member.name == name) return member.value;
  }
  return {};
}

JsonNode JsonNode::at(std::size_t index) const noexcept {
  for (const JsonNode element : elements()) {
    if (index-- == 0) return element;
  }
  return {};
}

JsonNodeAccess::Span JsonNodeAccess::contents(const JsonNode& node, JsonNode::Kind kind) noexcept {
  if (node.kind() != kind) return {0, 0};
  return {node.index_ + 1, entries(node.tape_)[node.index_].behind};
}

std::size_t JsonNodeAccess::behind(const void* tape, std::size_t index) noexcept {
  return entries(tape)[index].behind;
}

JsonNodeMember JsonNodeAccess::member(const void* tape, std::size_t index) noexcept {
  return {entries(tape)[index].string(), element(tape, index + 1)};
}

}  // namespace weft
