"""Object stores: files behind an ``s3://`` address, read one by one where many are, copied here once where one is."""

import hashlib
import io
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeGuard

import pyarrow as pa
from pyarrow import fs

from pfungst.datasets.files import leaves
from pfungst.errors import InputError, UnreadableRow, first_line

CACHE = Path.home() / ".cache" / "pfungst"
"""Where copies lie, each under a name that changes with the objects; what lies there may be deleted at any time."""

UNUSED = 30 * 86_400
"""Seconds for which nobody asked for a copy before it makes room for a new one."""

LANES = 16
"""Objects that are read or written at once: what takes time is the way to the store."""

_PART = 1 << 23

_COPY = re.compile(r"[0-9a-f]{32}|\.[0-9a-f]{32}\.\d+")


def is_stored(source: Any) -> TypeGuard[str]:
    """Whether a source is an address in an object store.

    >>> is_stored("s3://bucket/model.onnx"), is_stored("model.onnx")
    (True, False)
    """
    return isinstance(source, str) and source.startswith("s3://")


@dataclass(frozen=True)
class Stored:
    """Objects below one address ``s3://bucket/folder[?region=...]``, as files; the way there is opened when needed.

    What follows the question mark are pyarrow's options of ``FileSystem.from_uri``. Without ``deep`` only what lies
    directly below is listed.

    Raises:
        InputError: if the store cannot be reached or refuses.
    """

    address: str
    deep: bool = True

    def __str__(self) -> str:
        return self.address

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """The file system and the path in it."""
        where = self.address.partition("?")[0]
        if "@" in where.removeprefix("s3://").partition("/")[0]:
            raise InputError("the address holds a key; put keys where AWS tools look: AWS_ACCESS_KEY_ID, ~/.aws")
        with _reached(self.address):
            system, path = fs.FileSystem.from_uri(self.address.rstrip("/"))
            return system, path.rstrip("/")

    def at(self, name: str) -> "Stored":
        """What lies below under a name; ``..`` is what it lies in."""
        base, mark, options = self.address.partition("?")
        base = base.rstrip("/")
        return Stored(f"{base.rpartition('/')[0] if name == '..' else f'{base}/{name}'}{mark}{options}", self.deep)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.address.partition("?")[0].rstrip("/").rpartition("/")[2]

    @cached_property
    def is_file(self) -> bool:
        """Whether it is one object. Raises InputError if there is nothing."""
        system, path = self._place
        with _reached(self.address):
            kind = system.get_file_info(path).type
            if kind == fs.FileType.NotFound:
                raise FileNotFoundError
            return bool(kind == fs.FileType.File)

    @cached_property
    def _all(self) -> dict[str, Any]:
        system, path = self._place
        with _reached(self.address):
            listed = system.get_file_info(fs.FileSelector(path, recursive=self.deep))
        files = {one.path[len(path) + 1 :]: one for one in listed if one.type == fs.FileType.File}
        return dict(sorted(files.items()))

    @cached_property
    def _found(self) -> dict[str, Any]:
        return {name: one for name, one in self._all.items() if not any(p.startswith(".") for p in name.split("/"))}

    @property
    def names(self) -> tuple[str, ...]:
        """All objects but hidden ones, sorted."""
        return tuple(self._found)

    @property
    def changed(self) -> dict[str, int]:
        """When each object, hidden ones too, was last changed: nanoseconds by the store's clock."""
        return {name: one.mtime_ns for name, one in self._all.items()}

    @cached_property
    def stamp(self) -> str:
        """Hash of names, sizes and times of change."""
        return self.stamp_of(self.names)

    def stamp_of(self, names: Iterable[str]) -> str:
        """Hash of the names, sizes and times of change of some, whether they are there or not."""
        lines = []
        for name in names:
            one = self._found.get(name)
            lines.append(f"{name}|{one.size}|{one.mtime_ns}" if one else f"{name}|missing")
        return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    @property
    def workplace(self) -> Path:
        """A folder of this machine for what belongs to the address."""
        return CACHE / f"work-{hashlib.blake2b(self.address.encode(), digest_size=16).hexdigest()}"

    def read(self, name: str) -> bytes | UnreadableRow:
        """An object, or that it is not there. A store that cannot be reached is no fault of a row: it raises."""
        system, path = self._place
        try:
            with _reached(self.address), system.open_input_stream(f"{path}/{name}") as stream:
                return bytes(stream.read())
        except NotThere:
            return UnreadableRow("the object is not there")

    def several(self, names: Sequence[str]) -> list[bytes | UnreadableRow]:
        """Some objects, read at the same time."""
        with ThreadPoolExecutor(LANES) as lanes:
            return list(lanes.map(self.read, names))

    def opened(self, name: str) -> tuple[IO[bytes], int] | UnreadableRow:
        """An object as a file in memory and its size in bytes, or that it is not there."""
        data = self.read(name)
        return data if isinstance(data, UnreadableRow) else (io.BytesIO(data), len(data))

    def copied(self, names: Sequence[str]) -> Path:
        """A folder of this machine with copies of some objects; what was copied before and did not change is used.

        A new copy makes room: those that nobody asked for in a month, and what was left half copied as long ago, go.

        Raises:
            InputError: if one cannot be read whole, or its name leads out of the folder.
        """
        key = hashlib.blake2b(f"{self.address}\n{self.stamp_of(names)}".encode(), digest_size=16).hexdigest()
        folder, partial = CACHE / key, CACHE / f".{key}.{os.getpid()}"
        with suppress(FileNotFoundError, PermissionError):  # there is none; another user's serves as well
            os.utime(folder)
        if not folder.is_dir():
            _make_room()
            try:
                partial.mkdir(parents=True, exist_ok=True)
                for name in names:
                    self.copy(name, partial / name)
                # Whoever comes first wins; the other's copies are the same.
                if not folder.is_dir():
                    partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return folder

    def copy(self, name: str, to: Path) -> None:
        """Copy an object to a file of this machine.

        Raises:
            InputError: if it cannot be read whole, or its name leads out of the folder.
        """
        if leaves(name):
            raise InputError(f"{self.address} holds {name[:200]!r}, a path that leaves the folder; it was not read")
        system, path = self._place
        to.parent.mkdir(parents=True, exist_ok=True)
        with _reached(self.at(name).address):
            with system.open_input_stream(f"{path}/{name}") as stream, to.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
            about = self._all.get(name)
            if about is None or to.stat().st_size != about.size:
                raise OSError("it changed, or was cut off, while it was read")
            # Fingerprints of shards hold the time of change: the same on every machine.
            os.utime(to, ns=(about.mtime_ns, about.mtime_ns))

    def write(self, name: str, content: bytes) -> None:
        """Put an object; whoever reads it meets all of it or what stood there before."""
        self.send(name, io.BytesIO(content), len(content))

    def send(self, name: str, content: IO[bytes], size: int) -> None:
        """Put the next bytes of a file as ``write`` does, part by part."""
        system, path = self._place
        with _reached(self.at(name).address, "written"), system.open_output_stream(f"{path}/{name}") as stream:
            while part := content.read(min(_PART, size)):
                stream.write(part)
                size -= len(part)

    def remove(self, name: str) -> None:
        """Delete an object, or with a last ``/`` all below it, if it is there."""
        system, path = self._place
        with suppress(NotThere), _reached(self.at(name).address, "written"):
            (system.delete_dir if name.endswith("/") else system.delete_file)(f"{path}/{name}")


def _make_room() -> None:
    for folder in CACHE.glob("*"):
        if _COPY.fullmatch(folder.name):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > UNUSED:
                    # Under its own name it would pass for a whole copy if this broke off.
                    away = CACHE / f".{folder.name.strip('.').partition('.')[0]}.{os.getpid()}"
                    shutil.rmtree(folder.rename(away))


class NotThere(InputError):  # noqa: N818 - named for what it says
    """There is nothing under the address."""


@contextmanager
def _reached(address: str, done: str = "read") -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotThere(f"there is nothing at {address}: no such bucket, folder or object") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{address} could not be {done} ({first_line(error)}); see that the address, the network and your access "
            "(AWS_PROFILE or AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL for other stores than Amazon's) are right; what is "
            "finished is kept, and the same command goes on"
        ) from None


def below(place: str | Path, name: str) -> str:
    """Where a file of a folder lies, here or in a store.

    >>> below("s3://bucket/run?region=eu-1", "audit.json")
    's3://bucket/run/audit.json?region=eu-1'
    """
    return Stored(place).at(name).address if is_stored(place) else str(Path(place) / name)


def model_here(source: Any) -> Any:
    """A copy of a model with the small files beside it, where the source is in an object store; else the source."""
    if not is_stored(source):
        return source
    stored = Stored(source)
    if not stored.is_file:
        return stored.copied(stored.names)
    name, folder = stored.name, Stored(stored.at("..").address, deep=False)
    return folder.copied([one for one in folder.names if one == name or _beside(one, name)]) / name


def _beside(name: str, model: str) -> bool:
    """Whether a file says how a model is to be used, or holds its weights."""
    return name.endswith(".json") or name == "labels.txt" or name.startswith((f"{model}.", f"{model}_"))
