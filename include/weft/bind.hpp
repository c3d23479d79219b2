// Binding: structs with a Schema, read from requests and written as JSON.
//
//     const NewUser user = c.bind<NewUser>();
//     c.json(user);
//
// What is wrong ends the handler with an exception that is answered: HttpError 400 for a body that
// is no JSON, with the place; 415 for another Content-Type; BindError, a 422, for a body that can
// be read but is not what the Schema says, with all that is wrong, each with its place. Unknown
// names are ignored unless told otherwise. Forms, queries, headers and paths have fields of plain
// types, optionals and vectors of these only; there an absent vector is an empty one, and an empty
// text is an absent optional, unless that is of text. Any thread.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "weft/context.hpp"
#include "weft/http_error.hpp"
#include "weft/json.hpp"
#include "weft/json_document.hpp"
#include "weft/schema.hpp"

namespace weft {

// How to read, and how much.
struct BindOptions {
  JsonLimits json = {};  // of a body of JSON
  // Complaints that are listed; who sends rubbish need not be told of all of it.
  std::size_t errors = 32;
  // A name that no field has is an error, as if every Schema said so.
  bool refuse_unknown = false;
};

// What is wrong with one field.
struct FieldError {
  std::string field = {};    // its name
  std::string path = {};     // where it is: "$.friends[2].age"
  std::string message = {};  // "must be at most 150"
};

// Thrown when something is wrong with fields: answered 422 with {"errors":[{"field":..,"path":..,
// "message":..}]}.
class BindError : public HttpError {
 public:
  // At least one.
  explicit BindError(std::vector<FieldError> errors);
  // All that was found, at most BindOptions::errors.
  const std::vector<FieldError>& errors() const noexcept { return errors_; }

 private:
  std::vector<FieldError> errors_;
};

namespace detail {

// One step of the way to a value: a name, or an index.
struct PathStep {
  const PathStep* parent = nullptr;
  std::string_view name;
  std::size_t index = 0;
  bool is_index = false;
};

}  // namespace detail

// Gathers what is wrong; the function `check` of a Schema is given one.
class Complaints {
 public:
  // For binding.
  explicit Complaints(const BindOptions& options) : options_(options) {}

  // About a field of what is being checked.
  void add(std::string_view field, std::string message);
  // For binding: about what is at a place.
  void add(const detail::PathStep& at, std::string message);
  // Whether nothing more is listed.
  bool full() const noexcept { return errors_.size() >= options_.errors; }
  // How many are listed.
  std::size_t size() const noexcept { return errors_.size(); }
  // How the value is read.
  const BindOptions& options() const noexcept { return options_; }
  // Throws BindError.
  void throw_if_any();

 private:
  friend struct ComplaintsAccess;

  const BindOptions& options_;
  const detail::PathStep* at_ = nullptr;
  std::vector<FieldError> errors_;
};

// For binding: what is being checked.
struct ComplaintsAccess {
  static void set(Complaints& complaints, const detail::PathStep* at) { complaints.at_ = at; }
};

namespace detail {

// Where fields of text come from.
class TextFields {
 public:
  virtual std::vector<std::string_view> all(std::string_view name) = 0;
  // Names that occur, if that is known.
  virtual std::vector<std::string_view> names() { return {}; }

 protected:
  ~TextFields() = default;
};

enum class FieldSource : std::uint8_t { query, form, header, path };
enum class BodyKind : std::uint8_t { json, form };

// What the Content-Type says; throws HttpError 415.
BodyKind body_kind(Context& context, bool form_is_allowed);
// The same when it must be a form.
void require_form(Context& context);
void with_fields(Context& context, FieldSource source, void (*use)(void*, TextFields&), void* self);
bool is_valid_text(std::string_view text) noexcept;

template <class T>
std::string wanted() {
  if constexpr (HasParse<T>) {
    if constexpr (requires { std::string(T::wanted); }) return std::string(T::wanted);
    return "is malformed";
  }
  if constexpr (std::same_as<T, bool>) return "must be true or false";
  if constexpr (std::integral<T>) {
    return "must be an integer from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  }
  if constexpr (std::floating_point<T>) return "must be a number";
  if constexpr (HasNames<T>) {
    std::string text = "must be one of ";
    const char* between = "";
    for (const auto& [name, value] : Names<T>::names) {
      text.append(between).append(name);
      between = ", ";
    }
    return text;
  }
  return "must be a text";
}

template <class T>
bool take_name(std::string_view text, T& into) {
  for (const auto& [name, value] : Names<T>::names) {
    if (name != text) continue;
    into = value;
    return true;
  }
  return false;
}

// A number as JSON would write it, of T's width; no blanks, no plus sign.
template <class T>
bool take_text(std::string_view text, T& into) {
  if constexpr (HasParse<T>) {
    if (!is_valid_text(text)) return false;
    auto parsed = T::parse(text);
    if (parsed) into = std::move(*parsed);
    return parsed.has_value();
  } else if constexpr (std::same_as<T, std::string>) {
    if (!is_valid_text(text)) return false;
    into.assign(text);
    return true;
  } else if constexpr (std::same_as<T, bool>) {
    into = text == "true" || text == "1" || text == "on";
    return into || text == "false" || text == "0" || text == "off";
  } else if constexpr (HasNames<T>) {
    return take_name(text, into);
  } else {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    if constexpr (std::floating_point<T>) return std::isfinite(into);
    return true;
  }
}

template <class T>
bool take_number(const JsonNode& node, T& into) {
  if constexpr (std::floating_point<T>) {
    const auto value = node.as_double();
    if (!value || std::fabs(*value) > static_cast<double>(std::numeric_limits<T>::max())) {
      return false;
    }
    into = static_cast<T>(*value);
    return true;
  } else if (const auto value = node.as_int()) {
    into = static_cast<T>(*value);
    return std::in_range<T>(*value);
  } else if (const auto large = node.as_uint()) {
    into = static_cast<T>(*large);
    return std::in_range<T>(*large);
  }
  return false;
}

template <class Rule>
inline constexpr bool kIsEach = false;
template <class Rule>
inline constexpr bool kIsEach<Each<Rule>> = true;

template <class T, class Rule>
void check_rule(const T& value, const Rule& rule, const PathStep& at, Complaints& complaints) {
  if constexpr (kIsOptional<T>) {
    if (value) check_rule(*value, rule, at, complaints);
  } else if constexpr (kIsEach<Rule>) {
    static_assert(kIsVector<T>, "weft::each() is a rule for the elements of a vector");
    for (std::size_t i = 0; i < value.size() && !complaints.full(); ++i) {
      check_rule<typename T::value_type>(value[i], rule.rule, PathStep{&at, {}, i, true},
                                         complaints);
    }
  } else if constexpr (!std::same_as<Rule, Defaulted>) {
    if (auto message = rule.complaint(value)) complaints.add(at, std::move(*message));
  }
}

template <class T, class Field>
void check_field(const T& value, const Field& field, const PathStep& at, Complaints& complaints) {
  std::apply([&](const auto&... rules) { (check_rule(value, rules, at, complaints), ...); },
             field.rules);
}

template <class T>
void check_struct(const T& value, const PathStep& at, Complaints& complaints) {
  if constexpr (requires { Schema<T>::check(value, complaints); }) {
    ComplaintsAccess::set(complaints, &at);
    Schema<T>::check(value, complaints);
  }
}

template <class T>
constexpr bool refuses_unknown() {
  if constexpr (requires { Schema<T>::refuse_unknown; }) return Schema<T>::refuse_unknown;
  return false;
}

template <class T>
void read(const JsonNode& node, T& into, const PathStep& at, Complaints& complaints);

template <class T, class Field>
void read_field(const JsonNode& node, T& into, const Field& field, const PathStep& parent,
                Complaints& complaints) {
  const PathStep at{&parent, field.name};
  const JsonNode found = node.find(field.name);
  if (!found.exists()) {
    if constexpr (Field::kRequired) complaints.add(at, "is missing");
    return;
  }
  const std::size_t before = complaints.size();
  auto& value = into.*field.member;
  read(found, value, at, complaints);
  if (complaints.size() == before) check_field(value, field, at, complaints);
}

template <class T>
void read_struct(const JsonNode& node, T& into, const PathStep& at, Complaints& complaints) {
  if (node.kind() != JsonNode::Kind::object) return complaints.add(at, "must be an object");
  const std::size_t before = complaints.size();
  std::apply([&](const auto&... all) { (read_field(node, into, all, at, complaints), ...); },
             Schema<T>::fields);
  if (refuses_unknown<T>() || complaints.options().refuse_unknown) {
    for (const JsonNodeMember member : node.members()) {
      const bool known =
          std::apply([&](const auto&... all) { return ((all.name == member.name) || ...); },
                     Schema<T>::fields);
      if (!known) complaints.add(PathStep{&at, member.name}, "is not known");
      if (complaints.full()) return;
    }
  }
  if (complaints.size() == before) check_struct(into, at, complaints);
}

template <class T>
void read(const JsonNode& node, T& into, const PathStep& at, Complaints& complaints) {
  if (complaints.full()) return;
  if constexpr (kIsOptional<T>) {
    if (node.is_null()) return into.reset();
    read(node, into.emplace(), at, complaints);
  } else if constexpr (kIsVector<T>) {
    if (node.kind() != JsonNode::Kind::array) return complaints.add(at, "must be an array");
    into.clear();
    into.reserve(node.size());
    for (const JsonNode element : node.elements()) {
      typename T::value_type value{};
      read(element, value, PathStep{&at, {}, into.size(), true}, complaints);
      if (complaints.full()) return;
      into.push_back(std::move(value));
    }
  } else if constexpr (kIsMap<T>) {
    if (node.kind() != JsonNode::Kind::object) return complaints.add(at, "must be an object");
    into.clear();
    for (const JsonNodeMember member : node.members()) {
      read(member.value, into[std::string(member.name)], PathStep{&at, member.name}, complaints);
      if (complaints.full()) return;
    }
  } else if constexpr (HasSchema<T>) {
    read_struct(node, into, at, complaints);
  } else {
    static_assert(IsScalar<T>,
                  "a field's type needs a weft::Schema, an enum weft::Names, or a static "
                  "parse(std::string_view)");
    bool taken = false;
    if constexpr (std::same_as<T, bool>) {
      if (const auto value = node.as_bool()) into = *value, taken = true;
    } else if constexpr (std::same_as<T, std::string>) {
      if (const auto value = node.as_string()) into.assign(*value), taken = true;
    } else if constexpr (HasParse<T>) {
      taken = node.as_string() && take_text(*node.as_string(), into);
    } else if constexpr (HasNames<T>) {
      taken = node.as_string() && take_name(*node.as_string(), into);
    } else {
      taken = take_number(node, into);
    }
    if (!taken) complaints.add(at, wanted<T>());
  }
}

// ---- Fields of text

template <class T>
inline constexpr bool kIsFlatField = IsScalar<T>;
template <class T>
inline constexpr bool kIsFlatField<std::optional<T>> = IsScalar<T>;
template <class T>
inline constexpr bool kIsFlatField<std::vector<T>> = IsScalar<T>;

template <class T>
constexpr bool is_flat() {
  return std::apply(
      [](const auto&... all) {
        return (kIsFlatField<typename std::remove_cvref_t<decltype(all)>::Type> && ...);
      },
      Schema<T>::fields);
}

template <class Element>
void read_elements(const std::vector<std::string_view>& texts, std::vector<Element>& into,
                   const PathStep& at, Complaints& complaints) {
  into.clear();
  for (const std::string_view text : texts) {
    Element value{};
    if (!take_text(text, value)) {
      complaints.add(PathStep{&at, {}, into.size(), true}, wanted<Element>());
      if (complaints.full()) return;
    }
    into.push_back(std::move(value));
  }
}

// False when there is none.
template <class T>
bool read_texts(const std::vector<std::string_view>& texts, T& into, const PathStep& at,
                Complaints& complaints) {
  if constexpr (kIsVector<T>) {
    read_elements(texts, into, at, complaints);
    return true;
  } else if constexpr (kIsOptional<T>) {
    using Value = typename T::value_type;
    into.reset();
    if (texts.empty() || (texts[0].empty() && !std::same_as<Value, std::string>)) return true;
    into = Value{};
    return read_texts(texts, *into, at, complaints);
  } else {
    if (texts.empty()) return false;
    if (texts.size() > 1) {
      complaints.add(at, "is given more than once");
    } else if (!take_text(texts[0], into)) {
      complaints.add(at, wanted<T>());
    }
    return true;
  }
}

template <class T, class Field>
void read_text_field(TextFields& from, T& into, const Field& field, const PathStep& parent,
                     Complaints& complaints) {
  const PathStep at{&parent, field.name};
  const std::size_t before = complaints.size();
  const std::vector<std::string_view> texts = from.all(field.name);
  auto& value = into.*field.member;
  if (texts.empty() && Field::kDefaulted) return;
  if (!read_texts(texts, value, at, complaints)) return complaints.add(at, "is missing");
  if (complaints.size() == before) check_field(value, field, at, complaints);
}

template <class T>
T read_fields(TextFields& from, const BindOptions& options) {
  static_assert(is_flat<T>(), "fields of text have plain types, optionals and vectors of these");
  T into{};
  Complaints complaints(options);
  const PathStep root;
  std::apply([&](const auto&... all) { (read_text_field(from, into, all, root, complaints), ...); },
             Schema<T>::fields);
  if (refuses_unknown<T>() || options.refuse_unknown) {
    for (const std::string_view name : from.names()) {
      const bool known = std::apply([&](const auto&... all) { return ((all.name == name) || ...); },
                                    Schema<T>::fields);
      if (!known) complaints.add(PathStep{&root, name}, "is not known");
    }
  }
  if (complaints.size() == 0) check_struct(into, root, complaints);
  complaints.throw_if_any();
  return into;
}

template <class T>
T bind_fields(Context& context, FieldSource source, const BindOptions& options) {
  struct Call {
    const BindOptions& options;
    std::optional<T> made;
  } call{options, {}};
  with_fields(
      context, source,
      [](void* self, TextFields& fields) {
        Call& mine = *static_cast<Call*>(self);
        mine.made = read_fields<T>(fields, mine.options);
      },
      &call);
  return std::move(*call.made);
}

}  // namespace detail

// Reads a value out of JSON that has been parsed; throws BindError.
template <class T>
T read_json(const JsonNode& node, const BindOptions& options = {}) {
  T into{};
  Complaints complaints(options);
  detail::read(node, into, detail::PathStep{}, complaints);
  complaints.throw_if_any();
  return into;
}

// ---- Context's doors

template <class T>
T Context::bind_json(const BindOptions& options) {
  detail::body_kind(*this, false);
  const JsonDocument document = json_body(options.json);
  return read_json<T>(document.root(), options);
}
template <class T>
T Context::bind_json() {
  return bind_json<T>(BindOptions{});
}
template <class T>
T Context::bind() {
  return bind<T>(BindOptions{});
}
template <class T>
T Context::bind(const BindOptions& options) {
  if constexpr (detail::HasSchema<T>) {
    if constexpr (detail::is_flat<T>()) {
      if (detail::body_kind(*this, true) == detail::BodyKind::form) {
        return detail::bind_fields<T>(*this, detail::FieldSource::form, options);
      }
    }
  }
  return bind_json<T>(options);
}
template <class T>
T Context::bind_query() {
  return detail::bind_fields<T>(*this, detail::FieldSource::query, {});
}
template <class T>
T Context::bind_form() {
  detail::require_form(*this);
  return detail::bind_fields<T>(*this, detail::FieldSource::form, {});
}
template <class T>
T Context::bind_header() {
  return detail::bind_fields<T>(*this, detail::FieldSource::header, {});
}
template <class T>
T Context::bind_path() {
  return detail::bind_fields<T>(*this, detail::FieldSource::path, {});
}
template <class T>
T Context::query_as(std::string_view name, T fallback) {
  const std::string_view text = query(name);
  if (text.data() == nullptr) return fallback;
  T value{};
  if (!detail::take_text(text, value)) refuse_value(name, detail::wanted<T>());
  return value;
}
template <class T>
T Context::param_as(std::string_view name) {
  T value{};
  if (!detail::take_text(param(name), value)) refuse_value(name, detail::wanted<T>());
  return value;
}

}  // namespace weft
