// Schema: the fields of a struct, named once, to read it from requests, to check it, to write it as
// JSON and to describe it.
//
//     template <>
//     struct weft::Schema<NewUser> {
//       static constexpr auto fields = weft::fields(
//           weft::field("name", &NewUser::name, weft::length(1, 50)),
//           weft::field("age", &NewUser::age, weft::range(0, 150)),
//           weft::field("mail", &NewUser::mail, weft::email()));
//     };
//
// A field is required unless it is a std::optional or marked with weft::defaulted(). A Schema may
// also have `static constexpr std::string_view name` and `description`, for descriptions; `static
// constexpr bool refuse_unknown = true`; and `static void check(const T&, weft::Complaints&)`,
// which is called once every field is right (see bind.hpp). A field's type may be one of the
// application's that stands in one text: it has `static std::optional<T> parse(std::string_view)`,
// and may have `static constexpr std::string_view wanted`, "must be an ISBN", and `to_text()
// const`, to be written. Plain data; any thread.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft {

// To be specialised for a struct.
template <class T>
struct Schema;

// To be specialised for an enum: `static constexpr auto names = weft::names<Color>({{"red",
// Color::red}, ...});`.
template <class E>
struct Names;

// The table of an enum's names.
template <class E, std::size_t size>
constexpr std::array<std::pair<std::string_view, E>, size> names(
    const std::pair<std::string_view, E> (&table)[size]) {
  return std::to_array(table);
}

// What a rule is in a description.
struct Constraint {
  // `custom` has only a message; so has `note`, which is no rule but words about the field.
  enum class Kind : std::uint8_t {
    minimum,
    maximum,
    min_length,
    max_length,
    one_of,
    format,
    custom,
    note,
  };
  Kind kind = Kind::custom;             // which of these it is
  double bound = 0;                     // of minimum, maximum
  std::size_t length = 0;               // of min_length, max_length
  std::vector<std::string> texts = {};  // of one_of; of format its name
  std::string message = {};             // of custom
  bool of_elements = false;             // it holds for each element of an array, not for the array
};

namespace detail {

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsMap = false;
template <class T>
inline constexpr bool kIsMap<std::map<std::string, T>> = true;

template <class T>
concept HasSchema = requires { Schema<T>::fields; };
template <class T>
concept HasNames = std::is_enum_v<T> && requires { Names<T>::names; };
// A type of the application's that is read from a text.
template <class T>
concept HasParse = requires(std::string_view text) {
  { T::parse(text) } -> std::same_as<std::optional<T>>;
};
// And written as one.
template <class T>
concept HasToText = requires(const T& value) {
  { value.to_text() } -> std::convertible_to<std::string_view>;
};
// What is one text in a form, a query or a header.
template <class T>
concept IsScalar =
    std::is_arithmetic_v<T> || std::same_as<T, std::string> || HasNames<T> || HasParse<T>;

// How many characters a text has, which is UTF-8; what else has elements, how many of these.
std::size_t count_characters(std::string_view text) noexcept;
bool looks_like_email(std::string_view text) noexcept;
std::string shown_number(double number);
void describe_length(std::size_t min, std::size_t max, std::vector<Constraint>& out);
std::string length_message(std::size_t min, std::size_t max, bool too_short, bool of_text);

struct Defaulted {};

template <class Number>
struct Range {
  Number min;
  Number max;

  template <class T>
    requires std::is_arithmetic_v<T>
  std::optional<std::string> complaint(const T& value) const {
    if constexpr (std::integral<T> && std::integral<Number>) {
      if (std::cmp_less(value, min)) return "must be at least " + std::to_string(min);
      if (std::cmp_greater(value, max)) return "must be at most " + std::to_string(max);
    } else {
      if (!(value >= min)) return "must be at least " + shown_number(static_cast<double>(min));
      if (!(value <= max)) return "must be at most " + shown_number(static_cast<double>(max));
    }
    return std::nullopt;
  }
  void describe(std::vector<Constraint>& out) const {
    out.push_back({.kind = Constraint::Kind::minimum, .bound = static_cast<double>(min)});
    out.push_back({.kind = Constraint::Kind::maximum, .bound = static_cast<double>(max)});
  }
};

struct Length {
  std::size_t min;
  std::size_t max;

  template <class T>
  std::optional<std::string> complaint(const T& value) const {
    constexpr bool kText = std::same_as<T, std::string>;
    std::size_t size = value.size();
    if constexpr (kText) size = count_characters(value);
    if (size >= min && size <= max) return std::nullopt;
    return length_message(min, max, size < min, kText);
  }
  void describe(std::vector<Constraint>& out) const { describe_length(min, max, out); }
};

template <std::size_t size>
struct OneOf {
  std::array<std::string_view, size> texts;

  std::optional<std::string> complaint(const std::string& value) const {
    std::string message = "must be one of ";
    for (const std::string_view text : texts) {
      if (text == value) return std::nullopt;
      message.append(text).append(", ");
    }
    message.resize(message.size() - 2);
    return message;
  }
  void describe(std::vector<Constraint>& out) const {
    out.push_back({.kind = Constraint::Kind::one_of, .texts = {texts.begin(), texts.end()}});
  }
};

struct Email {
  std::optional<std::string> complaint(const std::string& value) const {
    if (looks_like_email(value)) return std::nullopt;
    return "must be an e-mail address";
  }
  void describe(std::vector<Constraint>& out) const {
    out.push_back({.kind = Constraint::Kind::format, .texts = {"email"}});
  }
};

template <class Predicate>
struct Matches {
  Predicate predicate;
  std::string_view message;

  template <class T>
  std::optional<std::string> complaint(const T& value) const {
    if (predicate(value)) return std::nullopt;
    return std::string(message);
  }
  void describe(std::vector<Constraint>& out) const {
    out.push_back({.kind = Constraint::Kind::custom, .message = std::string(message)});
  }
};

// Whoever checks asks its rule about each element, so that each complaint has a place of its own.
template <class Rule>
struct Each {
  Rule rule;

  void describe(std::vector<Constraint>& out) const {
    const std::size_t before = out.size();
    rule.describe(out);
    for (std::size_t i = before; i < out.size(); ++i) out[i].of_elements = true;
  }
};

struct About {
  std::string_view text;

  template <class T>
  std::optional<std::string> complaint(const T& /*value*/) const {
    return std::nullopt;
  }
  void describe(std::vector<Constraint>& out) const {
    out.push_back({.kind = Constraint::Kind::note, .message = std::string(text)});
  }
};

template <class Owner, class Member, class... Rules>
struct Field {
  using Type = Member;
  static constexpr bool kDefaulted = (std::same_as<Rules, Defaulted> || ...);
  static constexpr bool kRequired = !kDefaulted && !kIsOptional<Member>;

  std::string_view name;
  Member Owner::* member;
  std::tuple<Rules...> rules;
};

}  // namespace detail

// ---- Rules. Those of a std::optional hold for its value, if it has one.

// A number from min to max, both included.
template <class Number>
  requires std::is_arithmetic_v<Number>
constexpr detail::Range<Number> range(Number min, Number max) {
  return {min, max};
}
// A text's characters, or the elements of a vector or map, both bounds included.
constexpr detail::Length length(std::size_t min, std::size_t max) { return {min, max}; }
// One of these texts.
template <class... Texts>
constexpr auto one_of(Texts... texts) {
  return detail::OneOf<sizeof...(Texts)>{{std::string_view(texts)...}};
}
// Something before an @, and a name with a dot behind it; whether mail arrives, only mail can tell.
constexpr detail::Email email() { return {}; }
// Whatever the predicate is true for; the message says what a value must be, "must be even".
template <class Predicate>
constexpr auto matches(Predicate predicate, std::string_view message) {
  return detail::Matches<Predicate>{predicate, message};
}
// The rule for each element of a vector; each that breaks it is a complaint, "$.tags[1]".
template <class Rule>
constexpr detail::Each<Rule> each(Rule rule) {
  return {rule};
}
// No rule: the field may be absent, and then keeps the value its struct begins with.
constexpr detail::Defaulted defaulted() { return {}; }

// No rule: words about the field, for descriptions.
constexpr detail::About about(std::string_view text) { return {text}; }

// One field; names need not be those of C++.
template <class Owner, class Member, class... Rules>
constexpr auto field(std::string_view name, Member Owner::* member, Rules... rules) {
  return detail::Field<Owner, Member, Rules...>{name, member, {rules...}};
}
// All of them, in the order they are written in.
template <class... Fields>
constexpr std::tuple<Fields...> fields(Fields... all) {
  return {all...};
}

}  // namespace weft
