// Templates: pages with gaps, read from a folder once and filled in for each request.
//
//     const weft::Templates views("views");
//     app.get("/users/{name}", [&](weft::Context& c) {
//       c.render(views, "user.html", {{"name", c.param("name")}});
//     });
//
// The language is Mustache: `{{name}}` is a value with &, <, >, " and ' escaped, `{{{name}}}` the
// same as it is; `{{#list}}…{{/list}}` is repeated, or shown if there is such a thing,
// `{{^list}}…{{/list}}` shown if there is not; `{{> other.html}}` is another file, and
// `{{< layout.html}}{{$title}}…{{/title}}{{/layout.html}}` another file whose blocks of these names
// are filled. Values that are missing are empty.
// Invariants: only files beneath the folder are read, and no hidden ones; all of them are sound by
// the time the constructor has returned. Any thread, several at once.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "weft/bind.hpp"
#include "weft/context.hpp"
#include "weft/json.hpp"
#include "weft/json_document.hpp"

namespace weft {

// What is read, and how much of it.
struct TemplatesOptions {
  // Looks for changes before each answer and reads the folder again if there are any: for
  // development.
  bool reload = false;
  // What the names of templates end in; other files of the folder are left alone. Those in `.txt`
  // are texts, in which nothing is escaped.
  std::vector<std::string> endings = {".html", ".xml", ".svg", ".txt"};
  // Of one template with all that it includes. A page that long was not written by people.
  std::size_t bytes = std::size_t{1024} * 1024;
  // Of templates; more is rather the wrong folder.
  std::size_t files = 1'000;
};

// A folder or a template that is not there, or a template that is malformed: "views/user.html:12:
// section \"tags\" is not closed".
class TemplateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Templates {
 public:
  // Throws TemplateError.
  explicit Templates(const std::string& folder, const TemplatesOptions& options = {});
  ~Templates();
  Templates(const Templates&) = delete;
  Templates& operator=(const Templates&) = delete;

  // The template of that name, relative to the folder, filled in. Throws TemplateError when there
  // is none, and when what has been reloaded is malformed. Data is an object, as a
  // rule: in braces, or a struct with a Schema.
  std::string render(std::string_view name, const JsonValue& data) const;
  std::string render(std::string_view name, std::initializer_list<JsonMember> data) const {
    return render(name, JsonValue(data));
  }
  std::string render(std::string_view name, const JsonNode& data) const;
  // All of them, sorted.
  std::vector<std::string> names() const;

 private:
  struct Set;
  struct Folder;

  std::shared_ptr<const Set> current() const;

  std::unique_ptr<Folder> folder_;
};

}  // namespace weft
