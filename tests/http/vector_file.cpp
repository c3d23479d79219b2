#include "vector_file.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace weft::http::test {

namespace {

namespace fs = std::filesystem;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Decodes the escapes; takes the text that it has used off the front, up to a closing brace if the
// text is the inside of a repetition.
std::string unescape(std::string_view& text, bool inside_braces) {
  std::string out;
  while (!text.empty()) {
    const char byte = text.front();
    text.remove_prefix(1);
    if (inside_braces && byte == '}') return out;
    if (byte != '\\') {
      out += byte;
      continue;
    }
    if (text.empty()) throw std::runtime_error("an escape is cut off");
    const char kind = text.front();
    text.remove_prefix(1);
    switch (kind) {
      case 'r': out += '\r'; break;
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case 's': out += ' '; break;
      case '\\': out += '\\'; break;
      case 'x':
        out += static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16));
        text.remove_prefix(2);
        break;
      case '{': {
        const std::size_t star = text.find('*');
        const auto times = std::stoul(std::string(text.substr(0, star)));
        text.remove_prefix(star + 1);
        const std::string repeated = unescape(text, true);
        for (std::size_t i = 0; i < times; ++i) out += repeated;
        break;
      }
      default: throw std::runtime_error(std::string("unknown escape \\") + kind);
    }
  }
  if (inside_braces) throw std::runtime_error("a repetition is not closed");
  return out;
}

void set_limit(MessageVector& vector, const std::string& name, std::uint64_t value) {
  static const std::set<std::string> parameters = {"size",    "most",  "to_head",
                                                   "upgrade", "ended", "interim_answers"};
  if (parameters.contains(name)) {
    vector.parameters[name] = value;
    return;
  }
  Limits& limits = vector.limits;
  vector.changes_limits = true;
  static const std::map<std::string, std::size_t Limits::*> sizes = {
      {"head_bytes", &Limits::head_bytes},
      {"uri_bytes", &Limits::uri_bytes},
      {"header_count", &Limits::header_count},
      {"header_field_bytes", &Limits::header_field_bytes},
      {"chunk_extension_bytes", &Limits::chunk_extension_bytes},
      {"trailer_bytes", &Limits::trailer_bytes},
      {"trailer_count", &Limits::trailer_count},
  };
  if (name == "body_bytes") {
    limits.body_bytes = value;
    return;
  }
  const auto known = sizes.find(name);
  if (known == sizes.end()) throw std::runtime_error("unknown limit " + name);
  limits.*known->second = value;
}

std::pair<std::string, std::string> split_pair(const std::string& word) {
  // A field's name may itself hold no '=', so the first one separates.
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) throw std::runtime_error("no '=' in " + word);
  return {unescaped(std::string_view(word).substr(0, equals)),
          unescaped(std::string_view(word).substr(equals + 1))};
}

void read_outcome(std::string_view text, MessageVector& vector) {
  std::istringstream words{std::string(text)};
  if (!vector.outcome.empty()) throw std::runtime_error("a second outcome");
  words >> vector.outcome;
  for (std::string word; words >> word;) {
    if (word.front() == '@') {
      vector.error_at = std::stoul(word.substr(1));
    } else {
      vector.facts.push_back(split_pair(word));
    }
  }
}

void read_line(std::string_view line, MessageVector& vector) {
  const std::string_view text = trim(line.substr(1));
  switch (line.front()) {
    case '!': {
      std::istringstream words{std::string(text)};
      for (std::string word; words >> word;) {
        const auto [name, value] = split_pair(word);
        set_limit(vector, name, std::stoull(value));
      }
      break;
    }
    case '<': vector.input += unescaped(text); break;
    case '>': read_outcome(text, vector); break;
    default: throw std::runtime_error("a line begins with none of ! < >");
  }
}

void read_file(const fs::path& path, std::vector<MessageVector>& vectors) {
  std::ifstream file(path);
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const std::string where = path.filename().string() + ":" + std::to_string(number);
    if (trim(line).empty() || line.front() == '#') continue;
    if (line.front() != ' ') {
      vectors.emplace_back().where = where + ": " + line;
      continue;
    }
    if (vectors.empty()) throw std::runtime_error(where + ": no name before this line");
    try {
      read_line(trim(line), vectors.back());
    } catch (const std::exception& error) {
      throw std::runtime_error(where + ": " + error.what());
    }
  }
}

}  // namespace

std::string unescaped(std::string_view text) { return unescape(text, false); }

std::vector<MessageVector> read_vectors(std::string_view folder) {
  std::vector<fs::path> files;
  const fs::path root = fs::path(WEFT_SOURCE_DIR) / "tests/vectors/http1" / folder;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (entry.path().extension() == ".vec") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<MessageVector> vectors;
  for (const fs::path& file : files) read_file(file, vectors);
  for (const MessageVector& vector : vectors) {
    if (vector.outcome.empty()) throw std::runtime_error(vector.where + ": no outcome");
  }
  return vectors;
}

std::vector<std::size_t> cuts(std::size_t size) {
  constexpr std::size_t most = 512;
  constexpr std::size_t edge = 80;
  const std::size_t stride = std::max<std::size_t>(1, size / most);
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at <= size; ++at) {
    if (at % stride == 0 || at < edge || size - at < edge) places.push_back(at);
  }
  return places;
}

}  // namespace weft::http::test
