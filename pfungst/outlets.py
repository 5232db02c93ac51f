"""Outlets: the files and annotations that a continuous integration server reads, as asked with ``--format``."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pfungst.errors import InputError
from pfungst.gating import Gated
from pfungst.report.files import written
from pfungst.report.github import github, muted
from pfungst.report.junit import junit
from pfungst.report.markdown import markdown
from pfungst.report.sarif import sarif
from pfungst.runs.places import working

Written = Callable[[Gated], str]
FORMATS: Mapping[str, tuple[str, Written]] = {
    "junit": ("junit.xml", junit),
    "sarif": ("findings.sarif", sarif),
    "github": ("summary.md", markdown),
    "markdown": ("summary.md", markdown),
}
"""The file that each format writes into a RUN folder, and what writes it; ``github`` prints annotations besides."""


@dataclass(frozen=True)
class Outlets:
    """The formats that were asked for; ``step_summary`` is the file that GitHub shows under a step.

    Raises:
        InputError: if there is no such format.
    """

    formats: tuple[str, ...]
    step_summary: str | None = None

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise InputError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")

    @contextmanager
    def muted(self) -> Iterator[None]:
        """While words from outside are printed, the runner obeys no command in them."""
        before, after = muted(secrets.token_hex(16))
        if "github" in self.formats:
            print(before, flush=True)
        try:
            yield
        finally:
            if "github" in self.formats:
                print(after, flush=True)

    def write(self, out: str | Path, gate: Gated, summary: Written = markdown) -> None:
        """Write the files into a RUN, and for GitHub print annotations and add the summary to the step's.

        ``summary`` writes the Markdown.
        """
        with working(out if self.formats else None) as place:
            for name in self.formats:
                file, write = FORMATS[name]
                content = (summary if write is markdown else write)(gate).encode("utf-8", "replace")
                written(place.folder / file, content)
        if "github" in self.formats:
            print(github(gate), end="")
            self._append(summary(gate))

    def _append(self, words: str) -> None:
        if not self.step_summary:
            return
        try:
            with Path(self.step_summary).open("a", encoding="utf-8", errors="replace") as file:
                file.write(words + "\n")
        except OSError as error:
            # Everything else is written, and the gate has its answer: a full disk of the runner's does not change it.
            print(f"::warning title=pfungst::the step summary cannot be written ({error.strerror})")
