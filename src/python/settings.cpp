#include "python/settings.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "app/flags.hpp"
#include "app/settings.hpp"

namespace weft::python {

namespace {

bool refuse(const std::string& text) {
  PyErr_SetString(PyExc_ValueError, text.c_str());
  return false;
}

bool read_one(std::string_view key, std::string_view text, Options& options) {
  std::vector<std::string_view> keys;
  for (const app::Setting& setting : app::settings()) {
    keys.push_back(setting.key);
    if (setting.key != key) continue;
    const auto value = app::parse_value(setting, text);
    if (!value) {
      return refuse(app::refusal(setting, setting.key, text) + app::suggestion(setting, text));
    }
    setting.field.write(options, *value);
    return true;
  }
  const std::string_view meant = app::nearest(key, keys);
  return refuse("there is no setting \"" + std::string(key) + "\"" +
                (meant.empty() ? std::string() : "; did you mean " + std::string(meant) + "?"));
}

}  // namespace

bool read_settings(PyObject* dictionary, Options& options) {
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(dictionary, &at, &key, &value) != 0) {
    if (PyUnicode_Check(key) == 0 || PyUnicode_Check(value) == 0) {
      return refuse("settings are texts, and so are their names");
    }
    const std::string_view name = view_of_text(key);
    const std::string_view text = view_of_text(value);
    if (name.data() == nullptr || text.data() == nullptr) return false;
    if (!read_one(name, text, options)) return false;
  }
  return true;
}

}  // namespace weft::python
