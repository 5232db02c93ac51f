"""audit.json: the interface. A Report in, the same bytes every time; bytes in, a Report or a sentence."""

from typing import Any

import msgspec

from pfungst.errors import InputError
from pfungst.findings import SCHEMA, Report


class _Stamp(msgspec.Struct):
    schema: str


def encode(report: Report) -> bytes:
    """The bytes of ``audit.json``: indented, keys of free dictionaries sorted, ending in a newline.

    Raises:
        ValueError: if the report holds what cannot be read back, such as NaN; the place is named.
    """
    packed = msgspec.json.encode(report, order="deterministic", enc_hook=_plain)
    try:
        msgspec.json.decode(packed, type=Report)
    except msgspec.ValidationError as error:
        raise ValueError(f"this report cannot be read back from audit.json: {error}") from None
    return msgspec.json.format(packed, indent=1) + b"\n"


def decode(raw: bytes, where: str = "audit.json") -> Report:
    """The report that ``encode`` wrote.

    Raises:
        InputError: if the bytes are no JSON, were cut short, or follow another schema.
    """
    try:
        stamp = msgspec.json.decode(raw, type=_Stamp).schema
    except msgspec.ValidationError:
        raise InputError(f"{where} is not an audit: it names no schema; give the folder that `--out` named") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{where} is no complete JSON ({error}): the same `pfungst audit` command writes it again from the answers"
        ) from None
    if stamp != SCHEMA:
        raise InputError(f"{where} follows schema {stamp!r} and this version reads {SCHEMA!r}; use the other version")
    try:
        return msgspec.json.decode(raw, type=Report)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InputError(
            f"{where} does not follow {SCHEMA!r} ({error}): it was changed by hand or by another program; "
            "run the same `pfungst audit` command again"
        ) from None


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of ``audit.json``; committed as ``audit.schema.json`` beside this file.

    >>> schema()["$id"]
    'pfungst/audit/1'
    """
    (reference,), definitions = msgspec.json.schema_components((Report,), ref_template="#/$defs/{name}")
    definitions["Report"]["properties"]["schema"] = {"const": SCHEMA}
    definitions["Report"]["required"] = ["schema", *definitions["Report"]["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "audit.json, written by pfungst audit",
        **reference,
        "$defs": definitions,
    }


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays, and paths, as the JSON they mean."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__fspath__"):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in audit.json")
