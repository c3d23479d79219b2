#include "app/lua/schema.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace weft::app::lua {

namespace {

using detail::PathStep;
using exec::Record;
using exec::Value;
using exec::ValueList;

// What nobody has described is taken as it is, so deep.
constexpr std::size_t kMostDepth = 64;

[[noreturn]] void refuse(const std::string& at, const std::string& why) {
  throw std::invalid_argument("the schema, " + at + ": " + why);
}

std::optional<double> number_of(const Value& value) noexcept {
  if (const auto* const whole = value.get_if<std::int64_t>()) return static_cast<double>(*whole);
  if (const auto* const number = value.get_if<double>()) return *number;
  return std::nullopt;
}

std::string text_of(const Value& value) {
  if (const auto* const text = value.get_if<std::string>()) return *text;
  if (const auto* const whole = value.get_if<std::int64_t>()) return std::to_string(*whole);
  if (const auto number = number_of(value)) return detail::shown_number(*number);
  if (const auto* const truth = value.get_if<bool>()) return *truth ? "true" : "false";
  return "?";
}

// What nobody has described.
Value any_of(const JsonNode& node, const PathStep& at, std::size_t depth, Complaints& complaints) {
  switch (node.kind()) {
    case JsonNode::Kind::object: {
      std::vector<Record::Member> members;
      for (const JsonNodeMember member : node.members()) {
        members.emplace_back(std::string(member.name), Value());
        if (depth == kMostDepth) complaints.add(at, "is too deep");
        if (complaints.full() || depth == kMostDepth) break;
        members.back().second =
            any_of(member.value, PathStep{&at, member.name}, depth + 1, complaints);
      }
      return Value(Record(std::move(members)));
    }
    case JsonNode::Kind::array: {
      ValueList items;
      for (const JsonNode element : node.elements()) {
        if (depth == kMostDepth) complaints.add(at, "is too deep");
        if (complaints.full() || depth == kMostDepth) break;
        items.push_back(
            any_of(element, PathStep{&at, {}, items.size(), true}, depth + 1, complaints));
      }
      return Value(std::move(items));
    }
    default: break;
  }
  if (const auto truth = node.as_bool()) return Value(*truth);
  if (const auto text = node.as_string()) return Value(std::string(*text));
  if (const auto whole = node.as_int()) return Value(std::int64_t{*whole});
  if (const auto number = node.as_double()) return Value(double{*number});
  return Value();
}

}  // namespace

Schema::Schema(const Value& fields) {
  root_.type = Type::record;
  root_.members = members_of(fields, "the table");
}

std::vector<Schema::Member> Schema::members_of(const Value& told, const std::string& at) {
  const auto* const record = told.get_if<Record>();
  if (record == nullptr) refuse(at, "a table of fields by name is wanted, { name = \"string\" }");
  std::vector<Member> members;
  for (const auto& [name, rule] : record->members()) {
    members.push_back({name, rule_of(rule, "'" + name + "'")});
  }
  return members;
}

Schema::Rule Schema::rule_of(const Value& told, const std::string& at) {
  static constexpr std::array<std::pair<std::string_view, Type>, 8> kTypes{{
      {"any", Type::any},
      {"string", Type::string},
      {"email", Type::email},
      {"integer", Type::integer},
      {"number", Type::number},
      {"boolean", Type::boolean},
      {"list", Type::list},
      {"record", Type::record},
  }};
  Rule rule;
  const auto take_type = [&](const Value& value) {
    const auto* const name = value.get_if<std::string>();
    const auto* const found =
        name != nullptr
            ? std::ranges::find(kTypes, *name, &std::pair<std::string_view, Type>::first)
            : kTypes.end();
    if (found == kTypes.end()) {
      refuse(at, "a type is string, email, integer, number, boolean, list, record or any");
    }
    rule.type = found->second;
  };
  if (told.get_if<std::string>() != nullptr) {
    take_type(told);
    return rule;
  }
  const auto* const record = told.get_if<Record>();
  if (record == nullptr) refuse(at, "a type by its name or a table is wanted");
  const auto truth = [&](const std::string& name, const Value& value) {
    const auto* const is = value.get_if<bool>();
    if (is == nullptr) refuse(at, "'" + name + "' is true or false");
    return *is;
  };
  const Value* of = nullptr;
  for (const auto& [name, value] : record->members()) {
    if (name == "type") {
      take_type(value);
    } else if (name == "optional") {
      rule.optional = truth(name, value);
    } else if (name == "refuse_unknown") {
      rule.refuses_unknown = truth(name, value);
    } else if (name == "default") {
      rule.fallback = value;
    } else if (name == "min" || name == "max") {
      const auto bound = number_of(value);
      if (!bound) refuse(at, "'" + name + "' is a number");
      (name == "min" ? rule.min : rule.max) = bound;
    } else if (name == "one_of") {
      const auto* const list = value.get_if<ValueList>();
      if (list == nullptr || list->empty()) refuse(at, "'one_of' is a list of values");
      rule.one_of = *list;
    } else if (name == "of") {
      rule.element = std::make_unique<Rule>(rule_of(value, at + ", 'of'"));
    } else if (name == "fields") {
      of = &value;
    } else {
      refuse(at, "there is no rule '" + name + "'");
    }
  }
  if (of != nullptr) {
    if (rule.type == Type::any) rule.type = Type::record;
    if (rule.type != Type::record) refuse(at, "only a record has 'fields'");
    rule.members = members_of(*of, at);
  }
  if (rule.element != nullptr && rule.type == Type::any) rule.type = Type::list;
  if (rule.element != nullptr && rule.type != Type::list) refuse(at, "only a list has 'of'");
  if (rule.min && rule.max && *rule.min > *rule.max) refuse(at, "'min' is above 'max'");
  return rule;
}

bool Schema::is_plain(const Rule& rule) noexcept {
  return rule.type != Type::any && rule.type != Type::list && rule.type != Type::record;
}

bool Schema::is_flat() const noexcept {
  return std::ranges::all_of(root_.members, [](const auto& member) {
    const Rule& rule = member.rule;
    const bool is_list = rule.type == Type::list && rule.element != nullptr;
    return is_list ? is_plain(*rule.element) : is_plain(rule);
  });
}

const char* Schema::wanted(const Rule& rule) noexcept {
  switch (rule.type) {
    case Type::integer: return "must be an integer";
    case Type::number: return "must be a number";
    case Type::boolean: return "must be true or false";
    case Type::list: return "must be an array";
    case Type::record: return "must be an object";
    default: return "must be a text";
  }
}

Value Schema::read(const JsonNode& node) const {
  const BindOptions options;
  Complaints complaints(options);
  Value value = read_node(root_, node, PathStep{}, complaints);
  complaints.throw_if_any();
  return value;
}

Value Schema::read(detail::TextFields& fields) const {
  const BindOptions options;
  Complaints complaints(options);
  const PathStep root;
  std::vector<Record::Member> members;
  for (const auto& [name, rule] : root_.members) {
    const PathStep at{&root, name};
    const std::vector<std::string_view> texts = fields.all(name);
    // Without either, a list that is not there has no items.
    const bool may_be_absent = rule.fallback.has_value() || rule.optional;
    if (rule.type == Type::list && !(texts.empty() && may_be_absent)) {
      ValueList items;
      for (const std::string_view text : texts) {
        if (complaints.full()) break;
        items.push_back(
            read_text(*rule.element, text, PathStep{&at, {}, items.size(), true}, complaints));
      }
      Value list(std::move(items));
      check(rule, list, at, complaints);
      members.emplace_back(name, std::move(list));
      continue;
    }
    const bool is_absent = texts.empty() || (texts[0].empty() && rule.type != Type::string);
    if (is_absent && rule.fallback) {
      members.emplace_back(name, *rule.fallback);
    } else if (is_absent) {
      if (!rule.optional) complaints.add(at, "is missing");
    } else if (texts.size() > 1) {
      complaints.add(at, "is given more than once");
    } else {
      members.emplace_back(name, read_text(rule, texts[0], at, complaints));
    }
  }
  complaints.throw_if_any();
  return Value(Record(std::move(members)));
}

Value Schema::read_text(const Rule& rule, std::string_view text, const PathStep& at,
                        Complaints& complaints) {
  Value value;
  bool taken = false;
  const auto take = [&]<class T>(T into) {
    taken = detail::take_text(text, into);
    if (taken) value = Value(std::move(into));
  };
  switch (rule.type) {
    case Type::integer: take(std::int64_t{}); break;
    case Type::number: take(double{}); break;
    case Type::boolean: take(bool{}); break;
    default: take(std::string{}); break;
  }
  if (!taken) {
    complaints.add(at, wanted(rule));
  } else {
    check(rule, value, at, complaints);
  }
  return value;
}

Value Schema::read_node(const Rule& rule, const JsonNode& node, const PathStep& at,
                        Complaints& complaints) {
  Value value;
  bool fits = true;
  switch (rule.type) {
    case Type::any: value = any_of(node, at, 0, complaints); break;
    case Type::boolean:
      fits = node.as_bool().has_value();
      if (fits) value = Value(bool{*node.as_bool()});
      break;
    case Type::integer:
      fits = node.as_int().has_value();
      if (fits) value = Value(std::int64_t{*node.as_int()});
      break;
    case Type::number:
      fits = node.as_double().has_value();
      if (fits) value = Value(double{*node.as_double()});
      break;
    case Type::string:
    case Type::email:
      fits = node.as_string().has_value();
      if (fits) value = Value(std::string(*node.as_string()));
      break;
    case Type::record: return read_record(rule, node, at, complaints);
    case Type::list: {
      fits = node.kind() == JsonNode::Kind::array;
      if (!fits) break;
      ValueList items;
      static const Rule kAny;
      const Rule& element = rule.element != nullptr ? *rule.element : kAny;
      for (const JsonNode one : node.elements()) {
        if (complaints.full()) break;
        items.push_back(read_node(element, one, PathStep{&at, {}, items.size(), true}, complaints));
      }
      value = Value(std::move(items));
      break;
    }
  }
  if (!fits) {
    complaints.add(at, wanted(rule));
  } else {
    check(rule, value, at, complaints);
  }
  return value;
}

Value Schema::read_record(const Rule& rule, const JsonNode& node, const PathStep& at,
                          Complaints& complaints) {
  if (node.kind() != JsonNode::Kind::object) {
    complaints.add(at, wanted(rule));
    return {};
  }
  // A record of which nothing is said is taken as it is.
  if (rule.members.empty() && !rule.refuses_unknown) return any_of(node, at, 0, complaints);
  std::vector<Record::Member> members;
  for (const auto& [name, member] : rule.members) {
    if (complaints.full()) break;
    const PathStep step{&at, name};
    const JsonNode found = node.find(name);
    if (found.exists() && !(found.is_null() && (member.optional || member.fallback))) {
      members.emplace_back(name, read_node(member, found, step, complaints));
    } else if (member.fallback) {
      members.emplace_back(name, *member.fallback);
    } else if (!member.optional) {
      complaints.add(step, "is missing");
    }
  }
  if (rule.refuses_unknown) {
    for (const JsonNodeMember member : node.members()) {
      const auto is_it = [&member](const auto& known) { return known.name == member.name; };
      if (std::ranges::none_of(rule.members, is_it)) {
        complaints.add(PathStep{&at, member.name}, "is not known");
      }
    }
  }
  return Value(Record(std::move(members)));
}

void Schema::check(const Rule& rule, const Value& value, const PathStep& at,
                   Complaints& complaints) {
  const auto* const text = value.get_if<std::string>();
  const auto* const list = value.get_if<ValueList>();
  if (text != nullptr || list != nullptr) {
    const std::size_t length = text != nullptr ? detail::count_characters(*text) : list->size();
    const auto size = static_cast<double>(length);
    const bool is_short = rule.min && size < *rule.min;
    if (is_short || (rule.max && size > *rule.max)) {
      const double bound = is_short ? *rule.min : *rule.max;
      complaints.add(at, std::string("must have at ") + (is_short ? "least " : "most ") +
                             detail::shown_number(bound) +
                             (text != nullptr ? " character" : " element") +
                             (bound == 1 ? "" : "s"));
    }
  } else if (const auto number = number_of(value)) {
    if (rule.min && *number < *rule.min) {
      complaints.add(at, "must be at least " + detail::shown_number(*rule.min));
    } else if (rule.max && *number > *rule.max) {
      complaints.add(at, "must be at most " + detail::shown_number(*rule.max));
    }
  }
  if (rule.type == Type::email && text != nullptr && !detail::looks_like_email(*text)) {
    complaints.add(at, "must be an e-mail address");
  }
  // 1 and 1.0 are the same to who sends them.
  const auto is_value = [&value](const Value& one) {
    return one == value || (number_of(one) && number_of(one) == number_of(value));
  };
  if (rule.one_of.empty() || std::ranges::any_of(rule.one_of, is_value)) return;
  std::string message = "must be one of ";
  for (const Value& one : rule.one_of) {
    if (&one != rule.one_of.data()) message += ", ";
    message += text_of(one);
  }
  complaints.add(at, std::move(message));
}

}  // namespace weft::app::lua
