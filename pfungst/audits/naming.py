"""Naming: names of the task file that nothing bears are refused, with what was probably meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from pfungst.accepted import entry
from pfungst.datasets.dataset import Dataset
from pfungst.datasets.traces import NAMES as TRACES
from pfungst.errors import InputError
from pfungst.methods.columns import recordings
from pfungst.methods.places import Border, compass
from pfungst.methods.properties import cues
from pfungst.methods.segmentation import Background, Position
from pfungst.methods.writing import text_cues
from pfungst.task import MUST_NOT_MATTER, Task

THIRDS = (0.1, 0.5, 0.9)
OF_DATA = ("column:", "token:")
"""How the names of cues begin that the rows bring: any column, any word."""

FAMILIES = ("column", "file", "frequency", "region", "token")


def cue_names(task: Task) -> tuple[str, ...]:
    """The subjects of cues that rows of any kind may have, but for columns and words; the user's own boxes first.

    >>> {"border", "colour-cast", "region:top-left", "length", "file:size"} <= set(cue_names(Task()))
    True
    """
    places = [f"region:{compass(down, across)}" for down in THIRDS for across in THIRDS]
    alone = [Border.name, Background.name, Position.name, "overlay"]
    return (*task.cues, *alone, *cues, *text_cues, *places, *(f"file:{trace}" for trace in TRACES))


def check_names(task: Task) -> None:
    """Refuse a cue that must not matter, or an accepted finding, of a name that nothing bears: a slip is no rule.

    Raises:
        InputError: if there is one; it names the nearest there is.
    """
    known = cue_names(task)
    asked = (*known, *MUST_NOT_MATTER, *FAMILIES)
    spelled = {_spelled(name) for name in asked}
    for name in task.must_not_matter:
        if _spelled(name) not in spelled and not _of_data(name):
            raise InputError(f"must_not_matter names {name!r}, which is no cue; {_meant(name, asked)}")
    # Subjects of other kinds are named by the rows, the classes, further sets or budgets: theirs cannot be known here.
    closed = {
        "shortcuts.cue": known, "shortcuts.latent-cue": known,
        "attribution.outside-object": (Border.name, Background.name),
    }  # fmt: skip
    for name in (entry(item).finding for item in task.gate.accept):
        kind, _, subject = name.partition(":")
        if kind in closed and subject not in closed[kind] and not (kind.startswith("shortcuts") and _of_data(subject)):
            meant = _meant(subject, closed[kind], f"{kind}:")
            raise InputError(f"gate.accept names {name!r}, which no probe can find; {meant}")


def check_columns(task: Task, data: Dataset) -> None:
    """Refuse a column that must not matter and that the rows do not have; recorded answers know no columns of inputs.

    Raises:
        InputError: if there is one; it names the nearest there is.
    """
    if data.modality == "answers":
        return
    # Columns about one recording are judged as one, under a name that no column need have.
    known = (*data.features, *data.columns, *(cue.column for cue in recordings(data.features)))
    spelled = {_spelled(name) for name in known}
    for cue in task.must_not_matter:
        start, _, name = cue.partition(":")
        # Columns of an array without names are numbered.
        numbered = not data.features and re.fullmatch(r"column \d+", name)
        if start == "column" and name and _spelled(name) not in spelled and not numbered:
            meant = _meant(name, known, "column:") if known else "they have none"
            raise InputError(f"must_not_matter names {cue!r}, a column that the rows do not have; {meant}")


def _of_data(name: str) -> bool:
    return name.startswith(OF_DATA) and name not in OF_DATA


def _meant(name: str, known: Iterable[str], start: str = "") -> str:
    """What a name probably meant, with what it begins with; where nothing is near, what there is."""
    spelled = {_spelled(one): one for one in known}
    near = get_close_matches(_spelled(name), spelled, n=1, cutoff=0.6)
    if near:
        return f"did you mean {start + spelled[near[0]]!r}?"
    there = (one if ":" not in one else f"{one.partition(':')[0]}:..." for one in known)
    return f"there are {', '.join(dict.fromkeys(there))}"


def _spelled(name: str) -> str:
    return name.replace("-", "_")
