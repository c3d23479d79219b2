#!/usr/bin/python3
"""Writes a wheel of the package for Python from a build, without a network or other tools.

usage: make_wheel.py BUILD OUTPUT

The module is for one version of Python and links to this system's libraries, and so the wheel is
for machines like this one: it is tagged `linux_…`, which pip takes from a file. The same build
gives the same bytes. Prints the wheel's path.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
NAME = "weft"
# Zip archives know no earlier time; a wheel is not to depend on when it was made.
TIME = (1980, 1, 1, 0, 0, 0)


def version():
    found = re.search(r"project\(weft\s+VERSION (\S+)",
                      (SOURCE / "CMakeLists.txt").read_text("utf-8"))
    return found[1]


def tag_of(module):
    """cp311-cp311-linux_x86_64 of _weft.cpython-311-x86_64-linux-gnu.so."""
    found = re.fullmatch(r"_weft\.cpython-(\d+)-.*\.so", module.name)
    if found is None:
        raise SystemExit(f"make_wheel: {module.name} is for no Python that this script knows")
    platform = re.sub(r"[^A-Za-z0-9]", "_", sysconfig.get_platform())
    return f"cp{found[1]}-cp{found[1]}-{platform}"


def files_of(build):
    """(path in the wheel, content) of the package; links are followed."""
    modules = sorted((build / "python" / NAME).glob("_weft.*.so"))
    if not modules:
        raise SystemExit(f"make_wheel: there is no module in {build / 'python' / NAME}; build it "
                         "first, which needs python3-dev")
    module = modules[-1]
    found = [(f"{NAME}/{module.name}", stripped(module))]
    package = SOURCE / "python" / NAME
    for path in sorted(package.iterdir()):
        if path.suffix in (".py", ".pyi") or path.name == "py.typed":
            found.append((f"{NAME}/{path.name}", path.read_bytes()))
    for path in sorted((package / "docs_page").iterdir()):
        found.append((f"{NAME}/docs_page/{path.name}", path.read_bytes()))
    return module, found


def stripped(module):
    """Without what only a debugger reads, which is most of it, where a program can do that."""
    if shutil.which("strip") is None:
        return module.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, module.name)
        shutil.copyfile(module, copy)
        subprocess.run(["strip", "--strip-debug", str(copy)], check=True)
        return copy.read_bytes()


def metadata():
    readme = ("HTTP applications in Python on weft's server: decorators of its own, ASGI and "
              "WSGI.\n\n    from weft import App\n\n    app = App()\n\n    @app.get(\"/\")\n"
              "    def hello():\n        return \"hello\"\n")
    return "\n".join([
        "Metadata-Version: 2.1", f"Name: {NAME}", f"Version: {version()}",
        "Summary: HTTP applications in Python on weft's server", "Requires-Python: >=3.11",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3", "Classifier: Typing :: Typed",
        "License-File: LICENSE", "Description-Content-Type: text/markdown", "", readme]).encode()


def write(build, output):
    module, files = files_of(build)
    tag = tag_of(module)
    information = f"{NAME}-{version()}.dist-info"
    files += [
        (f"{information}/METADATA", metadata()),
        (f"{information}/WHEEL", f"Wheel-Version: 1.0\nGenerator: weft\nRoot-Is-Purelib: false\n"
                                 f"Tag: {tag}\n".encode()),
        (f"{information}/top_level.txt", f"{NAME}\n".encode()),
        (f"{information}/LICENSE", (SOURCE / "LICENSE").read_bytes()),
    ]
    record = "".join(f"{path},sha256={digest(data)},{len(data)}\n" for path, data in files)
    files.append((f"{information}/RECORD", f"{record}{information}/RECORD,,\n".encode()))
    output.mkdir(parents=True, exist_ok=True)
    wheel = output / f"{NAME}-{version()}-{tag}.whl"
    fresh = wheel.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files:
            entry = zipfile.ZipInfo(path, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if path.endswith(".so") else 0o100644) << 16
            archive.writestr(entry, data)
    fresh.replace(wheel)
    return wheel


def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__.split("\n\n")[1])
    print(write(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
