#include "app/template_files.hpp"

#include <algorithm>
#include <utility>

namespace weft::app {

namespace {

using Kind = TemplateNode::Kind;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Takes one file apart, from its beginning to its end.
class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  std::vector<TemplateNode> parse() {
    std::vector<TemplateNode> nodes = parse_until({});
    return nodes;
  }

 private:
  struct Tag {
    char sigil = 0;  // 0: a value
    std::string_view name;
    std::string_view whole;
    std::size_t line = 1;
  };

  [[noreturn]] void fail(std::size_t line, const std::string& what) const {
    throw TemplateError(where_ + ":" + std::to_string(line) + ": " + what);
  }

  // The text up to the next tag.
  void take_text(std::vector<TemplateNode>& nodes) {
    const std::size_t size = std::min(text_.find("{{", at_), text_.size()) - at_;
    if (size > 0) nodes.push_back({Kind::text, std::string(text_.substr(at_, size)), line_, {}});
    advance(size);
  }
  void advance(std::size_t bytes) {
    const std::string_view passed = text_.substr(at_, bytes);
    line_ += static_cast<std::size_t>(std::count(passed.begin(), passed.end(), '\n'));
    at_ += bytes;
  }
  Tag take_tag() {
    Tag tag;
    tag.line = line_;
    const bool unescaped = text_.substr(at_, 3) == "{{{";
    const std::string_view end = unescaped ? "}}}" : "}}";
    const std::size_t begin = at_ + end.size();
    const std::size_t close = text_.find(end, begin);
    if (close == std::string_view::npos) fail(line_, "a tag is not closed");
    tag.whole = text_.substr(at_, close + end.size() - at_);
    tag.name = trimmed(text_.substr(begin, close - begin));
    constexpr std::string_view kSigils = "#^/>!<$&=";
    if (!unescaped && !tag.name.empty() && kSigils.find(tag.name.front()) != std::string::npos) {
      tag.sigil = tag.name.front();
      tag.name = trimmed(tag.name.substr(1));
    }
    advance(tag.whole.size());
    if (tag.sigil == '=') fail(tag.line, "the marks of tags cannot be changed");
    if (tag.sigil == '!') return tag;
    if (tag.name.empty()) fail(tag.line, "a tag has no name");
    if (tag.name.find_first_of("{}\r\n") != std::string_view::npos) {
      fail(tag.line, "a tag's name has braces or line breaks in it");
    }
    return tag;
  }

  // Up to the tag that closes `opened`, or to the end.
  std::vector<TemplateNode> parse_until(const Tag& opened) {
    if (++depth_ > kMostSections + kMostIncludes) {
      fail(opened.line, "more than " + std::to_string(kMostSections) + " sections in one another");
    }
    std::vector<TemplateNode> nodes;
    for (;;) {
      take_text(nodes);
      if (at_ == text_.size()) break;
      const Tag tag = take_tag();
      if (tag.sigil == '/') {
        close(opened, tag);
        --depth_;
        if (opened.sigil == '#' || opened.sigil == '^') {
          nodes.push_back({Kind::close, std::string(tag.whole), tag.line, {}});
        }
        return nodes;
      }
      add(tag, nodes);
    }
    if (!opened.name.empty()) {
      fail(opened.line, "section \"" + std::string(opened.name) + "\" is not closed");
    }
    --depth_;
    return nodes;
  }
  void close(const Tag& opened, const Tag& closing) const {
    if (opened.name == closing.name) return;
    const std::string name(closing.name);
    if (opened.name.empty()) fail(closing.line, "\"" + name + "\" is closed, but was not opened");
    fail(closing.line, "\"" + name + "\" is closed where \"" + std::string(opened.name) +
                           "\" is open, since line " + std::to_string(opened.line));
  }
  void add(const Tag& tag, std::vector<TemplateNode>& nodes) {
    switch (tag.sigil) {
      case '!': return;
      case '>': nodes.push_back({Kind::include, std::string(tag.name), tag.line, {}}); return;
      case '<':
      case '$':
        nodes.push_back({tag.sigil == '<' ? Kind::parent : Kind::block, std::string(tag.name),
                         tag.line, parse_until(tag)});
        return;
      case '#':
      case '^': {
        nodes.push_back({Kind::open, std::string(tag.whole), tag.line, {}});
        std::vector<TemplateNode> inside = parse_until(tag);
        std::move(inside.begin(), inside.end(), std::back_inserter(nodes));
        return;
      }
      default: nodes.push_back({Kind::text, std::string(tag.whole), tag.line, {}});
    }
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t depth_ = 0;
};

// Puts files together.
class Flattener {
 public:
  // What blocks are filled with, by name; in the file that fills them.
  struct Filling {
    const std::vector<TemplateNode>* nodes;
    const std::string* file;
  };
  using Fillings = std::map<std::string, Filling, std::less<>>;

  Flattener(const TemplateFiles& files, const std::string& folder, std::size_t most)
      : files_(files), folder_(folder), most_(most) {}

  void add_file(const std::string& name, const Fillings& fillings) {
    add(files_.find(name)->second, name, fillings);
  }
  std::string take() { return std::move(text_); }

 private:
  [[noreturn]] void fail(const std::string& file, std::size_t line, const std::string& what) const {
    throw TemplateError(folder_ + "/" + file + ":" + std::to_string(line) + ": " + what);
  }
  void append(const TemplateNode& node, const std::string& file) {
    if (text_.size() + node.text.size() > most_) {
      fail(file, node.line,
           "with what it includes the template has more than " + std::to_string(most_) +
               " bytes, which TemplatesOptions::bytes allows");
    }
    text_ += node.text;
  }
  void add(const std::vector<TemplateNode>& nodes, const std::string& file,
           const Fillings& fillings) {
    for (const TemplateNode& node : nodes) {
      // What includes much of nothing adds no bytes, and takes time all the same.
      if (++parts_ > kMostParts) {
        fail(file, node.line,
             "with what it includes the template has more than " + std::to_string(kMostParts) +
                 " tags and texts");
      }
      switch (node.kind) {
        case Kind::open:
          if (++sections_ > kMostSections) {
            fail(file, node.line,
                 "more than " + std::to_string(kMostSections) + " sections in one another");
          }
          append(node, file);
          break;
        case Kind::close:
          --sections_;
          append(node, file);
          break;
        case Kind::text: append(node, file); break;
        case Kind::include: include(node, file, {}); break;
        case Kind::parent: include(node, file, filled(node, file, fillings)); break;
        case Kind::block: add_block(node, file, fillings); break;
      }
    }
  }
  void add_block(const TemplateNode& node, const std::string& file, const Fillings& fillings) {
    const auto filling = fillings.find(node.text);
    if (filling == fillings.end()) return add(node.nodes, file, fillings);
    // What fills a block may have blocks of its own, but is not filled by itself.
    Fillings others = fillings;
    others.erase(node.text);
    add(*filling->second.nodes, *filling->second.file, others);
  }
  // What a file fills in is overridden by who includes that file as its parent.
  static Fillings filled(const TemplateNode& parent, const std::string& file,
                         const Fillings& fillings) {
    Fillings made = fillings;
    for (const TemplateNode& node : parent.nodes) {
      if (node.kind == Kind::block) made.emplace(node.text, Filling{&node.nodes, &file});
    }
    return made;
  }
  void include(const TemplateNode& node, const std::string& file, const Fillings& fillings) {
    const auto found = files_.find(node.text);
    if (found == files_.end()) {
      fail(file, node.line, "there is no template \"" + node.text + "\" in " + folder_);
    }
    if (++includes_ > kMostIncludes) {
      fail(file, node.line,
           "more than " + std::to_string(kMostIncludes) +
               " templates include one another; does one of them include itself?");
    }
    add(found->second, found->first, fillings);
    --includes_;
  }

  const TemplateFiles& files_;
  const std::string& folder_;
  std::size_t most_;
  std::string text_;
  std::size_t parts_ = 0;
  std::size_t includes_ = 0;
  std::size_t sections_ = 0;
};

}  // namespace

std::vector<TemplateNode> parse_template(std::string_view text, const std::string& where) {
  return Parser(text, where).parse();
}

std::string flatten_template(const TemplateFiles& files, const std::string& folder,
                             const std::string& name, std::size_t most) {
  Flattener flattener(files, folder, most);
  flattener.add_file(name, {});
  return flattener.take();
}

}  // namespace weft::app
