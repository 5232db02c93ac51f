"""A run that is being viewed: its report, what it kept of its rows, and the files of its passes; nothing is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pfungst.audit_result import Audit, saved
from pfungst.engine.rows import kept_rows
from pfungst.engine.sealed import check_seal
from pfungst.errors import InputError, damage
from pfungst.findings import PassRecord, Report

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Condition:
    """One pass over one set: what was done to the rows, and the file of the answers."""

    name: str
    key: str
    on: str
    half: str
    rows: int
    file: Path


@dataclass(frozen=True, eq=False)
class Run:
    """A finished audit in a folder. ``facts`` is the table of rows.parquet, None in a run of an older version."""

    folder: Path
    audit: Audit
    conditions: tuple[Condition, ...]
    plain: Mapping[str, Condition]
    facts: Any
    about: Mapping[str, Any]

    @property
    def report(self) -> Report:
        """What ``audit.json`` holds."""
        return self.audit.report

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(str(name) for name in self.report.model["classes"])

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets of rows that were answered as they are; the test rows come first."""
        return tuple(sorted(self.plain, key=lambda on: (on != "test", on)))

    @property
    def roles(self) -> tuple[str, ...]:
        """Metadata columns that play a part, sites first."""
        asked = self.about.get("columns", {})
        recorded = self.report.settings.get("roles", {})
        sites = [*recorded.get("site", ()), *asked.get("site", ()), *asked.get("group", ())]
        return tuple(dict.fromkeys(str(name) for name in (*sites, recorded.get("unit"), recorded.get("time")) if name))

    def under(self, on: str) -> tuple[Condition, ...]:
        """The conditions, other than as it is, under which rows of a set were asked."""
        return tuple(one for one in self.conditions if one.on == on)


def opened(folder: Path) -> Run:
    """Open a RUN folder.

    Raises:
        InputError: if it holds no finished audit, or the answers to its rows are gone or damaged.
    """
    audit = saved(folder)
    if not audit.report.complete:
        raise InputError(f"the audit in {folder} is not finished; give its command again, or open its report.html")
    if not isinstance(audit.report.model.get("classes"), list | tuple):
        raise InputError(f"{folder} names no classes, as the log of `pfungst monitor` may; `pfungst show` prints it")
    files = {path.name.rsplit(".", 2)[1]: path for path in (folder / "answers").glob("*.*.parquet")}
    found = [_condition(one, files[one.key]) for one in audit.report.passes if one.key in files]
    plain: dict[str, Condition] = {}
    for one in sorted(found, key=lambda one: one.rows):
        if one.name == AS_IT_IS:
            plain[one.on] = one
    if "test" not in plain:
        raise InputError(f"{folder} keeps no answers to the test rows; audit again without moving the folder answers")
    checked(plain["test"].file)
    kept = kept_rows(folder)
    conditions = tuple(_distinct(one for one in found if one.name != AS_IT_IS))
    return Run(folder, audit, conditions, plain, *(kept or (None, {})))


def source(file: Path) -> pq.ParquetFile:
    """An answers file, its seal checked once while it stays as it is. Raises OSError, ArrowInvalid if it is damaged."""
    told = file.stat()
    _sound(file, told.st_size, told.st_mtime_ns)
    return pq.ParquetFile(file, page_checksum_verification=True)


@lru_cache(maxsize=4096)
def _sound(file: Path, _size: int, _changed: int) -> None:
    check_seal(file)


def columns_of(file: Path, names: list[str]) -> Any:
    """Columns of an answers file as one table. Raises InputError if it is damaged or holds none of these."""
    with damage(f"{file} holds no answers that can be read", "audit again"):
        table = source(file).read(columns=names)
    if set(table.column_names) != set(names):
        raise InputError(f"{file} holds no plain answers; audit again")
    return table


def checked(file: Path) -> None:
    """Raise InputError if an answers file is damaged where it says what it holds."""
    columns_of(file, ["row"])


def _condition(one: PassRecord, file: Path) -> Condition:
    return Condition(one.name, one.key, one.on, one.half, one.rows, file)


def _distinct(found: Iterator[Condition]) -> Iterator[Condition]:
    """Conditions with names of their own: the widest pass has the plain name, others name their half or a number."""
    seen: set[tuple[str, str]] = set()
    for one in sorted(found, key=lambda one: (-one.rows, one.half == "discovery")):
        named = f"{one.name} ({one.half})" if one.half else one.name
        names = chain((one.name, named), (f"{named} #{number}" for number in count(2)))
        name = next(name for name in names if (one.on, name) not in seen)
        seen.add((one.on, name))
        yield replace(one, name=name)
