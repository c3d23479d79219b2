// RouteDescription: what a route says of itself, for the documents made of an application.
//
//     app.post("/users",
//              weft::describe_route({.summary = "Make a user", .tags = {"users"}})
//                  .body<NewUser>()
//                  .answers<User>(201)
//                  .error(409, "There is a user of that name"),
//              make_user);
//
// It changes nothing about how the route is answered. With a typed handler (typed.hpp) the types
// are known already and only the words are left to say. Plain data; any thread may read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/describe.hpp"
#include "weft/middleware.hpp"

namespace weft {

// The words.
struct RouteNotes {
  std::string summary = {};            // a few words
  std::string description = {};        // as many as it takes; may be CommonMark
  std::vector<std::string> tags = {};  // under which it is listed
  std::string id = {};  // a name for programs; empty: made of the method and the path
  // Names of OpenApiOptions::security_schemes, of which one must be fulfilled; empty: what the
  // whole document says.
  std::vector<std::string> security = {};
  bool open = false;        // needs no security, whatever the whole document says
  bool deprecated = false;  // still answered, but not to be used any more
  bool hidden = false;      // left out of documents
};

// What is said of a file in a form.
struct FileNotes {
  std::string about = {};  // what it is, for people
  std::string type = {};   // its media type, "image/png", or several with commas between them
  bool several = false;    // there may be more than one
  bool required = true;    // there must be one
};

namespace detail {

using SchemaOf = SchemaDescription (*)();

// A part of a request that has a Schema.
struct DescribedPart {
  // `body` is JSON, or a form where the struct is flat.
  enum class Source : std::uint8_t { path, query, header, form, json, body };
  Source source;
  SchemaOf schema;
};

// A file in a form.
struct DescribedFile {
  std::string field;
  FileNotes notes;
};

// An answer that may come.
struct DescribedAnswer {
  int status = 200;
  std::string meaning = {};   // empty: what the status means anyway
  SchemaOf schema = nullptr;  // null: no body that is known
  std::string type = {};      // of the body
  bool is_error = false;      // the body is as App::error_format() says
};

}  // namespace detail

class RouteDescription {
 public:
  // With the words; describe_route() makes one.
  explicit RouteDescription(RouteNotes notes = {});

  // Each says what the request carries where it is named for, as a struct with a Schema. The body
  // is JSON, or a form where the struct is flat.
  template <class T>
  RouteDescription& body() {
    return add(detail::DescribedPart::Source::body, &describe<T>);
  }
  template <class T>
  RouteDescription& json_body() {
    return add(detail::DescribedPart::Source::json, &describe<T>);
  }
  template <class T>
  RouteDescription& form() {
    return add(detail::DescribedPart::Source::form, &describe<T>);
  }
  template <class T>
  RouteDescription& query() {
    return add(detail::DescribedPart::Source::query, &describe<T>);
  }
  template <class T>
  RouteDescription& header() {
    return add(detail::DescribedPart::Source::header, &describe<T>);
  }
  template <class T>
  RouteDescription& path() {
    return add(detail::DescribedPart::Source::path, &describe<T>);
  }
  // A file in a multipart form, beside the fields that form() says.
  RouteDescription& file(std::string_view field, FileNotes notes = {});
  // A body of bytes that have this media type.
  RouteDescription& bytes_body(std::string_view type = "application/octet-stream");
  // The next parameter of the pattern, in its order.
  template <class T>
  RouteDescription& path_value() {
    path_values_.push_back(&describe<T>);
    return *this;
  }
  // An answer whose body is a T as JSON.
  template <class T>
  RouteDescription& answers(int status = 200, std::string_view meaning = {}) {
    return add({status, std::string(meaning), &describe<T>, "application/json", false});
  }
  // An answer with a body of another type, or with none that matters.
  RouteDescription& answers(int status, std::string_view meaning, std::string_view type = {}) {
    return add({status, std::string(meaning), nullptr, std::string(type), false});
  }
  // An answer by an HttpError or by middleware, whose body is as App::error_format() says.
  RouteDescription& error(int status, std::string_view meaning = {}) {
    return add({status, std::string(meaning), nullptr, {}, true});
  }

  // Each is what has been said so far.
  const RouteNotes& notes() const noexcept { return notes_; }
  const std::vector<detail::DescribedPart>& parts() const noexcept { return parts_; }
  const std::vector<detail::DescribedAnswer>& answers() const noexcept { return answers_; }
  const std::vector<detail::SchemaOf>& path_values() const noexcept { return path_values_; }
  const std::vector<detail::DescribedFile>& files() const noexcept { return files_; }
  const std::string& bytes_type() const noexcept { return bytes_type_; }

  // What `other` says in addition. Texts that it has take the place of those here; tags and
  // security come behind, and what is true in either is true.
  void merge(const RouteDescription& other);
  // The same of a route in a group that this is said of: what that means by a status counts.
  void merge_route(const RouteDescription& route);
  // Throws std::invalid_argument when it cannot be true of a route with that pattern and method,
  // which is empty for any.
  void require_fit(std::string_view method, std::string_view pattern) const;
  // Throws std::invalid_argument, in the name of `whose`, when it says what is a route's own.
  void require_shared(const std::string& whose) const;
  // For the routes that it stands in.
  void add_to(detail::RouteParts& parts) const;

 private:
  RouteDescription& add(detail::DescribedPart::Source source, detail::SchemaOf schema) {
    parts_.push_back({source, schema});
    return *this;
  }
  RouteDescription& add(detail::DescribedAnswer answer);

  RouteNotes notes_;
  std::vector<detail::DescribedPart> parts_;
  std::vector<detail::DescribedAnswer> answers_;
  std::vector<detail::SchemaOf> path_values_;  // by position
  std::vector<detail::DescribedFile> files_;
  std::string bytes_type_;  // empty: the body is another
};

// What a route says of itself, to be put before its handler.
inline RouteDescription describe_route(RouteNotes notes = {}) {
  return RouteDescription(std::move(notes));
}

}  // namespace weft
