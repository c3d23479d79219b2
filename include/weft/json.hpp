// JSON literals: write a response body as nested braces, without building a tree or allocating.
//
//     c.json({{"id", c.param("id")}, {"score", 3.5}, {"tags", {"a", "b"}}});
//
// The rule for braces, settled at compile time: braces around {name, value} pairs make an object;
// braces around plain values make an array. An array whose elements are braced themselves, and an
// empty one, are spelled out: json_array({json_object({{"id", 1}}), json_array({})}); so is an
// array whose only element is a JsonValue. Empty braces {} are null.
//
// Invariants: a JsonValue owns nothing. Strings and nested braces are borrowed until the end of the
// full expression that wrote them, so write the literal where it is used, never keep one.
// Threads: a value may be written by whichever thread holds what it borrows.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/schema.hpp"

namespace weft {

class JsonValue;
struct JsonMember;
struct JsonElement;

// Integers proper: bool has its own constructor, and a character is ambiguous (number or text).
template <class T>
concept JsonInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                      !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                      !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

namespace detail {

// What is written as its type says: a range, a map, what has a Schema or Names. That it can be is
// asserted where it is written.
template <class T>
concept WrittenByType =
    !std::same_as<T, JsonValue> && !std::same_as<T, JsonMember> && !std::same_as<T, JsonElement> &&
    !std::same_as<T, std::initializer_list<JsonMember>> &&
    !std::same_as<T, std::initializer_list<JsonElement>> && !std::is_arithmetic_v<T> &&
    !std::is_null_pointer_v<T> && !std::is_pointer_v<T> && !kIsOptional<T> &&
    !std::convertible_to<const T&, std::string_view>;

template <class T>
void write_described(const void* value, std::string& out);
// Whether anything in it is written as its type says, however deep.
[[nodiscard]] bool holds_described(const JsonValue& value) noexcept;

}  // namespace detail

// A value, as a text, a number, braces, a range or a type with a Schema make it. Owns nothing, so
// never keep one.
class JsonValue {
 public:
  // What it is in JSON, and how it is kept.
  enum class Kind : std::uint8_t {
    null,
    boolean,
    signed_integer,
    unsigned_integer,
    number,
    string,
    array,
    object,
    described,  // a range, a map, or what has a Schema or Names
  };

  // Each makes the value of its argument's kind; without one it is null.
  constexpr JsonValue() = default;
  constexpr JsonValue(std::nullptr_t) {}
  template <std::same_as<bool> T>
  constexpr JsonValue(T value) : kind_(Kind::boolean), boolean_(value) {}
  template <JsonInteger T>
  constexpr JsonValue(T value)
      : kind_(std::is_signed_v<T> ? Kind::signed_integer : Kind::unsigned_integer) {
    if constexpr (std::is_signed_v<T>) {
      signed_ = value;
    } else {
      unsigned_ = value;
    }
  }
  template <std::floating_point T>
  constexpr JsonValue(T value) : kind_(Kind::number), number_(static_cast<double>(value)) {}
  constexpr JsonValue(std::string_view text)
      : kind_(Kind::string), size_(text.size()), text_(text.data()) {}
  JsonValue(const std::string& text) : JsonValue(std::string_view(text)) {}
  // A null pointer is null.
  constexpr JsonValue(const char* text) {
    if (text != nullptr) *this = JsonValue(std::string_view(text));
  }
  // An empty optional is null.
  template <class T>
    requires std::convertible_to<const T&, JsonValue>
  constexpr JsonValue(const std::optional<T>& value) {
    if (value) *this = JsonValue(static_cast<const T&>(*value));
  }
  // Each is what braces make: an object of pairs, an array of plain values.
  constexpr JsonValue(std::initializer_list<JsonMember> members)
      : kind_(Kind::object), size_(members.size()), members_(std::data(members)) {}
  constexpr JsonValue(std::initializer_list<JsonElement> elements)
      : kind_(Kind::array), size_(elements.size()), elements_(std::data(elements)) {}
  // A range, a map whose keys are texts, or what has a Schema or Names. It is written when this is.
  template <detail::WrittenByType T>
  constexpr JsonValue(const T& value)
      : kind_(Kind::described),
        write_(&detail::write_described<T>),
        described_(std::addressof(value)) {}
  JsonValue(char) = delete;

  // Which of the following calls makes sense.
  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  // Each of these only for the kind of its name.
  [[nodiscard]] constexpr bool boolean() const { return boolean_; }
  [[nodiscard]] constexpr std::int64_t signed_integer() const { return signed_; }
  [[nodiscard]] constexpr std::uint64_t unsigned_integer() const { return unsigned_; }
  [[nodiscard]] constexpr double number() const { return number_; }
  [[nodiscard]] constexpr std::string_view string() const { return {text_, size_}; }
  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  [[nodiscard]] constexpr const JsonMember* members() const { return members_; }
  [[nodiscard]] constexpr const JsonElement* elements() const { return elements_; }
  // Appends the text of what is described.
  void write_described(std::string& out) const { write_(described_, out); }

 private:
  Kind kind_ = Kind::null;
  union {
    std::size_t size_ = 0;
    void (*write_)(const void* described, std::string& out);
  };
  union {
    bool boolean_;
    std::int64_t signed_;
    std::uint64_t unsigned_ = 0;
    double number_;
    const char* text_;
    const JsonMember* members_;
    const JsonElement* elements_;
    const void* described_;
  };
};

// A name and its value, inside the braces of an object. Names are not checked for repetition.
struct JsonMember {
  // As braces around the two make it.
  constexpr JsonMember(std::string_view member_name, JsonValue member_value)
      : name(member_name), value(member_value) {}

  std::string_view name;  // borrowed
  JsonValue value;        // borrows, too
};

// An element of an array: anything that makes a JsonValue, except further braces; a template cannot
// deduce those, which is what keeps objects and arrays apart.
struct JsonElement {
  // As a value between the braces of an array makes it.
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, JsonElement> &&
             std::convertible_to<const T&, JsonValue>)
  constexpr JsonElement(const T& element) : value(element) {}

  JsonValue value;  // borrows
};

// An array, where braces alone would not make one.
[[nodiscard]] constexpr JsonValue json_array(std::initializer_list<JsonElement> elements) {
  return JsonValue(elements);
}

// An object, where braces alone would not make one.
[[nodiscard]] constexpr JsonValue json_object(std::initializer_list<JsonMember> members) {
  return JsonValue(members);
}

// Appends the value's text. Strings that are not UTF-8 get U+FFFD for each broken part; numbers
// that are not finite become null; others get the shortest text that reads back the same.
void write_json(const JsonValue& value, std::string& out);

// Writes at most `capacity` bytes and returns how many the whole text needs. If that is more than
// `capacity`, what was written is a cut-off prefix.
[[nodiscard]] std::size_t write_json(const JsonValue& value, char* out, std::size_t capacity);

namespace detail {

template <class T>
concept JsonMap = requires {
  typename T::key_type;
  typename T::mapped_type;
} && std::convertible_to<const typename T::key_type&, std::string_view>;
template <class T>
concept JsonRange = requires(const T& range) {
  std::begin(range) != std::end(range);
  // One that is made of its like, as a path of the file system is, would never end.
  requires !std::same_as<std::remove_cvref_t<decltype(*std::begin(range))>, T>;
};
template <class T>
concept PlainJson =
    std::same_as<T, JsonValue> || std::is_null_pointer_v<T> || std::same_as<T, bool> ||
    JsonInteger<T> || std::floating_point<T> || std::convertible_to<const T&, std::string_view>;

}  // namespace detail

// Appends the text of a value by its type: a text, a number, an optional, a range or map of such,
// or a struct with a Schema.
template <class T>
void write_json_of(const T& value, std::string& out) {
  if constexpr (std::convertible_to<const T&, std::string_view>) {
    write_json(JsonValue(static_cast<std::string_view>(value)), out);
  } else if constexpr (detail::PlainJson<T>) {
    write_json(JsonValue(value), out);
  } else if constexpr (detail::kIsOptional<T>) {
    if (!value) return write_json(nullptr, out);
    write_json_of(*value, out);
  } else if constexpr (detail::HasSchema<T>) {
    out += '{';
    bool first = true;
    const auto write_field = [&](const auto& field) {
      if (!std::exchange(first, false)) out += ',';
      write_json(field.name, out);
      out += ':';
      write_json_of(value.*field.member, out);
    };
    std::apply([&](const auto&... all) { (write_field(all), ...); }, Schema<T>::fields);
    out += '}';
  } else if constexpr (detail::HasToText<T>) {
    write_json(std::string_view(value.to_text()), out);
  } else if constexpr (detail::HasNames<T>) {
    for (const auto& [name, known] : Names<T>::names) {
      if (known == value) return write_json(name, out);
    }
    write_json(nullptr, out);
  } else if constexpr (detail::JsonMap<T>) {
    out += '{';
    bool first = true;
    for (const auto& [name, element] : value) {
      if (!std::exchange(first, false)) out += ',';
      write_json(std::string_view(name), out);
      out += ':';
      write_json_of(element, out);
    }
    out += '}';
  } else if constexpr (detail::JsonRange<T>) {
    out += '[';
    bool first = true;
    for (auto&& element : value) {
      if (!std::exchange(first, false)) out += ',';
      write_json_of<std::remove_cvref_t<decltype(element)>>(element, out);
    }
    out += ']';
  } else {
    static_assert(detail::HasSchema<T>,
                  "this type cannot be written as JSON: give it a weft::Schema, an enum "
                  "weft::Names, or hand over a text, a number, a range or a map of such");
  }
}

template <class T>
void detail::write_described(const void* value, std::string& out) {
  write_json_of(*static_cast<const T*>(value), out);
}

}  // namespace weft
