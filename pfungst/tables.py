"""Tables: findings, and the answers of a run, as frames of the tools in which people look further."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pfungst.engine.sealed import check_seal
from pfungst.errors import InputError, damage
from pfungst.findings import PassRecord, Report
from pfungst.imported import needed
from pfungst.report.files import read_audit
from pfungst.report.json import decode
from pfungst.runs.places import reading

_WORDS = ("id", "probe", "kind", "subject", "status", "severity", "claim", "remedy")
_EFFECT = {"value": pa.float64(), "low": pa.float64(), "high": pa.float64(), "level": pa.float64(), "rows": pa.int64()}
_NUMBERS = ("tolerance", "p_value", "p_adjusted")


def findings_table(report: Report) -> pa.Table:
    """One row a finding, ranked: what it is, its effect with the interval, and what to do."""
    every = report.findings
    columns = {name: pa.array([getattr(one, name) for one in every], pa.string()) for name in _WORDS}
    columns["measure"] = pa.array([one.effect.name for one in every], pa.string())
    columns |= {name: pa.array([getattr(one.effect, name) for one in every], kind) for name, kind in _EFFECT.items()}
    columns["unit"] = pa.array([one.effect.unit for one in every], pa.string())
    columns |= {name: pa.array([getattr(one, name) for one in every], pa.float64()) for name in _NUMBERS}
    return pa.table(columns)


def pandas_frame(table: pa.Table) -> Any:
    """A table as a pandas frame. Raises InputError if pandas is not installed."""
    needed("pandas", "frames")
    return table.to_pandas()


def polars_frame(table: pa.Table) -> Any:
    """A table as a polars frame. Raises InputError if polars is not installed."""
    return needed("polars", "frames").from_arrow(table)


@dataclass(frozen=True)
class PassAnswers:
    """The answers of one pass, in a file that is read when it is asked for.

    Columns are ``row``, ``id``, ``label`` (-1: none), ``prediction``, ``confidence`` and ``logits``; attributions and
    attacks have others. ``classes`` names labels and predictions by number.
    """

    record: PassRecord
    file: Path
    classes: tuple[str, ...]

    def scan(self) -> Any:
        """The file as an Arrow data set, of which filters and columns are pushed down to what is read."""
        # It brings pandas along where there is pandas, which takes a while.
        return self._read(import_module("pyarrow.dataset").dataset)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows, or some columns of them, as an Arrow table. Raises InputError if they cannot be read."""
        return self._read(_sound, columns=None if columns is None else list(columns))

    def to_pandas(self, columns: Sequence[str] | None = None) -> Any:
        """The same as a pandas frame."""
        return pandas_frame(self.table(columns))

    def to_polars(self, columns: Sequence[str] | None = None) -> Any:
        """The same as a polars frame."""
        return polars_frame(self.table(columns))

    def _read(self, how: Any, **asked: Any) -> Any:
        with damage(
            f"the answers {self.record.name!r} cannot be read", "the same `pfungst audit` command writes them again"
        ):
            return how(str(self.file), **asked)


def _sound(file: str, columns: list[str] | None) -> pa.Table:
    check_seal(Path(file))
    return pq.read_table(file, columns=columns)


class Answers(Mapping[str, PassAnswers]):
    """The answers of a run by the name of the pass; nothing is read before a pass is asked for its rows.

    Of several passes of one name (another set, half or sample) the later ones carry what tells them apart.
    """

    def __init__(self, report: Report, folder: Path) -> None:
        self._kept: dict[str, PassAnswers] = {}
        classes = tuple(str(name) for name in report.model.get("classes", ()))
        files = {file.stem.rpartition(".")[2]: file for file in sorted(folder.glob("*.parquet"))}
        for one in report.passes:
            if one.key in files:
                self._kept[self._name(one)] = PassAnswers(one, files[one.key], classes)

    def _name(self, one: PassRecord) -> str:
        parts = [one.name, *([] if one.on == "test" else [f"on {one.on}"]), *([one.half] if one.half else [])]
        name = ", ".join(parts)
        return name if name not in self._kept else f"{name}, {one.key}"

    def __getitem__(self, name: str) -> PassAnswers:
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def answers(run: str | Path) -> Answers:
    """The answers that a finished audit kept in its RUN folder, by pass: ``answers(run)["as it is"].to_pandas()``.

    Of a RUN in an object store they are copied to this machine first.

    Raises:
        InputError: if there is no audit, or none of its answers.
    """
    with reading(run, "audit.json", "answers/*") as folder:
        report = decode(read_audit(folder), str(folder / "audit.json"))
        found = Answers(report, folder / "answers")
        if not found:
            raise InputError(f"{folder} holds no answers; `pfungst audit MODEL DATA --out {folder}` keeps them there")
        return found
