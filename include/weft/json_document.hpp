// JsonDocument and JsonNode: JSON that came from outside, parsed, to be looked at.
//
//     const weft::JsonDocument body = c.json_body();
//     const auto name = body.root()["user"]["name"].as_string();
//
// Invariants: a document is whole, valid JSON (RFC 8259) in UTF-8 without a byte order mark; no
// object has two members of one name; integers fit 64 bits and other numbers are finite. A node is
// a view into its document and must not outlive it; moving the document leaves its nodes valid.
// Any thread may read a document, several at once too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace weft {

// What is wrong with a text that should be JSON, and where.
struct JsonError {
  std::string message = {};  // "a comma or } is missing"
  std::size_t line = 1;      // from 1
  std::size_t column = 1;    // from 1, in bytes
  std::size_t offset = 0;    // from 0, in bytes

  // "line 2, column 7 (offset 20): a comma or } is missing"
  std::string text() const;
};

// The bounds of a document.
struct JsonLimits {
  // Braces and brackets within one another. Honest documents stay below ten; what walks a document
  // takes stack for each.
  std::size_t depth = 32;
  // The text. A body is bounded by Limits::body_bytes already; this is for other sources, and below
  // what 32-bit offsets reach.
  std::size_t bytes = std::size_t{64} * 1024 * 1024;
};

struct JsonNodeMember;

// One value of a document, or none: what is asked of a node that is not there, or of another kind,
// is not there either, so that calls can be chained.
class JsonNode {
 public:
  // What a node is; `missing` for none.
  enum class Kind : std::uint8_t { missing, null, boolean, integer, number, string, array, object };

  // A node that is not there.
  JsonNode() = default;

  // What it is; `missing` when it is not there.
  Kind kind() const noexcept;
  // Whether it is there, be it null.
  bool exists() const noexcept { return kind() != Kind::missing; }
  // Whether it is there, and null.
  bool is_null() const noexcept { return kind() == Kind::null; }

  // Each gives nothing when the node is of another kind, or does not fit.
  std::optional<bool> as_bool() const noexcept;
  std::optional<std::int64_t> as_int() const noexcept;
  std::optional<std::uint64_t> as_uint() const noexcept;
  // Integers too.
  std::optional<double> as_double() const noexcept;
  // A view into the document, decoded; may hold zeros.
  std::optional<std::string_view> as_string() const noexcept;

  // Of an array or object how many it has; otherwise 0.
  std::size_t size() const noexcept;
  // An object's member of that name.
  JsonNode find(std::string_view name) const noexcept;
  // The same.
  JsonNode operator[](std::string_view name) const noexcept { return find(name); }
  // An array's element; takes time in proportion to the index.
  JsonNode at(std::size_t index) const noexcept;

  template <class Value, Value (*get)(const void*, std::size_t)>
  class Range;
  // What an array holds; nothing for another kind.
  auto elements() const noexcept;
  // What an object holds, in its order; nothing for another kind.
  auto members() const noexcept;

 private:
  friend class JsonDocument;
  friend struct JsonNodeAccess;
  JsonNode(const void* tape, std::size_t index) noexcept : tape_(tape), index_(index) {}

  const void* tape_ = nullptr;
  std::size_t index_ = 0;
};

// A name and its value.
struct JsonNodeMember {
  std::string_view name;  // a view into the document, decoded
  JsonNode value;         // of the same document
};

// For the ranges: where a container's contents begin and end, and what is at a place and behind it.
struct JsonNodeAccess {
  struct Span {
    std::size_t begin;
    std::size_t end;
  };
  static Span contents(const JsonNode& node, JsonNode::Kind kind) noexcept;
  static std::size_t behind(const void* tape, std::size_t index) noexcept;
  static JsonNode element(const void* tape, std::size_t index) noexcept { return {tape, index}; }
  static JsonNodeMember member(const void* tape, std::size_t index) noexcept;
  static const void* tape(const JsonNode& node) noexcept { return node.tape_; }
};

// The contents of an array or object, one at a time.
template <class Value, Value (*get)(const void*, std::size_t)>
class JsonNode::Range {
 public:
  // What a range-based `for` uses.
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const void* tape, std::size_t index) noexcept : tape_(tape), index_(index) {}
    Value operator*() const noexcept { return get(tape_, index_); }
    Iterator& operator++() noexcept {
      // A member's value stands behind its name.
      const bool is_member = std::is_same_v<Value, JsonNodeMember>;
      index_ = JsonNodeAccess::behind(tape_, is_member ? index_ + 1 : index_);
      return *this;
    }
    void operator++(int) noexcept { ++*this; }
    bool operator==(const Iterator&) const = default;

   private:
    const void* tape_ = nullptr;
    std::size_t index_ = 0;
  };

  // For JsonNode.
  Range(const void* tape, JsonNodeAccess::Span span) noexcept : tape_(tape), span_(span) {}
  // Each is what a range-based `for` asks for.
  Iterator begin() const noexcept { return {tape_, span_.begin}; }
  Iterator end() const noexcept { return {tape_, span_.end}; }

 private:
  const void* tape_;
  JsonNodeAccess::Span span_;
};

inline auto JsonNode::elements() const noexcept {
  return Range<JsonNode, &JsonNodeAccess::element>(tape_,
                                                   JsonNodeAccess::contents(*this, Kind::array));
}
inline auto JsonNode::members() const noexcept {
  return Range<JsonNodeMember, &JsonNodeAccess::member>(
      tape_, JsonNodeAccess::contents(*this, Kind::object));
}

class JsonDocument {
 public:
  // Copies what it needs of `text`.
  static std::variant<JsonDocument, JsonError> parse(std::string_view text,
                                                     const JsonLimits& limits = {});

  JsonDocument(JsonDocument&& other) noexcept;
  JsonDocument& operator=(JsonDocument&& other) noexcept;
  ~JsonDocument();

  // The value that is the document.
  JsonNode root() const noexcept;

 private:
  struct Parsed;
  explicit JsonDocument(std::unique_ptr<Parsed> parsed) noexcept;

  std::unique_ptr<Parsed> parsed_;
};

}  // namespace weft
