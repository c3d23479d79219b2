#include "app/openapi_schema.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace weft::app {

namespace {

using Kind = TypeDescription::Kind;
using Rule = Constraint::Kind;

// What the Components Object allows in a name.
std::string allowed_name(std::string_view name) {
  std::string made;
  for (const char c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || c == '.';
    made += fits ? c : '_';
  }
  return made.empty() ? "Object" : made;
}

// The rules that hold for a value itself, or for the elements of an array.
struct Rules {
  std::optional<double> minimum;
  std::optional<double> maximum;
  std::optional<std::size_t> min_length;
  std::optional<std::size_t> max_length;
  const std::vector<std::string>* one_of = nullptr;
  std::string format;
  std::string words;  // notes first, then what no keyword says
};

void add_sentence(std::string& words, std::string_view text) {
  if (!words.empty()) words += ' ';
  words += text;
  if (!text.empty() && std::string_view(".!?").find(text.back()) == std::string_view::npos) {
    words += '.';
  }
}

Rules rules_of(const FieldDescription* field, bool of_elements) {
  Rules rules;
  if (field == nullptr) return rules;
  for (const Constraint& one : field->constraints) {
    if (one.kind == Rule::note && !of_elements) add_sentence(rules.words, one.message);
  }
  for (const Constraint& one : field->constraints) {
    if (one.of_elements != of_elements) continue;
    switch (one.kind) {
      case Rule::minimum:
        rules.minimum = std::max(one.bound, rules.minimum.value_or(one.bound));
        break;
      case Rule::maximum:
        rules.maximum = std::min(one.bound, rules.maximum.value_or(one.bound));
        break;
      case Rule::min_length:
        if (one.length > 0) rules.min_length = std::max(one.length, rules.min_length.value_or(0));
        break;
      case Rule::max_length:
        if (one.length != std::numeric_limits<std::size_t>::max()) {
          rules.max_length = std::min(one.length, rules.max_length.value_or(one.length));
        }
        break;
      case Rule::one_of: rules.one_of = &one.texts; break;
      case Rule::format:
        if (!one.texts.empty()) rules.format = one.texts.front();
        break;
      case Rule::custom: add_sentence(rules.words, "It " + one.message); break;
      case Rule::note: break;
    }
  }
  return rules;
}

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::boolean: return "boolean";
    case Kind::integer: return "integer";
    case Kind::number: return "number";
    case Kind::string:
    case Kind::enumeration: return "string";
    case Kind::array: return "array";
    case Kind::map:
    case Kind::object: break;
  }
  return "object";
}

// Whole numbers as such: a double's text may have an exponent.
void write_bound(JsonText& out, std::string_view name, double bound) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (bound == std::floor(bound) && std::fabs(bound) <= kExact) {
    out.member(name, static_cast<std::int64_t>(bound));
  } else {
    out.member(name, bound);
  }
}

void write_integer(JsonText& out, const TypeDescription& type, const Rules& rules) {
  const bool small = type.bits <= 32;
  if (type.bits == 32 || type.bits == 64) {
    out.member("format", std::string(type.is_signed ? "int" : "uint") + std::to_string(type.bits));
  }
  // What a field of so many bits holds. For 64 bits of them the format says it: no double does.
  std::optional<double> least;
  std::optional<double> most;
  if (!type.is_signed) least = 0;
  if (small && type.is_signed && type.bits < 32)
    least = -std::ldexp(1, static_cast<int>(type.bits) - 1);
  if (small && type.is_signed && type.bits < 32)
    most = std::ldexp(1, static_cast<int>(type.bits) - 1) - 1;
  if (small && !type.is_signed) most = std::ldexp(1, static_cast<int>(type.bits)) - 1;
  if (rules.minimum) least = least ? std::max(*least, *rules.minimum) : *rules.minimum;
  if (rules.maximum) most = most ? std::min(*most, *rules.maximum) : *rules.maximum;
  if (least) write_bound(out, "minimum", *least);
  if (most) write_bound(out, "maximum", *most);
}

void write_number(JsonText& out, const TypeDescription& type, const Rules& rules) {
  out.member("format", type.bits <= 32 ? "float" : "double");
  if (rules.minimum) write_bound(out, "minimum", *rules.minimum);
  if (rules.maximum) write_bound(out, "maximum", *rules.maximum);
}

void write_lengths(JsonText& out, const Rules& rules, std::string_view of) {
  if (rules.min_length) out.member("min" + std::string(of), *rules.min_length);
  if (rules.max_length) out.member("max" + std::string(of), *rules.max_length);
}

}  // namespace

SchemaComponents::SchemaComponents(const std::vector<std::string>& taken) {
  for (const std::string& name : taken) components_.emplace(name, Component{nullptr, 0});
}

void SchemaComponents::add(const SchemaDescription& schema) {
  const SchemaDescription* kept = nullptr;
  for (std::size_t i = 0; i < schema.objects.size(); ++i) {
    const ObjectDescription& object = schema.objects[i];
    if (names_.contains(object.type)) continue;
    if (kept == nullptr) kept = &kept_.emplace_back(schema);
    const std::string wish = allowed_name(object.name.empty() ? object.type_name : object.name);
    std::string name = wish;
    for (int next = 2; components_.contains(name); ++next) name = wish + "_" + std::to_string(next);
    names_.emplace(object.type, name);
    components_.emplace(name, Component{kept, i});
  }
}

const std::string& SchemaComponents::name_of(const ObjectDescription& object) const {
  return names_.at(object.type);
}

void SchemaComponents::write(JsonText& out, const SchemaDescription& schema,
                             const TypeDescription& type, const FieldDescription* field) const {
  out.begin_object();
  write_plain(out, schema, type, field, false);
  if (field != nullptr && !field->fallback.empty()) out.key("default").raw(field->fallback);
  out.end_object();
}

// The members of a type's schema.
void SchemaComponents::write_plain(JsonText& out, const SchemaDescription& schema,
                                   const TypeDescription& type, const FieldDescription* field,
                                   bool of_elements) const {
  const Rules rules = rules_of(field, of_elements);
  if (type.kind == Kind::object) {
    const std::string reference = "#/components/schemas/" + name_of(schema.objects[type.object]);
    if (type.nullable) {
      out.key("anyOf").begin_array();
      out.begin_object().member("$ref", reference).end_object();
      out.begin_object().member("type", "null").end_object();
      out.end_array();
    } else {
      out.member("$ref", reference);
    }
    out.member_if_any("description", rules.words);
    return;
  }
  if (type.nullable) {
    out.key("type").begin_array().value(type_name(type.kind)).value("null").end_array();
  } else {
    out.member("type", type_name(type.kind));
  }
  out.member_if_any("description", rules.words);
  const std::vector<std::string>* const texts =
      type.kind == Kind::enumeration ? &type.names : rules.one_of;
  if (texts != nullptr) {
    out.key("enum").begin_array();
    for (const std::string& text : *texts) out.value(text);
    if (type.nullable) out.value(nullptr);
    out.end_array();
  }
  if (type.kind == Kind::integer) write_integer(out, type, rules);
  if (type.kind == Kind::number) write_number(out, type, rules);
  if (type.kind == Kind::string) {
    out.member_if_any("format", rules.format);
    write_lengths(out, rules, "Length");
  }
  if (type.kind == Kind::array) {
    out.key("items").begin_object();
    // Only what is directly in the field's array has rules for elements.
    write_plain(out, schema, type.element.at(0), of_elements ? nullptr : field, true);
    out.end_object();
    write_lengths(out, rules, "Items");
  }
  if (type.kind == Kind::map) {
    out.key("additionalProperties").begin_object();
    write_plain(out, schema, type.element.at(0), nullptr, false);
    out.end_object();
    write_lengths(out, rules, "Properties");
  }
}

void SchemaComponents::write_object(JsonText& out, const Component& component) const {
  const SchemaDescription& schema = *component.schema;
  const ObjectDescription& object = schema.objects[component.object];
  out.begin_object().member("type", "object").member_if_any("description", object.about);
  std::vector<std::string> required;
  out.key("properties").begin_object();
  for (const FieldDescription& field : object.fields) {
    out.key(field.name);
    write(out, schema, field.type, &field);
    if (field.required) required.push_back(field.name);
  }
  out.end_object();
  if (!required.empty()) out.strings("required", required);
  if (object.refuses_unknown) out.member("additionalProperties", false);
  out.end_object();
}

void SchemaComponents::write_all(JsonText& out, const Others& others) const {
  for (const auto& [name, component] : components_) {
    if (component.schema != nullptr) {
      out.key(name);
      write_object(out, component);
    } else if (const auto other = others.find(name); other != others.end()) {
      out.key(name);
      other->second(out);
    }
  }
}

}  // namespace weft::app
