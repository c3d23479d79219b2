#!/usr/bin/python3
"""Fails on an #include that points the wrong way through the layers.

usage: check_layers.py [ROOT]

A file below src/LAYER/ may include its own layer and those before it in LAYERS. A public header
may include public headers only; a layer may include those public headers that PUBLIC_FROM gives
to it or to a layer before it, and the layers in PUBLIC_ALL may include all of them.
"""

import re
import sys
from pathlib import Path

LAYERS = ["ksvc", "gvt", "coro", "net", "http", "exec", "app", "cli", "python"]
# What stands on top of all others like another one, and is nothing to that.
APART = {"python": "cli"}

# The concepts and entry types stand alone: nothing of the project but themselves.
CORE = "ksvc/core"

# The vocabulary that a layer below `app` implements or speaks: header, or folder of them -> the
# first such layer.
PUBLIC_FROM = {
    "weft/version.hpp": "ksvc",
    "weft/result.hpp": "ksvc",
    "weft/detail/": "gvt",
    "weft/blocking.hpp": "gvt",
    "weft/cancel.hpp": "gvt",
    "weft/channel.hpp": "gvt",
    "weft/green.hpp": "gvt",
    "weft/inspect.hpp": "gvt",
    "weft/local.hpp": "gvt",
    "weft/scope.hpp": "gvt",
    "weft/select.hpp": "gvt",
    "weft/sync.hpp": "gvt",
    "weft/system_call.hpp": "gvt",
    "weft/coro.hpp": "coro",
    "weft/dns.hpp": "net",
    "weft/endpoint.hpp": "net",
    "weft/file.hpp": "net",
    "weft/net.hpp": "net",
    "weft/pipe.hpp": "net",
    "weft/signals.hpp": "net",
    "weft/client.hpp": "http",
    "weft/http.hpp": "http",
    "weft/http_error.hpp": "http",
    "weft/values.hpp": "http",
    "weft/json.hpp": "http",
    "weft/limits.hpp": "http",
    "weft/respond.hpp": "http",
}
PUBLIC_ALL = ["app", "cli", "python"]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes_of(path):
    """Yields (line number, whether it is quoted, name) for each #include."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def sources_below(folder):
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.rglob("*") if p.suffix in (".hpp", ".h", ".cpp", ".c", ".S"))


def usable_by(layer):
    return [one for one in LAYERS[: LAYERS.index(layer) + 1] if one != APART.get(layer)]


def owner_of(name, here, root):
    """What an included name belongs to: a layer, "public", or None for the system's headers.

    A quoted name is looked up beside the including file as the compiler does, so that
    "../http/parser.hpp" is seen for what it is.
    """
    if name.startswith("weft/"):
        return "public", name
    beside = (here.parent / name).resolve()
    if beside.is_file() and beside.is_relative_to((root / "src").resolve()):
        name = beside.relative_to((root / "src").resolve()).as_posix()
    first = name.split("/")[0]
    return (first if first in LAYERS else None), name


def complaint_about_public(layer, name):
    if layer in PUBLIC_ALL:
        return None
    first = PUBLIC_FROM.get(name, PUBLIC_FROM.get(name[: name.rindex("/") + 1]))
    if first in usable_by(layer):
        return None
    allowed = [h for h, least in sorted(PUBLIC_FROM.items()) if least in usable_by(layer)]
    return f"layer {layer} uses of the public headers only: {', '.join(allowed)}"


def check_layer_file(path, layer, root):
    shown = path.relative_to(root)
    in_core = path.is_relative_to(root / "src" / CORE)
    for number, _, name in includes_of(path):
        owner, name = owner_of(name, path, root)
        if owner is None:
            continue
        if in_core and not name.startswith(CORE + "/"):
            yield f"{shown}:{number}: {CORE} may not include {name}: it uses only itself"
        elif owner == "public":
            complaint = complaint_about_public(layer, name)
            if complaint:
                yield f"{shown}:{number}: src/{layer} may not include {name}: {complaint}"
        elif owner not in usable_by(layer):
            uses = ", ".join(usable_by(layer))
            yield (f"{shown}:{number}: src/{layer} may not include {name}: "
                   f"layer {layer} uses only: {uses}")


def check_public_file(path, root):
    shown = path.relative_to(root)
    for number, quoted, name in includes_of(path):
        owner, name = owner_of(name, path, root)
        if owner == "public" and (root / "include" / name).is_file():
            continue
        if owner is not None or quoted:
            yield (f"{shown}:{number}: a public header may not include {name}: "
                   "it uses only weft/... and the system's headers")


def check_tree(root):
    complaints = []
    for path in sources_below(root / "include"):
        complaints += check_public_file(path, root)
    for path in sources_below(root / "src"):
        layer = path.relative_to(root / "src").parts[0]
        if layer in LAYERS:
            complaints += check_layer_file(path, layer, root)
        else:
            complaints.append(f"{path.relative_to(root)}:1: {layer} is no layer; "
                              f"the layers are: {', '.join(LAYERS)}")
    return complaints


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    complaints = check_tree(root)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
