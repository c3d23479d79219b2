// Types as JSON Schema (draft 2020-12, which OpenAPI 3.1 takes): what a Schema says, written into a
// document, structs by reference to the document's components.
//
// Invariants: each struct has one name, and no two have the same; names are given in the order in
// which structs are added. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/json_text.hpp"
#include "weft/describe.hpp"

namespace weft::app {

class SchemaComponents {
 public:
  // `taken`: names that are not given.
  explicit SchemaComponents(const std::vector<std::string>& taken);

  void add(const SchemaDescription& schema);
  // A type of a schema that has been added, with what is said of the field that has it. `field` may
  // be null.
  void write(JsonText& out, const SchemaDescription& schema, const TypeDescription& type,
             const FieldDescription* field = nullptr) const;
  void write(JsonText& out, const SchemaDescription& schema) const {
    write(out, schema, schema.root);
  }
  // All structs, as members of an object that has been begun, sorted with `others` by name.
  using Others = std::map<std::string, std::function<void(JsonText&)>>;
  void write_all(JsonText& out, const Others& others) const;

 private:
  struct Component {
    const SchemaDescription* schema;
    std::size_t object;
  };
  const std::string& name_of(const ObjectDescription& object) const;
  void write_object(JsonText& out, const Component& component) const;
  void write_plain(JsonText& out, const SchemaDescription& schema, const TypeDescription& type,
                   const FieldDescription* field, bool of_elements) const;

  std::deque<SchemaDescription> kept_;
  std::map<const void*, std::string> names_;     // by ObjectDescription::type
  std::map<std::string, Component> components_;  // by name; null schema: taken
};

}  // namespace weft::app
