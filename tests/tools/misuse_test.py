"""What the compiler says of the usual mistakes: one sentence each, that says what to do.

usage: misuse_test.py COMPILER
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PREAMBLE = """#include <weft/weft.hpp>
struct Plain {};
enum class Bare { one };
void misuse(weft::App& app, weft::RouteGroup& group, weft::Context& c) {
(void)app; (void)group; (void)c;
"""
# The mistake, a part of what must be said of it, and the most errors that it may make.
MISUSES = [
    ('app.get("/", [](weft::Context&) { return 7; });', "wrap it: weft::typed(...)", 1),
    ('group.post("/", [](weft::Context&) { return std::string("text"); });',
     "wrap it: weft::typed(...)", 1),
    ('group.get("/", [](weft::Context&) -> weft::Task<int> { co_return 1; });',
     "wrap it: weft::typed(...)", 1),
    ('app.not_found([](weft::Context&) { return 7; });', "wrap it: weft::typed(...)", 1),
    ('app.get("/", [](weft::Context&, weft::Respond) { return 7; });',
     "it answers through its Respond", 1),
    ('app.get("/", [](int) { return 7; });', "is wrapped: weft::typed(...)", 1),
    ('app.use([](weft::Context&) {});', "called with (weft::Context&, weft::Next&)", 1),
    ('app.use([](weft::Context&, weft::Next& next) -> weft::Task<void> { next(); co_return; });',
     "is no coroutine", 1),
    ('c.json(Plain());', "give it a weft::Schema", 1),
    ('c.json({{"list", std::vector<Plain>(2)}});', "give it a weft::Schema", 1),
    ('c.json({{"kind", Bare::one}});', "weft::Names", 1),
    ('app.get("/", weft::typed([] { return Plain(); }));', "give it a weft::Schema", 2),
    ('app.post("/", weft::typed([](Plain) { return 7; }));', "a struct with a weft::Schema", 2),
]
RIGHT = """app.get("/", [](weft::Context& c) { c.status(204); });
app.get("/", [](weft::Context& c) -> weft::Context& { return c.status(204); });
app.get("/", [](weft::Context&) -> weft::Task<void> { co_return; });
app.get("/", [](weft::Context&, weft::Next& next) { return next(); },
        [](weft::Context&, weft::Respond respond) { respond(); });
c.json({{"list", std::vector<int>(2)}});
"""


def errors_of(compiler, body):
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-fsyntax-only", f"-I{ROOT / 'include'}",
               "-x", "c++", "-"]
    done = subprocess.run(command, input=PREAMBLE + body + "\n}\n", capture_output=True, text=True,
                          check=False)
    return re.findall(r"(?:error|warning): (.*)", done.stderr)


def main():
    compiler = sys.argv[1]
    wrong = [f"what is right is refused: {error}" for error in errors_of(compiler, RIGHT)]
    for code, expected, most in MISUSES:
        errors = errors_of(compiler, code)
        if not 1 <= len(errors) <= most or expected not in errors[0]:
            wrong.append(f"{code}\n  should say: {expected}\n  says: " + "\n    ".join(errors))
    print("\n".join(wrong) or f"misuse: {len(MISUSES)} mistakes are explained")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
