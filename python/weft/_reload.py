"""Which files have changed: by inotify where the system has it, else by asking for their times.

A Watch belongs to one thread. Where `fd` is None, changed() is to be called every
`interval_seconds`; else when `fd` is readable.
"""

from __future__ import annotations

import ctypes
import errno
import fnmatch
import os
import struct
from collections.abc import Iterable, Iterator, Sequence

# Folders in which no code of the application is, and often very much else.
LEFT_OUT = frozenset((".git", ".hg", ".svn", "__pycache__", ".mypy_cache", ".pytest_cache",
                      ".ruff_cache", ".tox", ".venv", "venv", "node_modules"))
# Folders that are watched; a tree of more is not one application.
FOLDERS_MAX = 10_000
INTERVAL_SECONDS = 0.5

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x002, 0x004, 0x008
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x040, 0x080, 0x100, 0x200
_Q_OVERFLOW, _ISDIR, _ONLYDIR = 0x4000, 0x40000000, 0x01000000
_MASK = _CLOSE_WRITE | _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
_EVENT = struct.Struct("iIII")


def folders_below(roots: Iterable[str]) -> Iterator[str]:
    seen = 0
    for root in roots:
        for folder, below, _ in os.walk(root):
            below[:] = [name for name in below if name not in LEFT_OUT]
            seen += 1
            if seen > FOLDERS_MAX:
                return
            yield folder


class Watch:
    """The files below `folders` whose names fit one of `include` and none of `exclude`."""

    def __init__(self, folders: Sequence[str], include: Sequence[str] = ("*.py",),
                 exclude: Sequence[str] = (), *, inotify: bool = True) -> None:
        self._folders = [os.path.abspath(folder) for folder in folders]
        self._include = tuple(include)
        self._exclude = tuple(exclude)
        self.fd: int | None = None
        self.interval_seconds = INTERVAL_SECONDS
        self._watched: dict[int, str] = {}
        self._times: dict[str, tuple[int, int]] = {}
        self._libc: ctypes.CDLL | None = None
        if inotify:
            self._begin_inotify()
        if self.fd is None:
            self._times = self._scan()

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def changed(self) -> set[str]:
        """Paths of files that were changed, added or removed since the last call."""
        if self.fd is not None:
            return self._read_inotify()
        now = self._scan()
        before, self._times = self._times, now
        return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}

    def _fits(self, path: str) -> bool:
        name = os.path.basename(path)
        return any(fnmatch.fnmatch(name, one) for one in self._include) and not any(
            fnmatch.fnmatch(name, one) or fnmatch.fnmatch(path, one) for one in self._exclude)

    # ---- By their times ----

    def _scan(self) -> dict[str, tuple[int, int]]:
        found = {}
        for folder in folders_below(self._folders):
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if self._fits(entry.path) and entry.is_file():
                            facts = entry.stat()
                            found[entry.path] = (facts.st_mtime_ns, facts.st_size)
            except OSError:
                continue  # It is gone again.
        return found

    # ---- By inotify ----

    def _begin_inotify(self) -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, AttributeError):
            return
        if fd < 0:
            return
        self._libc, self.fd = libc, fd
        for folder in folders_below(self._folders):
            if not self._add(folder):
                # No more watches are to be had: times are asked for instead.
                self.close()
                self._watched.clear()
                return

    def _add(self, folder: str) -> bool:
        assert self._libc is not None
        number = self._libc.inotify_add_watch(self.fd, os.fsencode(folder), _MASK)
        if number >= 0:
            self._watched[number] = folder
            return True
        # A folder that is gone, or closed to us, is no reason to give up.
        return ctypes.get_errno() in (errno.ENOENT, errno.EACCES, errno.ENOTDIR)

    def _read_inotify(self) -> set[str]:
        assert self.fd is not None
        found: set[str] = set()
        while True:
            try:
                data = os.read(self.fd, 64 << 10)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                number, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = os.fsdecode(data[at:at + length].rstrip(b"\0"))
                at += length
                if mask & _Q_OVERFLOW:
                    found.update(self._folders)
                folder = self._watched.get(number)
                if folder is None:
                    continue
                path = os.path.join(folder, name)
                if mask & _ISDIR:
                    if mask & (_CREATE | _MOVED_TO) and name not in LEFT_OUT:
                        found |= self._add_tree(path)
                elif self._fits(path):
                    found.add(path)

    def _add_tree(self, root: str) -> set[str]:
        """A new folder: what is in it already has changed, too."""
        found = set()
        for folder in folders_below((root,)):
            self._add(folder)
            try:
                found |= {path for name in os.listdir(folder)
                          if self._fits(path := os.path.join(folder, name))
                          and os.path.isfile(path)}
            except OSError:
                continue
        return found
