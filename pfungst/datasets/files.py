"""Files of a data set: in a folder, or in a zip archive read in place."""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from pfungst.errors import InputError, UnreadableRow, damage, first_line
from pfungst.packed import MOST_UNPACKED, bomb, refusal

_LEAVES = "a link leads out of the folder; --follow-links follows it"


class Files(Protocol):
    """Named files below one root; names are relative and written with slashes."""

    @property
    def names(self) -> tuple[str, ...]:
        """All files, sorted."""
        ...

    @property
    def stamp(self) -> str:
        """Changes when a file is added, removed or changed."""
        ...

    def read(self, name: str) -> bytes | UnreadableRow:
        """Contents of a file, or why it cannot be read."""
        ...

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """A file opened for reading and its size in bytes, or why it cannot be; the caller closes it."""
        ...


@dataclass(frozen=True)
class Folder:
    """Files below a folder; links inside it are followed, those that leave it only where ``follow`` says so."""

    root: Path
    follow: bool = False

    @cached_property
    def _real(self) -> str:
        return os.path.realpath(self.root)

    def _outside(self, path: str | Path) -> bool:
        real = os.path.realpath(path)
        return not self.follow and real != self._real and not real.startswith(self._real.rstrip(os.sep) + os.sep)

    @cached_property
    def _found(self) -> dict[str, os.stat_result]:
        seen: dict[str, str] = {}
        found: dict[str, os.stat_result] = {}
        for here, below, files in os.walk(self.root, followlinks=True):
            real = os.path.realpath(here)
            below[:] = [] if real in seen else sorted(name for name in below if not _hidden(name))
            if real in seen:
                self._refuse_twice(here, seen[real], real)
                continue
            seen[real] = here
            for name in (*below, *files):
                link = os.path.join(here, name)  # noqa: PTH118 - once for every file
                if os.path.islink(link) and not _hidden(name) and self._outside(link):  # noqa: PTH114 - same
                    raise InputError(
                        f"{self.root} holds the link {os.path.relpath(link, self.root)!r}, which leaves the folder; "
                        "copy what it points to, or give --follow-links if you trust it"
                    )
            for name in files:
                path = Path(here, name)
                if not _hidden(name) and path.is_file():
                    found[path.relative_to(self.root).as_posix()] = path.stat()
        return dict(sorted(found.items()))

    def _refuse_twice(self, here: str, before: str, real: str) -> None:
        """Refuse a folder that is there under two names; a link to a folder that holds it adds nothing."""
        parent = os.path.realpath(Path(here).parent)
        if parent != real and not parent.startswith(real.rstrip(os.sep) + os.sep):
            one, other = (os.path.relpath(path, self.root) for path in (before, here))
            raise InputError(
                f"{self.root} holds one folder as {one!r} and, by a link, as {other!r}, so its rows would have two "
                "classes or count twice; remove the link, or copy what it points to"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """All files, sorted."""
        return tuple(self._found)

    @cached_property
    def stamp(self) -> str:
        """Hash of names, sizes and times of change."""
        lines = (f"{name}|{stat.st_size}|{stat.st_mtime_ns}" for name, stat in self._found.items())
        return _digest("\n".join(lines))

    def read(self, name: str) -> bytes | UnreadableRow:
        """Contents of a file, or why it cannot be read."""
        path = self.root / name
        try:
            if self._outside(path):
                return UnreadableRow(_LEAVES)
            return path.read_bytes() if path.is_file() or not path.exists() else UnreadableRow("it is no plain file")
        except (OSError, ValueError) as error:
            return _why(error)

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """A file opened for reading and its size in bytes, or why it cannot be."""
        path = self.root / name
        try:
            if self._outside(path) or (path.exists() and not path.is_file()):
                return UnreadableRow(_LEAVES)
            return path.open("rb"), path.stat().st_size
        except (OSError, ValueError) as error:
            return _why(error)


class Archive:
    """Members of a zip file; nothing is unpacked to disk, and members of more than ``most`` bytes not at all.

    Raises:
        InputError: if it is no zip file, or a member's path leaves it.
    """

    def __init__(self, path: Path, most: int = MOST_UNPACKED) -> None:
        self.path, self.most = path, most
        with damage(f"{path} cannot be read as a zip file"):
            self._open = zipfile.ZipFile(path)
        self._members = {info.filename: info for info in self._open.infolist() if not info.filename.endswith("/")}
        for info in self._members.values():
            if bomb(info.file_size, max(1, info.compress_size), most):
                raise refusal(f"{path}/{info.filename[:200]}", info.file_size, info.compress_size)
        for name in self._members:
            if leaves(name):
                raise InputError(f"{path} holds {name[:200]!r}, a path that leaves the archive; it was not read")

    def __reduce__(self) -> tuple[type["Archive"], tuple[Path, int]]:
        return Archive, (self.path, self.most)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All members, sorted."""
        return tuple(sorted(name for name in self._members if not any(_hidden(p) for p in name.split("/"))))

    @cached_property
    def stamp(self) -> str:
        """Hash of names, sizes and checksums."""
        infos = (self._members[name] for name in self.names)
        return _digest("\n".join(f"{info.filename}|{info.file_size}|{info.CRC}" for info in infos))

    def read(self, name: str) -> bytes | UnreadableRow:
        """Contents of a member, or why it cannot be read."""
        info = self._members.get(name)
        if info is None:
            return UnreadableRow("the file is not in the archive")
        if info.file_size > self.most:
            return UnreadableRow(f"it unpacks to {info.file_size:,} bytes, more than {self.most:,}: it was not read")
        try:
            return self._open.read(info)
        except Exception as error:  # noqa: BLE001 - zlib.error and its like have no common ancestor
            return UnreadableRow(f"the archive is damaged here ({first_line(error)})")

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """A member opened for reading and its unpacked size in bytes, or why it cannot be."""
        info = self._members.get(name)
        if info is None:
            return UnreadableRow("the file is not in the archive")
        try:
            return self._open.open(info), info.file_size
        except Exception as error:  # noqa: BLE001 - as above
            return UnreadableRow(f"the archive is damaged here ({first_line(error)})")


def _why(error: Exception) -> UnreadableRow:
    said = getattr(error, "strerror", None) or str(error)
    return UnreadableRow("the file is not there" if isinstance(error, FileNotFoundError) else said)


def leaves(name: str) -> bool:
    """Whether a relative path points out of its folder.

    >>> leaves("a/../../b"), leaves("/etc/passwd"), leaves("a/b..png")
    (True, True, False)
    """
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or (len(name) > 1 and name[1] == ":")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
