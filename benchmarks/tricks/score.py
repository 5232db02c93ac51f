"""Tables of what each tool caught, named and accused in vain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pfungst.statistics.proportions import wilson

MODALITIES = ("image", "table", "text")


@dataclass(frozen=True)
class Said:
    """One tool on one network: what is true of it, and what the tool said."""

    truth: dict[str, Any]
    flags: tuple[str, ...]
    accused: bool
    right: bool
    error: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether it raised any alarm, or named the cue."""
        return self.accused or self.right


@dataclass(frozen=True)
class Tool:
    """One tool, its version, why it did not run if so, and what it said of the networks it can be asked about."""

    name: str
    version: str
    modalities: tuple[str, ...] = MODALITIES
    refusal: str = ""
    said: tuple[Said, ...] = field(default=())

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


def share(hits: Sequence[bool]) -> str:
    """How many of how many, with the Wilson interval at 95 %.

    >>> share([True, True, False])
    '2/3 [0.21, 0.94]'
    """
    if not hits:
        return "-"
    low, high = wilson(sum(hits) / len(hits), len(hits))
    return f"{sum(hits)}/{len(hits)} [{low:.2f}, {high:.2f}]"


def tables(tools: Sequence[Tool]) -> str:
    """All tables as Markdown."""
    parts = ("Tricks that were learned", *_main(tools)), ("By trick: rightly named", *_by_trick(tools)), (
        "Weak cues: caught", *_weak(tools)), ("Honest networks by rows: accused", *_nulls(tools))  # fmt: skip
    return "\n\n".join(f"**{title}**\n\n" + "\n".join(lines) for title, *lines in parts)


def main_table(tools: Sequence[Tool]) -> str:
    """Who caught what, as Markdown."""
    return "\n".join(_main(tools))


def _line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _head(cells: Sequence[str]) -> Iterator[str]:
    yield _line(cells)
    yield _line(["---"] * len(cells))


def _main(tools: Sequence[Tool]) -> Iterator[str]:
    yield from _head(["tool", "rows are", "caught", "rightly named", "honest, accused", "unused cue, accused",
                      "seconds", "failed"])  # fmt: skip
    for tool in tools:
        if tool.refusal:
            yield _line([tool.title, tool.refusal, *["-"] * 6])
            continue
        for modality in MODALITIES:
            if modality not in tool.modalities:
                yield _line([tool.title, modality, *["-"] * 6])
                continue
            some = [one for one in tool.said if one.truth["modality"] == modality]
            if some:
                yield _line([tool.title, modality, *_row(some)])


def _row(some: Sequence[Said]) -> list[str]:
    tricked = [one for one in some if one.truth["role"] == "tricked" and one.truth["learned"]]
    honest, latent = ([one for one in some if one.truth["role"] == role] for role in ("honest", "latent"))
    return [
        share([one.caught for one in tricked]), share([one.right for one in tricked]),
        share([one.accused for one in honest]), share([one.accused for one in latent]),
        f"{median(one.seconds for one in some):.1f}", str(sum(bool(one.error) for one in some)),
    ]  # fmt: skip


def _by_trick(tools: Sequence[Tool]) -> Iterator[str]:
    ran = [tool for tool in tools if not tool.refusal]
    yield from _head(["rows are", "trick", *(tool.name for tool in ran)])
    learned = [truth for truth in _truths(ran) if truth["role"] == "tricked" and truth["learned"]]
    for kind in dict.fromkeys((truth["modality"], truth["trick"]) for truth in learned):
        some = [truth for truth in learned if (truth["modality"], truth["trick"]) == kind]
        yield _line([*kind, *(_counted(tool, some, "right") for tool in ran)])


def _weak(tools: Sequence[Tool]) -> Iterator[str]:
    ran = [tool for tool in tools if not tool.refusal]
    yield from _head(["rows are", "agreement", "accuracy it is worth", *(tool.name for tool in ran)])
    weak = [truth for truth in _truths(ran) if truth["role"] == "power"]
    for modality, agrees in sorted({(truth["modality"], truth["agrees"]) for truth in weak}):
        some = [truth for truth in weak if (truth["modality"], truth["agrees"]) == (modality, agrees)]
        worth = sum(truth["accuracy"] - truth["by_chance"] for truth in some) / len(some)
        yield _line([modality, f"{agrees:.2f}", f"{worth:.3f}", *(_counted(tool, some, "caught") for tool in ran)])


def _nulls(tools: Sequence[Tool]) -> Iterator[str]:
    ran = [tool for tool in tools if not tool.refusal]
    yield from _head(["rows are", "rows", *(tool.name for tool in ran)])
    honest = [truth for truth in _truths(ran) if truth["role"] == "honest"]
    for modality in MODALITIES:
        for low, high in ((0, 200), (200, 999), (999, 2000), (2000, 10**9)):
            some = [truth for truth in honest if truth["modality"] == modality and low < truth["rows"] <= high]
            sizes = sorted({truth["rows"] for truth in some})
            if sizes:
                span = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
                yield _line([modality, span, *(_counted(tool, some, "accused") for tool in ran)])


def _truths(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Every network that any of them was asked about, once, by name."""
    found = {one.truth["name"]: one.truth for tool in tools for one in tool.said}
    return [found[name] for name in sorted(found)]


def _counted(tool: Tool, some: Sequence[dict[str, Any]], what: str) -> str:
    names = {truth["name"] for truth in some}
    hits = [bool(getattr(one, what)) for one in tool.said if one.truth["name"] in names]
    return f"{sum(hits)}/{len(hits)}" if hits else "-"
