"""Task: the task you meant, read from a TOML file or from keyword arguments."""

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from pfungst.accepted import Accepted
from pfungst.errors import InputError, first_line
from pfungst.packed import MOST_UNPACKED

MUST_NOT_MATTER: dict[str, float] = {
    "border": 0.05,
    "colour_cast": 0.05,
    "brightness": 0.05,
    "contrast": 0.05,
    "sharpness": 0.05,
    "noise": 0.05,
    "jpeg": 0.05,
    "file": 0.05,
    "region": 0.05,
    "site": 0.05,
    "background": 0.05,
}


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model is asked, in words, the names of the answers, and which of them are of one kind."""

    question: str = ""
    classes: tuple[str, ...] = ()
    kinds: dict[str, tuple[str, ...]] = {}


class Columns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which columns of the data play which part; ``box`` are left, top, right and bottom of the object's box."""

    label: str | None = None
    site: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    unit: str | None = None
    time: str | None = None
    box: tuple[str, ...] = ()


class Preprocess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an image model expects, where it brings no configuration of its own."""

    size: int | tuple[int, int] | None = None
    shortest_edge: int | None = None
    crop: int | tuple[int, int] | None = None
    resample: int = 2
    rescale: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    channels: int | None = None
    bgr: bool = False
    layout: str | None = None


class Shift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How severities are set, and which shifts are asked about: single names, families, and the user's own.

    ``functions`` are ``file.py:function`` of a row and a severity; ``occluders`` are pictures with transparency.
    """

    severity: str = "table"
    kinds: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    occluders: tuple[str, ...] = ()


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an audit fails, and what does not count: accepted findings, and those of an earlier audit.

    A finding is accepted by name (``probe.kind:subject``), or in a table with a reason and its last day.
    """

    fail_at: str = "high"
    accept: tuple[str | Accepted, ...] = ()
    baseline: str | None = None


class Adversarial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Budgets an attacker has: shares of the input range; of texts numbers of words; of tables deviations moved.

    ``immutable`` names columns that nobody can change; ``corruption`` asks for the worst of a set of shifts.
    """

    linf: tuple[float | str, ...] = ()
    l2: tuple[float | str, ...] = ()
    l1: tuple[float | str, ...] = ()
    l0: tuple[float | str, ...] = ()
    rotation: float | None = None
    translation: float | None = None
    patch: float | None = None
    words: tuple[int, ...] = ()
    misspelled: tuple[int, ...] = ()
    columns: tuple[float, ...] = ()
    immutable: tuple[str, ...] = ()
    corruption: bool = False

    def __post_init__(self) -> None:
        for name in ("linf", "l2", "l1", "l0", "rotation", "translation", "patch", "words", "misspelled", "columns"):
            given = getattr(self, name)
            for value in given if isinstance(given, tuple) else () if given is None else (given,):
                if not isinstance(value, str) and not 0 <= value < math.inf:
                    raise InputError(f"{name} holds {value}; a budget is a number of at least 0")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model behind an address is asked: seconds a request may take, how often it is repeated, how many at once.

    ``headers`` is a file of lines such as ``Authorization: Bearer ...``; ``rows`` go into one request; ``wait`` is the
    pause in seconds before the first repetition, doubled each time; answers of more than ``answer_bytes`` are not read.
    """

    timeout: float = 30.0
    retries: int = 4
    wait: float = 0.25
    in_flight: int = 4
    rows: int = 32
    headers: str | None = None
    answer_bytes: int = 1 << 27

    def __post_init__(self) -> None:
        for name, least in (("timeout", 1e-3), ("retries", 0), ("wait", 0), ("in_flight", 1), ("rows", 1)):
            value = getattr(self, name)
            if not least <= value < 1e6:
                raise InputError(f"{name} is {value}; give {least:g} or more")
        if self.answer_bytes < 1:
            raise InputError(f"answer_bytes is {self.answer_bytes}; give 1 or more")


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is read of files at most: beyond it they are taken for attacks.

    ``unpacked`` is how many bytes an archive, one member of it, or a packed table may unpack to; more is read where it
    is less than 100 times what is packed. ``pixels`` is how many a picture may have.
    """

    unpacked: int = MOST_UNPACKED
    pixels: int = 89_478_485

    def __post_init__(self) -> None:
        for name in ("unpacked", "pixels"):
            if getattr(self, name) < 1:
                raise InputError(f"limits.{name} is {getattr(self, name)}; give 1 or more")


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole task file; every part is optional. Flags win over it, it wins over the defaults.

    A switch (true or false) is on where the file or a flag says so.
    """

    task: Question = Question()
    columns: Columns = Columns()
    must_not_matter: dict[str, float] = {}
    cues: dict[str, tuple[float, float, float, float]] = {}
    ood: dict[str, str] = {}
    shifted: dict[str, str] = {}
    preprocess: Preprocess | None = None
    shift: Shift = Shift()
    adversarial: Adversarial = Adversarial()
    gate: Gate = Gate()
    endpoint: Endpoint = Endpoint()
    limits: Limits = Limits()
    outputs: str | None = None
    input: str | None = None
    output: str | None = None
    train: str | None = None
    members: tuple[str, ...] = ()
    rows: int | None = None
    budget: str | None = None
    batch_timeout: str | None = None
    seed: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    executor: str | None = None
    workers: int | None = None
    address: str | None = None
    cpus: float | None = None
    gpus: float | None = None
    device: str | None = None
    batch_size: int | Literal["auto"] | None = None
    precision: str | None = None
    out: str | None = None
    weights: str | None = None
    trust_pickle: bool = False
    follow_links: bool = False
    strict: bool = False
    dry_run: bool = False
    no_cache: bool = False
    no_images: bool = False
    redact_paths: bool = False
    redact: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        for name, share in self.must_not_matter.items():
            if not 0 <= share <= 1:
                raise InputError(f"must_not_matter.{name} is {share}; give a share of the answer from 0 to 1")

    def tolerance(self, cue: str) -> float:
        """How much of the answer may rest on a cue; a family's tolerance (``region``) covers its members."""
        spelled = cue.replace("-", "_")
        family = spelled.split(":")[0]
        asked = {**MUST_NOT_MATTER, **self.must_not_matter}
        return asked.get(spelled, asked.get(family, 0.05))


def load_task(path: str | Path | None) -> Task:
    """Read a task file; None is the empty task.

    Raises:
        InputError: if the file is missing, is not TOML, or holds an unknown or mistyped key; the key is named.
    """
    if path is None:
        return Task()
    try:
        raw = tomllib.loads(_text(Path(path)))
    except FileNotFoundError:
        raise InputError(f"there is no task file {path}; give a TOML file or leave --task out") from None
    except InputError:
        raise  # it is a ValueError too
    except ValueError as error:  # TOML's own errors, bytes that are no text, and numbers of thousands of digits
        raise InputError(f"{path} is not a TOML file: {first_line(error)}") from None
    except RecursionError:
        raise InputError(
            f"{path} is no task file: its brackets lie too deep; `pfungst schema --task` shows one"
        ) from None
    except OSError as error:
        raise InputError(f"the task file {path} cannot be read ({error.strerror}); give a TOML file") from None
    return task_of(raw, str(path))


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise InputError(f"the task file {path} is a folder, device or pipe; give a TOML file")
    return path.read_text(encoding="utf-8-sig")


def task_of(raw: dict[str, Any], where: str = "task") -> Task:
    """Check a task given as nested dictionaries."""
    columns = raw.get("columns")
    if isinstance(columns, dict):
        listed = {k: (v,) if k in {"site", "group"} and isinstance(v, str) else v for k, v in columns.items()}
        raw = {**raw, "columns": listed}
    try:
        return msgspec.convert(raw, Task, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}; `pfungst schema --task` lists what a task file may hold") from None
