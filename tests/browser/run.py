#!/usr/bin/python3
"""Starts a server and has a script of Node.js look at its pages in Chromium.

usage: run.py FOLDER SCRIPT SERVER [WORDS...]

What drives the browser comes from npm's registry and is kept in FOLDER. Ends with 77 where there
is no Node.js, no Chromium, or no way to that registry.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# No test is to ask the network's proxy for a server of its own machine.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "bench"))

import harness  # noqa: E402

SKIPPED = 77
INSTALL_SECONDS = 120
SCRIPT_SECONDS = 240


def skip(text):
    print(f"skipped: {text}", flush=True)
    sys.exit(SKIPPED)


def program(name, package):
    return shutil.which(name) or skip(f"there is no {name}: install the package {package}")


def install_modules(folder, npm):
    """Once for each version of package.json."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_bytes()
    kept = folder / "package.json"
    if (folder / "installed").exists() and kept.exists() and kept.read_bytes() == wanted:
        return
    kept.write_bytes(wanted)
    command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        skip(f"npm cannot install what drives the browser: {error}")
    (folder / "installed").touch()


def main():
    if len(sys.argv) < 4:
        sys.exit(f"usage: {sys.argv[0]} FOLDER SCRIPT SERVER [WORDS...]")
    folder, script, server, *words = sys.argv[1:]
    harness.end_cleanly_on_sigterm()
    node, npm = program("node", "nodejs"), program("npm", "npm")
    chromium = program("chromium", "chromium")
    install_modules(Path(folder), npm)
    os.environ["WEFT_BROWSER_MODULES"] = folder
    with harness.running_server(f"{server} {' '.join(words)} --port {{port}}") as (_, port):
        done = subprocess.run([node, str(HERE / script), f"http://127.0.0.1:{port}", chromium],
                              check=False, timeout=SCRIPT_SECONDS)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
