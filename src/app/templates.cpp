#include "weft/templates.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>
#include <variant>

#include <kainjow/mustache.hpp>

#include "app/template_files.hpp"
#include "weft/blocking.hpp"
#include "weft/sync.hpp"

namespace weft {

namespace {

namespace fs = std::filesystem;
using kainjow::mustache::data;

// ---- Data

// The library knows texts, truths, lists and objects.
data data_of(const JsonValue& value);
data data_of(const JsonNode& node);

data text_data(const JsonValue& value) {
  std::string text;
  write_json(value, text);
  return data(text);
}

data data_of(const JsonValue& value) {
  switch (value.kind()) {
    case JsonValue::Kind::null: return data(false);
    case JsonValue::Kind::boolean: return data(value.boolean());
    case JsonValue::Kind::string: return data(std::string(value.string()));
    case JsonValue::Kind::array: {
      data list(data::type::list);
      for (std::size_t i = 0; i < value.size(); ++i) {
        list.push_back(data_of(value.elements()[i].value));
      }
      return list;
    }
    case JsonValue::Kind::object: {
      data object(data::type::object);
      for (std::size_t i = 0; i < value.size(); ++i) {
        object.set(std::string(value.members()[i].name), data_of(value.members()[i].value));
      }
      return object;
    }
    case JsonValue::Kind::described: {
      std::string text;
      value.write_described(text);
      const auto parsed = JsonDocument::parse(text);
      if (const auto* const document = std::get_if<JsonDocument>(&parsed)) {
        return data_of(document->root());
      }
      throw TemplateError("a template cannot be filled in with this: " +
                          std::get<JsonError>(parsed).text());
    }
    case JsonValue::Kind::signed_integer:
    case JsonValue::Kind::unsigned_integer:
    case JsonValue::Kind::number: break;
  }
  return text_data(value);
}

data data_of(const JsonNode& node) {
  switch (node.kind()) {
    case JsonNode::Kind::missing:
    case JsonNode::Kind::null: return data(false);
    case JsonNode::Kind::boolean: return data(*node.as_bool());
    case JsonNode::Kind::string: return data(std::string(*node.as_string()));
    case JsonNode::Kind::array: {
      data list(data::type::list);
      for (const JsonNode element : node.elements()) list.push_back(data_of(element));
      return list;
    }
    case JsonNode::Kind::object: {
      data object(data::type::object);
      for (const JsonNodeMember member : node.members()) {
        object.set(std::string(member.name), data_of(member.value));
      }
      return object;
    }
    case JsonNode::Kind::integer:
      if (const auto number = node.as_int()) return text_data(*number);
      return text_data(*node.as_uint());
    case JsonNode::Kind::number: break;
  }
  return text_data(*node.as_double());
}

// ---- Files

bool ends_in_one_of(std::string_view name, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& ending) { return name.ends_with(ending); });
}

// A file as it was found: another time or size, and it is another.
struct Found {
  fs::path path;
  fs::file_time_type changed;
  std::uintmax_t size = 0;

  bool operator==(const Found&) const = default;
};
using FoundFiles = std::map<std::string, Found>;

// A link may lead to another file of the folder, but not out of it.
bool is_beneath(const fs::path& path, const fs::path& root) {
  const fs::path whole = fs::canonical(path);
  return std::mismatch(root.begin(), root.end(), whole.begin(), whole.end()).first == root.end();
}

FoundFiles find_files(const std::string& folder, const TemplatesOptions& options) {
  FoundFiles found;
  try {
    const fs::path root = fs::canonical(folder);
    for (fs::recursive_directory_iterator at(root), end; at != end; ++at) {
      const std::string name = at->path().filename().string();
      if (name.starts_with('.')) {
        if (at->is_directory()) at.disable_recursion_pending();
        continue;
      }
      if (!ends_in_one_of(name, options.endings) || !at->is_regular_file()) continue;
      if (at->is_symlink() && !is_beneath(at->path(), root)) continue;
      if (found.size() == options.files) {
        throw TemplateError(folder + " has more than " + std::to_string(options.files) +
                            " templates, which TemplatesOptions::files allows");
      }
      found.emplace(at->path().lexically_relative(root).generic_string(),
                    Found{at->path(), at->last_write_time(), at->file_size()});
    }
  } catch (const fs::filesystem_error& error) {
    throw TemplateError("the templates in \"" + folder +
                        "\" cannot be read: " + error.code().message());
  }
  return found;
}

std::string read_file(const Found& found, const std::string& where, std::size_t most) {
  if (found.size > most) {
    throw TemplateError(where + " has more than " + std::to_string(most) +
                        " bytes, which TemplatesOptions::bytes allows");
  }
  std::ifstream file(found.path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file || text.size() > most) throw TemplateError(where + " cannot be read");
  return text;
}

std::string as_it_is(const std::string& text) { return text; }

// Rendering changes nothing in it as long as there are neither lambdas nor partials, and neither
// can come here: so several threads may do it at once.
using Parsed = kainjow::mustache::mustache;

}  // namespace

struct Templates::Set {
  FoundFiles found;
  std::map<std::string, std::unique_ptr<Parsed>, std::less<>> parsed;
};

struct Templates::Folder {
  std::string path;
  TemplatesOptions options;
  Mutex mutex;  // guards `set` where it may change
  std::shared_ptr<const Set> set;

  std::shared_ptr<const Set> read(FoundFiles found) const {
    auto made = std::make_shared<Set>();
    app::TemplateFiles files;
    for (const auto& [name, file] : found) {
      std::string where = path;
      where.append("/").append(name);
      files.emplace(name, app::parse_template(read_file(file, where, options.bytes), where));
    }
    for (const auto& [name, nodes] : files) {
      const std::string text = app::flatten_template(files, path, name, options.bytes);
      auto parsed = std::make_unique<Parsed>(text);
      if (!parsed->is_valid()) {
        throw TemplateError(path + "/" + name + ": " + parsed->error_message());
      }
      if (name.ends_with(".txt")) parsed->set_custom_escape(&as_it_is);
      made->parsed.emplace(name, std::move(parsed));
    }
    made->found = std::move(found);
    return made;
  }
};

Templates::Templates(const std::string& folder, const TemplatesOptions& options)
    : folder_(std::make_unique<Folder>()) {
  folder_->path = folder;
  while (folder_->path.size() > 1 && folder_->path.ends_with('/')) folder_->path.pop_back();
  folder_->options = options;
  folder_->set = folder_->read(find_files(folder_->path, options));
}

Templates::~Templates() = default;

std::shared_ptr<const Templates::Set> Templates::current() const {
  Folder& folder = *folder_;
  if (!folder.options.reload) return folder.set;
  const std::lock_guard lock(folder.mutex);
  weft::blocking([&folder] {
    FoundFiles found = find_files(folder.path, folder.options);
    if (found != folder.set->found) folder.set = folder.read(std::move(found));
  });
  return folder.set;
}

namespace {

std::string fill_in(Parsed& parsed, const data& with) { return parsed.render(with); }

}  // namespace

std::vector<std::string> Templates::names() const {
  std::vector<std::string> names;
  const std::shared_ptr<const Set> set = current();
  for (const auto& [name, parsed] : set->parsed) names.push_back(name);
  return names;
}

std::string Templates::render(std::string_view name, const JsonValue& with) const {
  const std::shared_ptr<const Set> set = current();
  const auto found = set->parsed.find(name);
  if (found == set->parsed.end()) {
    throw TemplateError("there is no template \"" + std::string(name) + "\" in " + folder_->path);
  }
  return fill_in(*found->second, data_of(with));
}

std::string Templates::render(std::string_view name, const JsonNode& with) const {
  const std::shared_ptr<const Set> set = current();
  const auto found = set->parsed.find(name);
  if (found == set->parsed.end()) {
    throw TemplateError("there is no template \"" + std::string(name) + "\" in " + folder_->path);
  }
  return fill_in(*found->second, data_of(with));
}

void Context::answer_rendered(std::string_view name, std::string_view text) {
  if (name.ends_with(".txt")) return bytes(text, "text/plain; charset=utf-8");
  if (name.ends_with(".xml")) return xml(text);
  if (name.ends_with(".svg")) return bytes(text, "image/svg+xml");
  html(text);
}

void Context::render(const Templates& templates, std::string_view name, const JsonValue& data) {
  answer_rendered(name, templates.render(name, data));
}

void Context::render(const Templates& templates, std::string_view name,
                     std::initializer_list<JsonMember> data) {
  render(templates, name, JsonValue(data));
}

}  // namespace weft
