"""Shards: tar files read in place by the offsets of their members, several as if they were one folder."""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from pathlib import Path, PurePosixPath
from typing import IO

from pfungst.datasets.files import leaves
from pfungst.errors import InputError, UnreadableRow, damage
from pfungst.packed import MOST_UNPACKED

MOST_SHARDS = 10_000
_COMPRESSED = {b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5"}
"""First two bytes of gzip, bzip2, xz and Zstandard."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_CHOICE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Member:
    """Where a file lies: its shard, and the first byte and the number of bytes there."""

    shard: Path
    offset: int
    size: int


class Shards:
    """Files of tar shards, named ``shard/member``; members are read one by one, those of more than ``most`` bytes not.

    A shard is named as its file; where two files have one name, by its path below the folder that holds all of them.

    Raises:
        InputError: if a shard is no plain tar file, or a member's path leaves it, is a link or is cut off.
    """

    def __init__(self, paths: tuple[Path, ...], most: int = MOST_UNPACKED) -> None:
        self.paths, self.most = paths, most
        self._named = _told_apart(paths)
        self._members = {f"{self._named[path]}/{name}": at for path in self._named for name, at in _indexed(path)}

    def __reduce__(self) -> tuple[type["Shards"], tuple[tuple[Path, ...], int]]:
        return Shards, (self.paths, self.most)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All members, in the order of the shards."""
        return tuple(self._members)

    def within(self, name: str) -> str:
        """The name that a file has in its shard."""
        return name.removeprefix(f"{self._named[self._members[name].shard]}/")

    @cached_property
    def stamp(self) -> str:
        """Hash of names, offsets and sizes of all members, and of sizes and times of change of the shards."""
        lines = [f"{name}|{member.offset}|{member.size}" for name, member in self._members.items()]
        lines += [f"{path.name}|{path.stat().st_size}|{path.stat().st_mtime_ns}" for path in self.paths]
        return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def read(self, name: str) -> bytes | UnreadableRow:
        """Contents of a member, or why it cannot be read."""
        found = self._members.get(name)
        if found is None:
            return UnreadableRow("the file is not in the shards")
        if found.size > self.most:
            return UnreadableRow(f"the file has {found.size:,} bytes, more than {self.most:,}: it was not read")
        try:
            with found.shard.open("rb") as file:
                file.seek(found.offset)
                data = file.read(found.size)
        except OSError as error:
            return UnreadableRow(error.strerror or str(error))
        return data if len(data) == found.size else UnreadableRow("the shard was cut off here")

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """A member opened for reading and its size in bytes, or why it cannot be."""
        data = self.read(name)
        return data if isinstance(data, UnreadableRow) else (io.BytesIO(data), len(data))


def shards_of(pattern: str) -> tuple[Path, ...]:
    """The shards that a path or a pattern names: ``{000..003}``, ``{a,b}``, ``*`` and ``?``, in order.

    Raises:
        InputError: if one that is named is not there, none fits, or there are more than 10,000.

    >>> [str(path) for path in _spelled_out("s-{08..10}.tar")]
    ['s-08.tar', 's-09.tar', 's-10.tar']
    """
    found: list[Path] = []
    for path in _spelled_out(pattern):
        if any(sign in str(path) for sign in "*?["):
            anchor = Path(path.anchor) if path.is_absolute() else Path()
            found += sorted(anchor.glob(str(path.relative_to(path.anchor) if path.is_absolute() else path)))
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{pattern} names the shard {path}, which is not there; give the shards that there are")
    if not found:
        raise InputError(
            f"there is no shard that fits {pattern}; give a .tar file or a pattern such as s-{{000..003}}.tar"
        )
    return tuple(found)


def _told_apart(paths: Sequence[Path]) -> dict[Path, str]:
    if len({path.name for path in paths}) == len(set(paths)):
        return {path: path.name for path in paths}
    shared = os.path.commonpath([path.absolute().parent for path in paths])
    return {path: path.absolute().relative_to(shared).as_posix() for path in paths}


def named(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that a pattern fits.

    >>> named("s-{08..10}.tar", ["s-09.tar", "s-11.tar"])
    ['s-09.tar']
    """
    spelled = [str(path) for path in _spelled_out(pattern)]
    return [name for name in names if any(fnmatchcase(name, one) for one in spelled)]


def _spelled_out(pattern: str) -> list[Path]:
    parts: list[list[str]] = []
    at = 0
    for found in re.finditer(r"\{[^{}]*\}", pattern):
        parts += [[pattern[at : found.start()]], _alternatives(found[0])]
        at = found.end()
    parts.append([pattern[at:]])
    count = 1
    for part in parts:
        count *= len(part)
    if count > MOST_SHARDS:
        raise InputError(f"{pattern} names {count:,} shards, more than {MOST_SHARDS:,}; name fewer")
    return [Path("".join(words)) for words in product(*parts)]


def _alternatives(braces: str) -> list[str]:
    numbers = _RANGE.fullmatch(braces)
    if numbers is None:
        choice = _CHOICE.fullmatch(braces)
        return choice[1].split(",") if choice else [braces]
    first, last, width = int(numbers[1]), int(numbers[2]), len(numbers[1])
    if last - first >= MOST_SHARDS:
        raise InputError(f"{braces} names {last - first + 1:,} shards, more than {MOST_SHARDS:,}; name fewer")
    return [str(number).zfill(width) for number in range(first, last + 1)]


def _indexed(path: Path) -> Iterator[tuple[str, Member]]:
    total = path.stat().st_size
    seen: set[str] = set()
    with damage(f"{path} cannot be read as a tar file"), _opened(path) as archive:
        for info in archive:
            member = _checked(info, path, total)
            if member is None:
                continue
            if info.name in seen:
                raise InputError(f"{path} holds {info.name[:200]!r} twice; write each file once")
            seen.add(info.name)
            yield str(PurePosixPath(info.name)), member


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:")
    except tarfile.ReadError:
        with path.open("rb") as file:
            if file.read(2) not in _COMPRESSED:
                raise
        raise InputError(
            f"{path} cannot be read as a tar file: it is compressed, so no row can be looked up; unpack it"
        ) from None


def _checked(info: tarfile.TarInfo, path: Path, total: int) -> Member | None:
    """Where a member lies; None for folders and hidden files."""
    if leaves(info.name):
        raise InputError(f"{path} holds {info.name[:200]!r}, a path that leaves the archive; it was not read")
    if info.isdir() or any(part.startswith(".") for part in PurePosixPath(info.name).parts):
        return None
    if not info.isreg() or info.issparse():
        raise InputError(f"{path} holds {info.name[:200]!r}, a link, device or file with holes; write plain files")
    if info.size < 0:
        raise InputError(f"{path} says that {info.name[:200]!r} has {info.size:,} bytes; write it again")
    if info.offset_data + info.size > total:
        raise InputError(f"{path} is cut off: {info.name[:200]!r} should end at byte {info.offset_data + info.size:,}")
    return Member(path, info.offset_data, info.size)
