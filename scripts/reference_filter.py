#!/usr/bin/python3
"""Prints a public header with its comments as Doxygen wants them; for `make reference`.

usage: reference_filter.py HEADER

Headers are commented in plain `//`. What a comment is about follows from where it stands:

- at the head of the file: the file, and the type that it names (`// App: routes and ...`) where
  that has no comment of its own; a type NameOptions is what a function is told that
  the head names (`// name: lets ...`)
- in front of a declaration, without a blank line between: that one, and those of the same name
  that follow it directly; where it begins with "Each", all that follow it directly
- behind a declaration, on its line: that one
- `// ---- Title` within a type: the members up to the next title
- in `protected:` parts and function bodies, and anywhere else: nobody

Indented parts of comments are code. Outside of that and of `code` nothing in a comment has a
meaning to Doxygen.
"""

import re
import sys
from pathlib import Path

HEAD_NAME = r"\w+(?:<\w+>)?(?:\(\))?"
HEAD_NAMES = re.compile(rf"^({HEAD_NAME}(?:(?:, | and ){HEAD_NAME})*): (?=\S)")
CODE_SPAN = re.compile(r"(`[^`]*`)")
SECTION = re.compile(r"^---- ?")
NOT_NAMES = {"requires", "noexcept", "decltype", "explicit", "alignas", "sizeof", "static_assert"}
NAME = re.compile(r"(operator\s*(?:\(\)|\[\]|[^\s\w(]+|\s\w[\w:]*)|~?\b\w+)\s*\(")


def escaped(text):
    """Text without a meaning to Doxygen, but for its code spans."""
    parts = CODE_SPAN.split(text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([\\@<>&#%*$\"|~\[\]])", r"\\\1", parts[i]).replace(r"\|", "|") \
            .replace(r"\*", "&lowast;").replace(r"\[", "[").replace(r"\]", "]") \
            .replace(r"\~", "~")
    return "".join(parts)


def documentation(lines):
    """The contents of comment lines, as those of a Doxygen comment."""
    result, text, in_code = [], [], False

    def flush():
        # Together, since a code span may go on in the next line.
        result.extend(escaped("\n".join(text)).split("\n") if text else [])
        text.clear()

    for line in lines:
        is_code = line.startswith("    ") or (in_code and not line.strip())
        if is_code and not in_code:
            flush()
            result.append("@code{.cpp}")
        elif in_code and not is_code:
            result.append("@endcode")
        in_code = is_code
        if is_code:
            result.append(line[4:])
        else:
            text.append(line)
    flush()
    if in_code:
        while result and not result[-1].strip():
            result.pop()
        result.append("@endcode")
    return result


def without_template(text):
    """A declaration without `template <...>` in front."""
    text = text.strip()
    while text.startswith("template"):
        depth, at = 0, text.find("<")
        for at in range(at, len(text)):
            depth += {"<": 1, ">": -1}.get(text[at], 0)
            if depth == 0:
                break
        text = text[at + 1:].strip()
    return text


def declared_name(statement):
    """The name of the function that is declared, or nothing."""
    text = without_template(statement)
    if re.match(r"(using|friend|typedef|enum|static_assert)\b", text):
        return None
    for found in NAME.finditer(text):
        if found.group(1) not in NOT_NAMES:
            return found.group(1)
    return None


def needs_no_sentence(statement, name):
    """Whether it copies, moves or destroys."""
    if name is None or name.startswith("~"):
        return name is not None
    found = re.search(re.escape(name) + r"\(([^()]*)\)", statement)
    parameter = re.fullmatch(r"(?:const )?(\w+)(?:<[^>]*>)?&&?(?: \w+)?",
                             found.group(1) if found else "")
    return parameter is not None and name in ("operator=", parameter.group(1))


def kind_of_brace(statement):
    text = without_template(statement)
    if re.match(r"(inline )?namespace\b", text):
        return "namespace"
    head = re.sub(r"\[\[.*?\]\]|alignas\([^)]*\)", "", text)
    if re.match(r"(class|struct|union|enum)\b", head) and "(" not in head.split("{")[0]:
        return "type"
    return "body"


class Filter:
    def __init__(self, lines):
        self.lines = lines
        self.out = []
        self.braces = []  # kinds: namespace, type or body
        self.sections = []  # how many braces are open where a section stands
        self.parentheses = 0
        self.statement = ""
        self.comment = []  # in front of the statement
        self.last = (None, [])  # name and comment of the statement before, if nothing is between
        self.trailing_column = None
        self.head, self.documented_types, self.types = [], set(), {}

    def outside_bodies(self):
        return "body" not in self.braces

    def in_type(self):
        return bool(self.braces) and self.braces[-1] == "type"

    def put(self, lines, mark="///"):
        self.out.extend(f"{mark} {line}".rstrip() for line in lines)

    @staticmethod
    def split_code(line):
        """The line's code with its literals emptied, its comment, and where that begins."""
        code, at, quote = "", 0, None
        while at < len(line):
            char = line[at]
            if quote:
                at += 1 if char == "\\" else 0
                if char == quote:
                    quote = None
                    code += char
            elif line.startswith("//", at):
                return code, line[at + 2:].strip(), at
            else:
                # Between digits an apostrophe only parts them.
                if char == '"' or (char == "'" and not line[at - 1:at].isalnum()):
                    quote = char
                code += char
            at += 1
        return code, None, None

    def end_statement(self):
        name = declared_name(self.statement)
        self.last = (None, [])
        if self.comment and self.comment[0].startswith("Each "):
            self.last = ("Each", self.comment)
        elif name is not None and not needs_no_sentence(self.statement, name):
            self.last = (name, self.comment)
        self.statement, self.comment = "", []

    def read_code(self, code):
        for char in code:
            if char in "()":
                self.parentheses += 1 if char == "(" else -1
            if char == "{":
                self.open_brace()
            elif char == "}":
                self.close_brace()
            elif char == ";" and self.parentheses == 0 and self.outside_bodies():
                self.end_statement()
            elif self.outside_bodies():
                self.statement += char
        if self.outside_bodies():
            self.statement += "\n"
            if re.fullmatch(r"\s*(public|private):\s*", self.statement):
                self.statement, self.last = "", (None, [])

    def open_brace(self):
        kind = "body" if self.parentheses or not self.outside_bodies() \
            else kind_of_brace(self.statement)
        self.braces.append(kind)
        if kind == "body":
            return
        self.last = (None, [])
        self.statement, self.comment = "", []

    def close_brace(self):
        if not self.braces:
            return
        kind = self.braces.pop()
        if not self.outside_bodies() or self.parentheses:
            return
        if kind == "body":
            # A function's; that of an initialiser is followed by a semicolon.
            if declared_name(self.statement):
                self.end_statement()
        else:
            self.statement, self.comment, self.last = "", [], (None, [])

    def close_section(self, line):
        code = line.strip()
        ends = code in ("};", "private:")
        if self.sections and (ends and self.sections[-1] == len(self.braces)):
            self.sections.pop()
            self.out.append("/// @}")

    def whole_line_comments(self, at):
        """Handles the run of comment lines at `at`; returns where it ends."""
        end = at
        while end < len(self.lines) and self.lines[end].lstrip().startswith("//"):
            end += 1
        texts = [line.lstrip()[2:].removeprefix(" ").rstrip() for line in self.lines[at:end]]
        column = len(self.lines[at]) - len(self.lines[at].lstrip())
        is_declared = end < len(self.lines) and self.lines[end].strip() != ""
        if column == self.trailing_column and self.outside_bodies():
            self.put(documentation(texts), "///<")
        elif SECTION.match(texts[0]):
            if self.in_type():
                self.section(SECTION.sub("", texts[0]), texts[1:])
            self.last = (None, [])
        elif self.outside_bodies() and is_declared and not self.statement.strip():
            self.comment = documentation(texts)
            if self.trailing_column is not None:
                self.out.append("")  # or else it would go on with what is behind the line
            self.put(self.comment)
        elif not self.statement.strip():
            self.last = (None, [])
        return end

    def section(self, title, more):
        if self.sections and self.sections[-1] == len(self.braces):
            self.sections.pop()
            self.out.append("/// @}")
        while more and not title.endswith("."):
            title += " " + more.pop(0)
        self.put([f"@name {title.rstrip('.')}"])
        self.put(documentation(more))
        self.out.append("/// @{")
        self.sections.append(len(self.braces))

    def note_type(self, line):
        found = re.match(r"(class|struct)\s+(?:\[\[.*?\]\]\s*)?(\w+)\b(?!<|;)", line.strip())
        if found and self.braces == ["namespace"]:
            self.types.setdefault(found.group(2), found.group(1))
            if self.comment:
                self.documented_types.add(found.group(2))

    def code_line(self, line):
        if line.strip() == "protected:":
            # For what weft itself derives.
            line = line.replace("protected", "private")
        code, comment, column = self.split_code(line)
        self.close_section(line)
        self.note_type(code)
        if not self.statement.strip() and self.outside_bodies() and not self.comment \
                and self.last[0] is not None:
            name = declared_name(self.first_statement(line))
            if self.last[0] in (name, "Each") and not needs_no_sentence(self.whole, name):
                self.comment = self.last[1]
                self.put(self.comment)
        was_outside = self.outside_bodies()
        self.read_code(code)
        self.trailing_column = None
        if comment is not None and was_outside and self.outside_bodies() and \
                not code.rstrip().endswith(("{", ":", "}")):
            self.trailing_column = column
            self.out.append(f"{line[:column].rstrip()}  ///< {escaped(comment)}")
        else:
            self.out.append(line[:column].rstrip())

    def first_statement(self, line):
        """The declaration that begins in this line, up to its body or semicolon."""
        at = self.at
        self.whole = ""
        while at < len(self.lines):
            self.whole += self.split_code(self.lines[at])[0] + "\n"
            if re.search(r"[;{]", self.whole):
                break
            at += 1
        return self.whole

    def run(self):
        self.at = 0
        while self.at < len(self.lines) and self.lines[self.at].startswith("//"):
            self.at += 1
        self.head = [line[2:].removeprefix(" ").rstrip() for line in self.lines[:self.at]]
        self.names = HEAD_NAMES.match(self.head[0]) if self.head else None
        if self.names:
            # Of a file in a list they say what its name says.
            text = self.head[0][self.names.end():]
            self.head[0] = text[0].upper() + text[1:]
        self.put(documentation(self.head))
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith("#pragma once"):
                self.out.append("/// @file")
            elif line.lstrip().startswith("//"):
                self.at = self.whole_line_comments(self.at)
                continue
            elif not line.strip():
                self.last, self.trailing_column = (None, []), None
                self.out.append("")
            elif line.startswith("#"):
                self.out.append(line)
            else:
                self.code_line(line)
            self.at += 1
        self.document_main_types()
        return "\n".join(self.out) + "\n"

    def document_main_types(self):
        found = self.names.group(0) if self.names else ""
        for name in re.findall(r"(\w+)(?:<\w+>)?(?:\(\))?(?:, | and |: )", found):
            # What a function `name()` is told is a NameOptions.
            options = "".join(word.capitalize() for word in name.split("_")) + "Options"
            self.document_type(name, self.head)
            self.document_type(options, [f"What {name}() is told."])

    def document_type(self, name, text):
        if name in self.types and name not in self.documented_types:
            self.out.append("")
            self.put([f"@{self.types[name]} weft::{name}", *documentation(text)])


def main():
    print(Filter(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()).run(), end="")


if __name__ == "__main__":
    main()
