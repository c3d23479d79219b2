// Forms and schemas: c:form() and its kin, uploads, c:bind() and weft.schema().
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "app/lua/bindings.hpp"
#include "app/lua/schema.hpp"
#include "weft/bind.hpp"
#include "weft/multipart.hpp"

namespace weft::app::lua {

namespace {

constexpr char kUploadClass[] = "weft.upload";
using SharedSchema = std::shared_ptr<const Schema>;

Request& waiting_request(lua_State* state) noexcept {
  return *static_cast<Box*>(lua_touserdata(state, 1))->call->request;
}

// ---- Fields

void perform_form(Run& run, lua_State* state) {
  run.view = waiting_request(state).form(text_at(state, 2));
}

int push_field(Run& run, lua_State* state) {
  if (run.view.data() != nullptr) {
    push_text(state, run.view);
  } else if (lua_isnone(state, 3)) {
    lua_pushnil(state);
  } else {
    lua_pushvalue(state, 3);
  }
  return 1;
}

int get_form(lua_State* state) {
  own_request_at(state);
  text_argument(state, 2);
  return Run::wait(state, &perform_form, &push_field);
}

void perform_form_all(Run& /*run*/, lua_State* state) {
  Request& request = waiting_request(state);
  request.state.views = request.form_all(text_at(state, 2));
}

int push_fields(Run& /*run*/, lua_State* state) {
  const auto& views = State::of(state).views;
  lua_createtable(state, static_cast<int>(views.size()), 0);
  exec::lua::mark_list(state);
  for (std::size_t i = 0; i < views.size(); ++i) {
    push_text(state, views[i]);
    lua_rawseti(state, -2, static_cast<lua_Integer>(i + 1));
  }
  return 1;
}

int get_form_all(lua_State* state) {
  own_request_at(state);
  text_argument(state, 2);
  return Run::wait(state, &perform_form_all, &push_fields);
}

// ---- Uploads: each keeps its `c` alive, as a user value, and ends with it

struct UploadBox {
  Box* box;
  const Upload* upload;
};

void push_upload(lua_State* state, const Upload* upload) {
  auto* const place = static_cast<UploadBox*>(lua_newuserdatauv(state, sizeof(UploadBox), 1));
  *place = {static_cast<Box*>(lua_touserdata(state, 1)), upload};
  lua_pushvalue(state, 1);
  lua_setiuservalue(state, -2, 1);
  luaL_setmetatable(state, kUploadClass);
}

const UploadBox& upload_box_at(lua_State* state) {
  const auto& kept = *static_cast<UploadBox*>(luaL_checkudata(state, 1, kUploadClass));
  if (kept.box->call == nullptr) luaL_error(state, "its request has ended");
  return kept;
}

const Upload& upload_at(lua_State* state) { return *upload_box_at(state).upload; }

const Upload& waiting_upload(lua_State* state) noexcept {
  return *static_cast<UploadBox*>(lua_touserdata(state, 1))->upload;
}

void own_upload_at(lua_State* state) {
  require_own(state, upload_box_at(state).box->call->request);
}

using Uploads = std::vector<Upload*>;

void perform_uploads(Run& run, lua_State* state) {
  run.kept = std::make_shared<Uploads>(waiting_request(state).uploads(text_at(state, 2)));
}

int push_uploads(Run& run, lua_State* state) {
  const auto& all = *static_cast<const Uploads*>(run.kept.get());
  lua_createtable(state, static_cast<int>(all.size()), 0);
  exec::lua::mark_list(state);
  for (std::size_t i = 0; i < all.size(); ++i) {
    push_upload(state, all[i]);
    lua_rawseti(state, -2, static_cast<lua_Integer>(i + 1));
  }
  return 1;
}

// c:uploads([name])
int get_uploads(lua_State* state) {
  own_request_at(state);
  text_argument_or(state, 2, {});
  return Run::wait(state, &perform_uploads, &push_uploads);
}

int push_first_upload(Run& run, lua_State* state) {
  const auto& all = *static_cast<const Uploads*>(run.kept.get());
  if (all.empty()) return 0;
  push_upload(state, all.front());
  return 1;
}

// c:upload(name)
int get_upload(lua_State* state) {
  own_request_at(state);
  text_argument(state, 2);
  return Run::wait(state, &perform_uploads, &push_first_upload);
}

int get_field(lua_State* state) {
  push_text(state, upload_at(state).field());
  return 1;
}

int get_file_name(lua_State* state) {
  push_text(state, upload_at(state).file_name());
  return 1;
}

int get_content_type(lua_State* state) {
  push_text(state, upload_at(state).content_type());
  return 1;
}

int get_size(lua_State* state) {
  lua_pushinteger(state, static_cast<lua_Integer>(upload_at(state).size()));
  return 1;
}

void perform_read(Run& run, lua_State* state) {
  auto text = waiting_upload(state).read();
  run.flag = text.ok();
  run.text = text ? std::move(*text) : text.error().message();
}

int push_read(Run& run, lua_State* state) {
  if (!run.flag) lua_pushnil(state);
  push_text(state, run.text);
  return run.flag ? 1 : 2;
}

int read_upload(lua_State* state) {
  own_upload_at(state);
  return Run::wait(state, &perform_read, &push_read);
}

void perform_save(Run& run, lua_State* state) {
  const std::string path = State::of(state).script.beside(text_at(state, 2));
  const auto saved = waiting_upload(state).save_as(path);
  run.flag = saved.ok();
  if (!saved) run.text = path + ": " + saved.error().message();
}

int push_saved(Run& run, lua_State* state) {
  if (!run.flag) {
    lua_pushnil(state);
    push_text(state, run.text);
    return 2;
  }
  lua_pushboolean(state, 1);
  return 1;
}

int save_upload(lua_State* state) {
  own_upload_at(state);
  text_argument(state, 2);
  return Run::wait(state, &perform_save, &push_saved);
}

// ---- Schemas

int end_schema(lua_State* state) {
  static_cast<SharedSchema*>(luaL_checkudata(state, 1, kSchemaClass))->~SharedSchema();
  lua_pushnil(state);
  lua_setmetatable(state, 1);
  return 0;
}

// Of the table at an index.
SharedSchema schema_of(lua_State* state, int index) {
  auto read = exec::lua::to_value(state, index, Vm::of(state).options().values);
  if (const auto* const refusal = std::get_if<exec::ValueRefusal>(&read)) {
    throw std::invalid_argument("the schema: " + refusal->text());
  }
  return std::make_shared<const Schema>(std::get<exec::Value>(read));
}

// weft.schema{ name = "string", age = { type = "integer", min = 0 } }
int make_schema(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTABLE);
  lua_settop(state, 1);
  void* const place = lua_newuserdatauv(state, sizeof(SharedSchema), 0);
  new (place) SharedSchema(schema_of(state, 1));
  // Only what is one has the function that ends it.
  luaL_setmetatable(state, kSchemaClass);
  return 1;
}

enum class BoundTo : std::uint8_t { body, json, form, query, path, header };

struct Binding {
  SharedSchema schema;
  BoundTo from;
};

exec::Value bind(Request& request, const Binding& binding) {
  using detail::FieldSource;
  const Schema& schema = *binding.schema;
  FieldSource source = FieldSource::form;
  switch (binding.from) {
    case BoundTo::body:
      if (detail::body_kind(request, schema.is_flat()) == detail::BodyKind::json) {
        return schema.read(request.json_body().root());
      }
      break;
    case BoundTo::json:
      detail::body_kind(request, false);
      return schema.read(request.json_body().root());
    case BoundTo::form: detail::require_form(request); break;
    case BoundTo::query: source = FieldSource::query; break;
    case BoundTo::path: source = FieldSource::path; break;
    case BoundTo::header: source = FieldSource::header; break;
  }
  if (!schema.is_flat()) {
    throw std::logic_error(
        "c:bind(): forms, queries, paths and headers have fields of plain types, and lists of "
        "them");
  }
  struct Reading {
    const Schema& schema;
    exec::Value made;
  } reading{schema, {}};
  detail::with_fields(
      request, source,
      [](void* self, detail::TextFields& fields) {
        auto& mine = *static_cast<Reading*>(self);
        mine.made = mine.schema.read(fields);
      },
      &reading);
  return std::move(reading.made);
}

void perform_bind(Run& run, lua_State* state) {
  run.value = bind(waiting_request(state), *static_cast<const Binding*>(run.kept.get()));
}

int push_bound(Run& run, lua_State* state) {
  exec::lua::push_value(state, run.value);
  return 1;
}

// c:bind(schema, [from])
int bind_request(lua_State* state) {
  static const char* const kFrom[] = {"body", "json", "form", "query", "path", "header", nullptr};
  own_request_at(state);
  const auto* const known = static_cast<SharedSchema*>(luaL_testudata(state, 2, kSchemaClass));
  if (known == nullptr && !lua_istable(state, 2)) {
    luaL_argerror(state, 2, "weft.schema{...} or a table for one");
  }
  const int from = luaL_checkoption(state, 3, "body", kFrom);
  Run::require(state).kept = std::make_shared<Binding>(
      Binding{known != nullptr ? *known : schema_of(state, 2), static_cast<BoundTo>(from)});
  return Run::wait(state, &perform_bind, &push_bound);
}

}  // namespace

const std::shared_ptr<const Schema>* schema_at(lua_State* state, int index) {
  return static_cast<const SharedSchema*>(luaL_testudata(state, index, kSchemaClass));
}

void open_forms(lua_State* state) {
  static const luaL_Reg kUpload[] = {
      {"field", &guarded<&get_field>},
      {"file_name", &guarded<&get_file_name>},
      {"content_type", &guarded<&get_content_type>},
      {"size", &guarded<&get_size>},
      {"read", &guarded<&read_upload>},
      {"save_as", &guarded<&save_upload>},
      {nullptr, nullptr},
  };
  make_class(state, kUploadClass, kUpload);
  static const luaL_Reg kNone[] = {{nullptr, nullptr}};
  make_class(state, kSchemaClass, kNone);
  luaL_getmetatable(state, kSchemaClass);
  lua_pushcfunction(state, &end_schema);
  lua_setfield(state, -2, "__gc");
  lua_pop(state, 1);
  static const luaL_Reg kFunctions[] = {{"schema", &guarded<&make_schema>}, {nullptr, nullptr}};
  luaL_setfuncs(state, kFunctions, 0);
}

void add_form_methods(lua_State* state) {
  static const luaL_Reg kMethods[] = {
      {"form", &guarded<&get_form>},     {"form_all", &guarded<&get_form_all>},
      {"upload", &guarded<&get_upload>}, {"uploads", &guarded<&get_uploads>},
      {"bind", &guarded<&bind_request>}, {nullptr, nullptr},
  };
  luaL_setfuncs(state, kMethods, 0);
}

}  // namespace weft::app::lua
