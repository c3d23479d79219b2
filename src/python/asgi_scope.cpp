#include <algorithm>
#include <array>
#include <cstring>

#include "http/site.hpp"
#include "python/asgi.hpp"

namespace weft::python {

namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// As Python's unquote(): what is no escape stays, and what is no UTF-8 becomes U+FFFD.
Reference decoded_path(std::string_view path) {
  if (path.find('%') == std::string_view::npos) return text_of(path);
  std::string decoded;
  decoded.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size()) {
      const int high = hex_value(path[i + 1]);
      const int low = hex_value(path[i + 2]);
      if (high >= 0 && low >= 0) {
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    decoded += path[i];
  }
  return text_of(decoded);
}

// (host, port), of a Unix socket (path, None). Null: it has raised.
Reference server_of(const std::string& location, std::uint16_t port) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kHttp = "http://";
  if (location.starts_with(kUnix)) {
    return Reference(Py_BuildValue("(sO)", location.c_str() + kUnix.size(), Py_None));
  }
  std::string host = location.substr(std::min(kHttp.size(), location.size()));
  host = host.substr(0, host.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return Reference(Py_BuildValue("(si)", host.c_str(), static_cast<int>(port)));
}

}  // namespace

AsgiApp::AsgiApp(Host& host, PyObject* application, PyObject* root_path,
                 std::string path_prefix) noexcept
    : host_(host),
      application_(Py_NewRef(application)),
      root_path_(Py_NewRef(root_path)),
      path_prefix_(std::move(path_prefix)) {}

AsgiApp::~AsgiApp() {
  for (KnownName& known : known_names_) drop(known.bytes);
  drop(last_client_object_);
  drop(state_);
  drop(template_);
  drop(root_path_);
  drop(application_);
}

int AsgiApp::traverse(visitproc visit, void* arg) const {
  Py_VISIT(application_);
  Py_VISIT(template_);
  Py_VISIT(state_);
  return 0;
}

bool AsgiApp::prepare(PyObject* state) {
  const Reference server = server_of(host_.location(), host_.app().port());
  if (!server) return false;
  Reference scope(Py_BuildValue(
      "{ss,s{ss,ss},s{s{},s{}},sO,sO,sO,ss,sO,sO,sO,sO,sO,sO}", "type", "http", "asgi", "version",
      "3.0", "spec_version", "2.3", "extensions", "http.response.pathsend",
      "http.response.zerocopysend", "http_version", host_.state().versions[1], "server",
      server.get(), "client", Py_None, "scheme", "http", "method", Py_None, "root_path", root_path_,
      "path", Py_None, "raw_path", Py_None, "query_string", Py_None, "headers", Py_None));
  if (!scope) return false;
  drop(template_);
  template_ = scope.release();
  drop(state_);
  if (state != nullptr && state != Py_None) state_ = Py_NewRef(state);
  return true;
}

Reference AsgiApp::fields_of(const http::HeadView& head) {
  const auto count = static_cast<Py_ssize_t>(head.header_count());
  Reference fields(PyList_New(count));
  if (!fields) return fields;
  constexpr std::size_t kLongestKnown = 40;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const http::HeaderField field = head.header(static_cast<std::size_t>(i));
    Reference name;
    const auto lower = [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    };
    if (field.name.size() <= kLongestKnown) {
      std::array<char, kLongestKnown> text;
      unsigned hash = static_cast<unsigned>(field.name.size());
      for (std::size_t at = 0; at < field.name.size(); ++at) {
        text[at] = lower(field.name[at]);
        hash = hash * 31 + static_cast<unsigned char>(text[at]);
      }
      const std::string_view wanted(text.data(), field.name.size());
      KnownName& known = known_names_[(hash ^ (hash >> 8U)) % kKnownNames];
      if (known.bytes == nullptr || view_of_bytes(known.bytes) != wanted) {
        Reference made = bytes_of(wanted);
        if (!made) return Reference();
        drop(known.bytes);
        known.bytes = made.release();
      }
      name = Reference::to(known.bytes);
    } else {
      std::string text(field.name);
      std::transform(text.begin(), text.end(), text.begin(), lower);
      name = bytes_of(text);
    }
    Reference value = bytes_of(field.value);
    if (!name || !value) return Reference();
    PyObject* const pair = PyTuple_New(2);
    if (pair == nullptr) return Reference();
    PyTuple_SET_ITEM(pair, 0, name.release());
    PyTuple_SET_ITEM(pair, 1, value.release());
    PyList_SET_ITEM(fields.get(), i, pair);
  }
  return fields;
}

// (address, port) of the client, or None; what trusted proxies say of it counts.
Reference AsgiApp::address_of(const Context& context, http::Exchange& exchange,
                              std::string_view& scheme) {
  const http::TrustedProxies& trusted = exchange.site().trusted_proxies;
  std::optional<weft::Endpoint> client;
  if (trusted.empty()) {
    client = exchange.bodies().peer();
  } else {
    client = context.client_address();
    scheme = context.scheme();
  }
  if (!client) return Reference::to(Py_None);
  if (last_client_object_ == nullptr || last_client_ != *client) {
    Reference made(Py_BuildValue("(si)", client->host().c_str(), static_cast<int>(client->port())));
    if (!made) return made;
    drop(last_client_object_);
    last_client_object_ = made.release();
    last_client_ = *client;
  }
  return Reference::to(last_client_object_);
}

// False: it has raised.
bool AsgiApp::add_paths(PyObject* scope, std::string_view path) {
  std::string prefixed;
  if (!path_prefix_.empty() && path.starts_with('/')) {
    prefixed.append(path_prefix_).append(path);
    path = prefixed;
  }
  const State::Names& names = host_.state().names;
  const Reference decoded = decoded_path(path);
  const Reference raw = bytes_of(path);
  return decoded && raw && PyDict_SetItem(scope, names.path, decoded.get()) == 0 &&
         PyDict_SetItem(scope, names.raw_path, raw.get()) == 0;
}

Reference AsgiApp::scope_of(Context& context) {
  http::Exchange& exchange = context.exchange();
  const http::HeadView& head = exchange.head();
  const State& state = host_.state();
  const State::Names& names = state.names;
  Reference scope(PyDict_Copy(template_));
  if (!scope) return scope;
  const auto set = [&scope](PyObject* name, const Reference& value) {
    return value && PyDict_SetItem(scope.get(), name, value.get()) == 0;
  };
  // What one request adds to these is not the next one's.
  const auto set_copy = [&](PyObject* name) {
    return set(name, Reference(PyDict_Copy(PyDict_GetItemWithError(template_, name))));
  };
  std::string_view scheme = "http";
  const Reference client = address_of(context, exchange, scheme);
  PyObject* const method = state.methods[static_cast<std::size_t>(head.head().method)];
  const bool done = set_copy(names.asgi) && set_copy(names.extensions) &&
                    set(names.client, client) && set(names.method, Reference::to(method)) &&
                    add_paths(scope.get(), exchange.path()) &&
                    set(names.query_string, head.query().empty() ? Reference::to(state.nothing)
                                                                 : bytes_of(head.query())) &&
                    set(names.headers, fields_of(head)) &&
                    (scheme == "http" || set(names.scheme, text_of(scheme))) &&
                    (head.head().minor_version == 1 ||
                     set(names.http_version, Reference::to(state.versions[0]))) &&
                    (state_ == nullptr || set(names.state, Reference(PyDict_Copy(state_))));
  return done ? std::move(scope) : Reference();
}

}  // namespace weft::python
