"""The servers of bench/http.py: the floor, weft, and the peers that there are on this machine.

A peer is a configuration or a small program of bench/peers: one worker, connections kept for ever,
no access log, the same bodies and header fields. Programs are built into build/bench/peers.
"""

import glob
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import harness
from harness import BenchmarkError
from http_bench.rows import FILES, IDLE_CONNECTIONS, IDLE_WAVE

SOURCES = harness.REPOSITORY / "bench" / "peers"
BUILD = harness.RESULTS_FOLDER / "peers"
FILES_FOLDER = BUILD / "files"
CRATES = "/usr/share/cargo/registry"
GO_PACKAGES = "/usr/share/gocode"


@dataclass(frozen=True)
class Server:
    """`command` has {port} in it, or is a function of the port; `files_command` serves /files/."""

    name: str
    command: str | Callable[[int], str]
    close_option: str = ""  # The floors close only when told to; a server reads the request.
    files_command: str | Callable[[int], str] | None = None
    ours: bool = False
    own_allocator: bool = False  # Its allocations cannot be counted in the C library.

    def command_for(self, row):
        if row.file_bytes is not None:
            return self.files_command
        return self.command + self.close_option if row.connection_per_request \
            and self.close_option else self.command


# ---- weft and the floors -----------------------------------------------------------------------


def floor(build, name="floor", program="epoll_floor"):
    return Server(name, f"{build / 'bench' / program} -p {{port}}", " -C")


def weft_servers(build, choice):
    """weft on its back ends: `choice` is one of them, or both, default, or none."""
    if choice == "none":
        return []
    hello, files = build / "examples" / "hello", build / "examples" / "files"
    harness.require_programs(hello)
    options = "--host 127.0.0.1 --port {port} --workers 1"

    def server(name, extra):
        files_command = f"{files} {options} --root {FILES_FOLDER}{extra}"
        return Server(name, f"{hello} {options}{extra}", ours=True,
                      files_command=files_command if os.access(files, os.X_OK) else None)

    if choice == "default":
        return [server("weft", "")]
    names = ("io_uring", "epoll") if choice == "both" else (choice,)
    servers = [server(f"weft-{name}", f" --backend {name}") for name in names]
    if choice == "both" and not _starts(servers[0]):
        harness.say("io_uring is refused here: epoll alone is measured")
        servers.pop(0)
    return servers


def _starts(server):
    try:
        with harness.running_server(server.command):
            return True
    except BenchmarkError:
        return False


# ---- Peers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """`needs` are files that must be there, and the Debian package that brings each."""

    title: str
    needs: dict[str, str]
    make: Callable[[], Server]


def configured(template, **values):
    """A function of the port that writes the configuration and returns its path."""
    text = (SOURCES / template).read_text()

    def write(port):
        folder = BUILD / template.partition(".")[0]
        folder.mkdir(parents=True, exist_ok=True)
        filled = text
        for key, value in {"port": port, "folder": folder, **values}.items():
            filled = filled.replace(f"{{{key}}}", str(value))
        path = folder / template
        path.write_text(filled)
        return path

    return write


def _nginx():
    write = configured("nginx.conf", files=FILES_FOLDER,
                        descriptors=harness.raise_descriptor_limit())
    user = "-g 'user root;'" if os.geteuid() == 0 else ""  # Or it may not read this folder.

    def command(port):
        return f"/usr/sbin/nginx -e stderr {user} -c {write(port)}"

    return Server("nginx", command, files_command=command)


def _haproxy():
    # It wants two descriptors for each of its connections, though here it opens one.
    fitting = harness.raise_descriptor_limit() // 2 - 100
    write = configured("haproxy.cfg",
                        connections=max(fitting, IDLE_CONNECTIONS + 2 * IDLE_WAVE))
    return Server("haproxy", lambda port: f"/usr/sbin/haproxy -f {write(port)}")


def _h2o():
    source, common = SOURCES / "h2o_server.c", harness.REPOSITORY / "bench" / "floor"
    program = harness.built(BUILD / "h2o_server", [source, common / "floor.h"],
                            ["cc", "-O2", "-I", common, source, "-o", BUILD / "h2o_server",
                             "-lh2o-evloop"])
    return Server("h2o", f"{program} {{port}}")


def _go(name, source, **environment):
    program = harness.built(
        BUILD / name, [SOURCES / source], ["go", "build", "-o", BUILD / name, SOURCES / source],
        GOCACHE=str(BUILD / "go-cache"), GOFLAGS="", GO111MODULE="off", **environment)
    return Server(name, f"{program} {{port}}", own_allocator=True)


def _rust(name, folder):
    """Built in a copy, because cargo writes a lock file beside its manifest."""
    crate, copy = SOURCES / folder, BUILD / folder
    sources = [crate / "Cargo.toml", crate / "src" / "main.rs", SOURCES / "cargo.toml"]
    shutil.copytree(crate, copy, dirs_exist_ok=True, copy_function=shutil.copy)
    program = harness.built(
        copy / "target" / "release" / f"{name}-server", sources,
        ["/usr/bin/cargo", "build", "--release", "--offline", "--config", SOURCES / "cargo.toml",
         "--manifest-path", copy / "Cargo.toml", "--target-dir", copy / "target"],
        CARGO_HOME=str(BUILD / "cargo"), RUSTC="/usr/bin/rustc")
    return Server(name, f"{program} {{port}}")


RUST = {"/usr/bin/cargo": "cargo", "/usr/bin/rustc": "rustc",
        f"{CRATES}/tokio-1.*": "librust-tokio-dev"}
HYPER_1 = f"{CRATES}/hyper-1.*"
HYPER_NEEDS = {f"{CRATES}/hyper-[01].*": "librust-hyper-dev"} | RUST
HYPER_1_NEEDS = {f"{CRATES}/hyper-util-0.*": "librust-hyper-util-dev",
                 f"{CRATES}/http-body-util-0.*": "librust-http-body-util-dev"}
FASTHTTP = "golang-github-valyala-fasthttp-dev"

PEERS = {
    "nginx": Peer("nginx", {"/usr/sbin/nginx": "nginx"}, _nginx),
    "haproxy": Peer("HAProxy", {"/usr/sbin/haproxy": "haproxy"}, _haproxy),
    "h2o": Peer("h2o", {"/usr/include/h2o.h": "libh2o-evloop-dev",
                        "/usr/include/openssl/ssl.h": "libssl-dev"}, _h2o),
    "net_http": Peer("Go net/http", {"/usr/bin/go": "golang-go"},
                     lambda: _go("net_http", "net_http.go")),
    "fasthttp": Peer("Go fasthttp",
                     {f"{GO_PACKAGES}/src/github.com/valyala/fasthttp/server.go": FASTHTTP,
                      "/usr/bin/go": "golang-go"},
                     lambda: _go("fasthttp", "fasthttp.go", GOPATH=GO_PACKAGES)),
    "hyper": Peer("hyper", HYPER_NEEDS | (HYPER_1_NEEDS if glob.glob(HYPER_1) else {}),
                  lambda: _rust("hyper", "hyper1" if glob.glob(HYPER_1) else "hyper")),
    "axum": Peer("axum", {f"{CRATES}/axum-0.7.*": "librust-axum-dev"} | RUST,
                 lambda: _rust("axum", "axum")),
}
TITLES = {"floor": "floor", "weft": "weft", "weft-io_uring": "weft, io_uring",
          "weft-epoll": "weft, epoll", **{name: peer.title for name, peer in PEERS.items()}}


def peer_servers(names):
    """The peers that there are, their packages' versions, and why the others are left out."""
    make_files()
    servers, versions, left_out = [], {}, {}
    for name in names:
        peer = PEERS[name]
        missing = [package for path, package in peer.needs.items() if not glob.glob(path)]
        if missing:
            left_out[name] = f"not installed: {', '.join(missing)}"
            continue
        try:
            servers.append(peer.make())
        except BenchmarkError as error:
            left_out[name] = str(error)
            continue
        versions |= {package: harness.package_version(package)
                     for package in peer.needs.values() if package != "libssl-dev"}
    return servers, versions, left_out


def make_files():
    FILES_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, size in FILES.items():
        path = FILES_FOLDER / name
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(bytes(i % 251 for i in range(size)))
