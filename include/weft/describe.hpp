// describe<T>(): what a Schema says, as data, for whoever makes documents of it (OpenAPI, say).
//
// Invariants: structs are listed once each, so those that hold themselves end. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "weft/bind.hpp"
#include "weft/schema.hpp"

namespace weft {

// A type: of a field, of an element, of the whole.
struct TypeDescription {
  // What it is in JSON; `object` is a struct, `map` an object with any names.
  enum class Kind : std::uint8_t {
    boolean,
    integer,
    number,
    string,
    enumeration,
    array,
    map,
    object
  };
  // Which of these it is.
  Kind kind = Kind::string;
  bool nullable = false;                      // null, or absent
  bool is_signed = false;                     // of integers
  unsigned bits = 0;                          // of integers and numbers
  std::vector<std::string> names = {};        // of an enumeration
  std::vector<TypeDescription> element = {};  // one, of array and map
  std::size_t object = 0;                     // its index in SchemaDescription::objects
};

// A field of a struct.
struct FieldDescription {
  // Each as the Schema has it; a constraint is a rule.
  std::string name = {};
  TypeDescription type = {};
  bool required = true;
  std::vector<Constraint> constraints = {};
  std::string fallback = {};  // what it is when it is absent, as JSON; empty: nothing in particular
};

// A struct.
struct ObjectDescription {
  std::string name = {};         // what its Schema calls it, or nothing
  std::string type_name = {};    // what C++ calls it, without namespaces: "User", "Page_User"
  std::string about = {};        // what its Schema says about it, or nothing
  const void* type = nullptr;    // which struct it is: an address of its own for each
  bool refuses_unknown = false;  // names that none of its fields has
  // In the order of the Schema.
  std::vector<FieldDescription> fields = {};
};

// A type with all structs that occur in it.
struct SchemaDescription {
  // The type itself.
  TypeDescription root = {};
  // All structs, once each.
  std::vector<ObjectDescription> objects = {};
};

namespace detail {

template <class T>
inline constexpr char kTypeMark = 0;

// A function's name, as the compiler spells it, ends with its template argument.
template <class T>
constexpr std::string_view spelled_with_type() {
  return __PRETTY_FUNCTION__;
}
std::string short_type_name(std::string_view spelled);

class Describer {
 public:
  template <class T>
  TypeDescription type() {
    using Kind = TypeDescription::Kind;
    TypeDescription made;
    if constexpr (kIsOptional<T>) {
      made = type<typename T::value_type>();
      made.nullable = true;
    } else if constexpr (std::same_as<T, bool>) {
      made.kind = Kind::boolean;
    } else if constexpr (std::is_arithmetic_v<T>) {
      made.kind = std::integral<T> ? Kind::integer : Kind::number;
      made.is_signed = std::is_signed_v<T>;
      made.bits = sizeof(T) * 8;
    } else if constexpr (HasNames<T>) {
      made.kind = Kind::enumeration;
      for (const auto& [name, value] : Names<T>::names) made.names.emplace_back(name);
    } else if constexpr (kIsVector<T>) {
      made.kind = Kind::array;
      made.element.push_back(type<typename T::value_type>());
    } else if constexpr (kIsMap<T>) {
      made.kind = Kind::map;
      made.element.push_back(type<typename T::mapped_type>());
    } else if constexpr (HasSchema<T>) {
      made.kind = Kind::object;
      made.object = object<T>();
    } else {
      static_assert(std::same_as<T, std::string> || HasParse<T>,
                    "a type in a document needs a weft::Schema, an enum weft::Names, or a static "
                    "parse(std::string_view)");
    }
    return made;
  }
  std::vector<ObjectDescription> take() { return std::move(objects_); }

 private:
  template <class T>
  std::size_t object() {
    for (std::size_t i = 0; i < marks_.size(); ++i) {
      if (marks_[i] == &kTypeMark<T>) return i;
    }
    const std::size_t index = objects_.size();
    marks_.push_back(&kTypeMark<T>);
    objects_.emplace_back();
    ObjectDescription made;
    made.type = &kTypeMark<T>;
    made.type_name = short_type_name(spelled_with_type<T>());
    if constexpr (requires { Schema<T>::name; }) made.name = std::string(Schema<T>::name);
    if constexpr (requires { std::string_view(Schema<T>::description); }) {
      made.about = std::string(Schema<T>::description);
    }
    if constexpr (requires { Schema<T>::refuse_unknown; }) {
      made.refuses_unknown = Schema<T>::refuse_unknown;
    }
    std::apply([&](const auto&... fields) { (add(made, fields), ...); }, Schema<T>::fields);
    objects_[index] = std::move(made);
    return index;
  }
  template <class Owner, class Member, class... Rules>
  void add(ObjectDescription& to, const Field<Owner, Member, Rules...>& field) {
    FieldDescription made;
    made.name = std::string(field.name);
    made.type = type<Member>();
    made.required = Field<Owner, Member, Rules...>::kRequired;
    if constexpr (Field<Owner, Member, Rules...>::kDefaulted && !kIsOptional<Member>) {
      write_json_of<Member>(Owner{}.*field.member, made.fallback);
    }
    std::apply([&](const auto&... rules) { (add_rule(made.constraints, rules), ...); },
               field.rules);
    to.fields.push_back(std::move(made));
  }
  template <class Rule>
  static void add_rule(std::vector<Constraint>& to, const Rule& rule) {
    if constexpr (!std::same_as<Rule, Defaulted>) rule.describe(to);
  }

  std::vector<const char*> marks_;
  std::vector<ObjectDescription> objects_;
};

}  // namespace detail

// A struct with a Schema, or a vector, map or optional of such.
template <class T>
SchemaDescription describe() {
  detail::Describer describer;
  SchemaDescription made;
  made.root = describer.type<T>();
  made.objects = describer.take();
  return made;
}

}  // namespace weft
