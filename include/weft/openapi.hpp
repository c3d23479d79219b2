// OpenAPI: a document that says what an application answers, made of its routes as they are.
//
//     app.openapi({.title = "Users", .version = "1.0"});
//
// serves an OpenAPI 3.1 document at /openapi.json and a page to read it and to try it at /docs.
// Paths and methods come from the routes, types from typed handlers (typed.hpp) and from what
// describes a route (route_description.hpp). Routes that are added later are in it, too. The same
// routes, added in the same order, give the same bytes. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weft {

// How clients show who they are. It describes what middleware checks, and checks nothing.
struct SecurityScheme {
  // In which way.
  enum class Kind : std::uint8_t {
    basic,    // HTTP's own, a name and a password
    bearer,   // a token in Authorization
    header,   // a key in a header
    query,    // a key in the query
    cookie,   // a key in a cookie
    open_id,  // OpenID Connect, found at a URL
  };
  std::string name = {};         // by which routes refer to it
  Kind kind = Kind::bearer;      // which of these
  std::string field = {};        // of header, query and cookie: its name
  std::string format = {};       // of bearer: what the token looks like, "JWT" say
  std::string url = {};          // of open_id: where its configuration is
  std::string description = {};  // for people
};

// Where the application is to be found.
struct OpenApiServer {
  std::string url = {};          // absolute, or relative to the document's
  std::string description = {};  // for people
};

// A heading under which routes are listed.
struct OpenApiTag {
  std::string name = {};         // as RouteNotes::tags says it
  std::string description = {};  // for people
};

// What the document says besides the routes, and where it is.
struct OpenApiOptions {
  std::string title = "API";                          // of the application
  std::string version = "0.1.0";                      // of what it offers, not of OpenAPI
  std::string description = {};                       // may be CommonMark
  std::string path = "/openapi.json";                 // of the document
  std::string docs_path = "/docs";                    // of the page for people; empty: none
  std::vector<OpenApiServer> servers = {};            // none: where the document is
  std::vector<OpenApiTag> tags = {};                  // in the order to list them in
  std::vector<SecurityScheme> security_schemes = {};  // that routes may name
  // Names of schemes of which a request must fulfil one, where the route does not say otherwise.
  std::vector<std::string> security = {};
};

}  // namespace weft
