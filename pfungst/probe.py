"""Probe: one question about a model. It says which passes it wants to see, then what they mean."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from pfungst.datasets.dataset import Dataset
from pfungst.findings import Condition, Finding, Skipped
from pfungst.passes import Passes, Predict
from pfungst.registry import Registry
from pfungst.task import Task


@dataclass(frozen=True)
class Probe:
    """A question; the fields of a subclass are its settings. A probe never calls the model."""

    topic: ClassVar[str] = ""
    question: ClassVar[str] = ""

    def for_task(self, task: Task) -> Self:
        """This probe with the settings a task file asks for."""
        del task
        return self

    def needs(self, data: Dataset, done: Passes) -> Iterable[Predict]:
        """Passes to run; asked again after each round until it wants nothing new."""
        raise NotImplementedError

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """What the answers mean."""
        raise NotImplementedError


probes: Registry[type[Probe]] = Registry("probes")
