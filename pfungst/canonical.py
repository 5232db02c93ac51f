"""One spelling per value, the same on every machine: the ground of cache keys and seeds."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def canonical(value: Any) -> str:
    """Spell a value so that equal values, and only those, are spelled alike.

    Dataclasses are spelled by type name, the type's ``revision`` where it has one, and sorted fields; floats in
    hexadecimal, arrays by content hash, sets as their sorted tuple. A method whose numbers change gets a new revision,
    so that no kept answer under the old one is taken for an answer under the new.

    Raises:
        TypeError: for anything else; a guess (such as ``repr``) would make two passes one.

    >>> canonical((1, 0.5, "a"))
    "(1,0x1.0000000000000p-1,'a')"
    """
    if value is None or isinstance(value, bool | int | str):
        return repr(value)
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, np.ndarray):
        digest = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=16).hexdigest()
        return f"array[{value.dtype.str}{value.shape}]{digest}"
    if isinstance(value, tuple | frozenset):
        parts = [canonical(item) for item in value]
        return f"({','.join(parts if isinstance(value, tuple) else sorted(parts))})"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{canonical(k)}:{canonical(value[k])}" for k in sorted(value)) + "}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = sorted(field.name for field in dataclasses.fields(value) if field.compare)
        revision = getattr(type(value), "revision", 1)
        named = type(value).__qualname__ + (f"#{revision}" if revision != 1 else "")
        return f"{named}({','.join(f'{f}={canonical(getattr(value, f))}' for f in fields)})"
    raise TypeError(
        f"{type(value).__name__} has no canonical spelling; use numbers, strings, tuples, arrays, dataclasses"
    )


def fingerprint(*values: Any, size: int = 8) -> str:
    """Hash of the canonical spelling, ``2 * size`` hexadecimal characters.

    >>> fingerprint("a") == fingerprint("a") != fingerprint("b")
    True
    """
    digest = hashlib.blake2b(digest_size=size)
    for value in values:
        digest.update(canonical(value).encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
