"""`weft serve MODULE:NAME`, and App.run(): from options to a server that runs.

One process serves by itself. With --workers above one, and with --reload, this process supervises
others, which are the same command again, and loads nothing of the application itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import logging.config
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import _options, _subinterpreters
from ._load import LoadError, as_asgi3, describe_failure, load
from ._options import Config, OptionError
from ._supervisor import (
    PID_VARIABLE,
    READY_VARIABLE,
    ListenError,
    Supervisor,
    open_socket,
    words_of_python,
)
from ._version import __version__

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
# The application did not start: as uvicorn has it.
EXIT_STARTUP = 3

# What a worker is told beside its options: the socket that it serves.
_FD_VARIABLE = "WEFT_WORKER_SOCKET"
# And how many interpreters it is to have.
_INTERPRETERS_VARIABLE = "WEFT_WORKER_INTERPRETERS"
_PR_SET_PDEATHSIG = 1

# When all is over: for threads that still run, and for what the application does at exit.
EXIT_SECONDS = 10.0


def say(text: str) -> None:
    print(f"weft: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 asked for wrongly, 3 the application did not start."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] == "serve":
        words = words[1:]
    elif not words or words[0] in ("-h", "--help"):
        _options.parser().print_help()
        return EXIT_DONE if words else EXIT_USAGE
    try:
        config = _read(words)
        return _run(config, lambda: _load(config), lambda: ["-m", "weft", "serve", *words])
    except (OptionError, ListenError) as error:
        print(f"weft serve: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, OptionError) else EXIT_FAILED


def _read(words: list[str]) -> Config:
    """The options; what an --env-file says counts for those that are not given otherwise."""
    config = _options.read(words, os.environ)
    if config.env_file:
        _options.apply_env_file(config.env_file)
        config = _options.read(words, os.environ)
    return config


def run(application: Any, **options: Any) -> None:
    """Serves until a signal; SystemExit with the status where that is not 0.

    `application` is an application, or "module:name" as on the command line.
    """
    try:
        name = application if isinstance(application, str) else _name_of(application)
        config = _options.combine(name or "application", options, os.environ)
        _options.apply_env_file(config.env_file)
        several = config.workers > 1 or config.reload
        if several and name is None:
            raise OptionError("with workers or reload, each process imports the application anew: "
                              "it has to be a global variable of its module")
        if isinstance(application, str):
            status = _run(config, lambda: _load(config), lambda: _words(config, name, options))
        else:
            status = _run(config, lambda: application, lambda: _words(config, name, options))
    except (OptionError, ListenError, LoadError) as error:
        print(f"weft: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, OptionError) else EXIT_FAILED)
    if status != EXIT_DONE:
        sys.exit(status)


def _name_of(application: Any) -> str | None:
    """`module:name` under which another process finds it; None where it is no global."""
    for name, module in list(sys.modules.items()):
        if module is None or name == "__mp_main__":
            continue
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if value is application:
                if name != "__main__":
                    return f"{name}:{attribute}"
                spec = getattr(module, "__spec__", None)
                if spec is not None and spec.name:  # python3 -m package.module
                    return f"{spec.name.removesuffix('.__main__')}:{attribute}"
                file = getattr(module, "__file__", None)
                if file:
                    return f"{os.path.splitext(os.path.basename(file))[0]}:{attribute}"
    return None


def _words(config: Config, name: str | None, options: dict[str, Any]) -> list[str]:
    """The options of run() as a command for the processes of a supervisor."""
    assert name is not None
    words = ["-m", "weft", "serve", name]
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    if main_file and "app_dir" not in options and not isinstance(name, bytes):
        words += ["--app-dir", os.path.dirname(os.path.abspath(main_file))]
    known = {option.key: option for option in _options.OPTIONS}
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        option = known.get(key)
        if option is not None and option.flag:
            words.append(flag if value else "--no-" + flag[2:])
        elif option is not None and option.optional_value is not None and value is False:
            words.append("--no-" + flag[2:])
        elif isinstance(value, (list, tuple)):
            words += [word for one in value for word in (flag, str(one))]
        elif value is not None:
            words += [flag] if value is True else [flag, str(value)]
    return words


def _load(config: Config) -> Any:
    return load(config.application, config.app_dir, config.factory)


def _run(config: Config, application: Callable[[], Any],
         words: Callable[[], list[str]]) -> int:
    if _subinterpreters.PROBE_VARIABLE in os.environ:
        _end_with_supervisor()
        _subinterpreters.answer_probe(config)
    set_up_logging(config)
    inherited = os.environ.pop(_FD_VARIABLE, None)
    interpreters = os.environ.pop(_INTERPRETERS_VARIABLE, None)
    config.values["interpreters"] = int(interpreters or 1)
    if inherited is not None:
        _end_with_supervisor()
        config.values["fd"] = inherited
        return _serve_here(config, application)
    with _pid_file(config.pid_file):
        if config.workers > 1 or config.reload:
            return _supervise(config, words())
        return _serve_here(config, application)


def _serve_here(config: Config, application: Callable[[], Any]) -> int:
    try:
        loaded = application()
        asgi, kind = as_asgi3(loaded, config.interface, threads=config.threads,
                              multiprocess=config.workers > 1)
    except LoadError as error:
        print(f"weft serve: {error}", file=sys.stderr)
        return EXIT_FAILED
    except (Exception, SystemExit) as error:
        print(f"weft serve: the application {config.application} does not load\n"
              f"{describe_failure(error)}", file=sys.stderr)
        return EXIT_FAILED
    from . import _worker

    return _worker.serve(config, asgi, kind)


def _end_with_supervisor() -> None:
    """The kernel ends this process when its supervisor has gone; also while it still loads."""
    supervisor = os.environ.pop(PID_VARIABLE, None)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if supervisor is not None and supervisor != str(os.getppid()):
        sys.exit(EXIT_FAILED)


def end_in_time(status: int) -> None:
    """Called as the last thing: Python waits at its end for threads, for ever where one is stuck.
    They have EXIT_SECONDS."""

    def watch() -> None:
        time.sleep(EXIT_SECONDS)
        stuck = [one.name for one in threading.enumerate()
                 if one.is_alive() and not one.daemon and one is not threading.main_thread()]
        with contextlib.suppress(Exception):
            say(f"ending without what still runs: {', '.join(stuck) or 'the exit itself'}")
            logging.shutdown()
            sys.stdout.flush()
        os._exit(status)

    threading.Thread(target=watch, name="weft-end", daemon=True).start()


def _supervise(config: Config, words: list[str]) -> int:
    from ._reload import Watch

    listener: socket.socket | int
    if config.fd is not None:
        listener = _inherited(config.fd)
        try:
            is_socket = stat.S_ISSOCK(os.fstat(listener).st_mode)
        except (OSError, OverflowError):
            is_socket = False
        if not is_socket:
            raise OptionError(f"--fd {config.fd}: this process has inherited no socket of that "
                              "number")
    else:
        listener = open_socket(config.host, config.port, config.uds,
                               config.settings.get("uds_mode"))
    watch = None
    if config.reload:
        watch = Watch(config.reload_dir or (config.app_dir,), config.reload_include,
                      config.reload_exclude)

    interpreters = 1

    def command(fd: int) -> list[str]:
        os.environ[_FD_VARIABLE] = str(fd)
        os.environ[_INTERPRETERS_VARIABLE] = str(interpreters)
        # Python would take what it compiled for what was saved again within the same second.
        fresh = ["-B"] if config.reload else []
        return [*words_of_python(), *fresh, *words]

    try:
        interpreters = _interpreters(config, words)
        if not config.quiet:
            what = "1 process, reloading when files change" if config.reload \
                else f"{interpreters} interpreters of one process" if interpreters > 1 \
                else f"{config.workers} processes"
            say(f"serving {config.application} on {place_of(listener)}, {what} "
                f"(pid {os.getpid()})")
        count = config.workers if interpreters == 1 else 1
        return Supervisor(command, count, listener, say=say, watch=watch,
                          grace_seconds=config.timeout_graceful_shutdown).run()
    finally:
        os.environ.pop(_FD_VARIABLE, None)
        os.environ.pop(_INTERPRETERS_VARIABLE, None)
        if isinstance(listener, socket.socket):
            listener.close()
            if config.uds is not None and config.fd is None:
                with contextlib.suppress(OSError):
                    os.unlink(config.uds)
        if watch is not None:
            watch.close()


def _interpreters(config: Config, words: list[str]) -> int:
    """How many of one process are to serve; one where the workers are processes."""
    if config.workers == 1 or config.executor == "process":
        return 1
    refusal = _subinterpreters.missing()
    if refusal is None:
        with _ends_at_signals():
            refusal = _subinterpreters.probe([*words_of_python(), *words])
    if refusal is None:
        return config.workers
    say(f"the workers are processes, not interpreters: {refusal}")
    return 1


@contextlib.contextmanager
def _ends_at_signals() -> Iterator[None]:
    """SIGTERM and SIGINT end the program in an orderly way, before there is a supervisor."""

    def end(number: int, frame: Any) -> None:
        sys.exit(EXIT_DONE)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _inherited(wish: str) -> int:
    """The number of --fd: itself, or that of systemd's sockets."""
    if wish.isdigit():
        return int(wish)
    kind, _, name = wish.partition(":")
    count = os.environ.get("LISTEN_FDS", "0")
    if kind != "systemd":
        raise OptionError(f"--fd must be a number, systemd, or systemd:NAME, not '{wish}'")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit() or count == "0":
        raise OptionError("--fd systemd: systemd has handed over no socket; is there a socket "
                          "unit for this service?")
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    if not name:
        return 3
    if name not in names:
        raise OptionError(f"--fd {wish}: the sockets are named {', '.join(names)}")
    return 3 + names.index(name)


def place_of(listener: socket.socket | int) -> str:
    """Where a socket listens, as people write it."""
    fd = listener if isinstance(listener, int) else listener.fileno()
    with contextlib.suppress(OSError):
        copy = socket.socket(fileno=os.dup(fd))
        with copy:
            name = copy.getsockname()
            if copy.family == socket.AF_UNIX:
                return f"unix:{name}"
            host = f"[{name[0]}]" if ":" in name[0] else name[0]
            return f"http://{host}:{name[1]}"
    return f"descriptor {fd}"


def announce_ready() -> Callable[[str], None]:
    """What a supervisor is told by; without one it goes nowhere."""
    number = os.environ.pop(READY_VARIABLE, None)
    if number is None:
        return lambda word: None
    pipe = int(number)
    os.set_inheritable(pipe, False)

    def tell(word: str) -> None:
        with contextlib.suppress(OSError):
            os.write(pipe, f"{word}\n".encode())

    return tell


@contextlib.contextmanager
def _pid_file(path: str | None) -> Iterator[None]:
    """Holds the number of this process while it serves. Whoever reads it never sees half."""
    if path is None:
        yield
        return
    folder = os.path.dirname(os.path.abspath(path))
    try:
        with contextlib.suppress(OSError, ValueError):
            with open(path, encoding="ascii") as file:
                other = int(file.read())
            if other != os.getpid() and _is_weft(other):
                raise OptionError(f"--pid-file {path}: a server runs already, as process {other}")
        fd, temporary = tempfile.mkstemp(dir=folder, prefix=".weft-pid-")
        with os.fdopen(fd, "w") as file:
            file.write(f"{os.getpid()}\n")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise OptionError(f"--pid-file {path} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            with open(path, encoding="ascii") as file:
                mine = int(file.read()) == os.getpid()
            if mine:
                os.unlink(path)


def _is_weft(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"weft" in file.read()
    except OSError:
        return False


# ---- Logging -----------------------------------------------------------------------------------


def set_up_logging(config: Config) -> None:
    """`weft.error` to standard error, unless the application or --log-config says otherwise."""
    if config.log_config is not None:
        _read_log_config(config.log_config)
        return
    logger = logging.getLogger("weft")
    level = {"trace": "debug"}.get(config.log_level, config.log_level)
    logger.setLevel(level.upper())
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("weft: %(levelname)s: %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False


def _read_log_config(path: str) -> None:
    try:
        if path.endswith((".json", ".toml")):
            with open(path, "rb") as file:
                if path.endswith(".json"):
                    document = json.load(file)
                else:
                    import tomllib

                    document = tomllib.load(file)
            logging.config.dictConfig(document)
        else:
            logging.config.fileConfig(path, disable_existing_loggers=False)
    except Exception as error:
        raise OptionError(f"--log-config {path}: {error}") from None


__all__ = ["main", "run", "say", "__version__"]
