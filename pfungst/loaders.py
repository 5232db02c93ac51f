"""Loaders of other packages: forms of models and of data that pfungst itself does not read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pfungst.errors import InputError, first_line
from pfungst.registry import Registry
from pfungst.task import Task


@dataclass(frozen=True)
class Loader:
    """Reads one form: ``name`` is an ending such as ``.tfl`` or a scheme such as ``zoo:``.

    ``load`` takes what the user wrote and the task. It returns what ``load_model`` or ``load_data`` take as a Python
    object: for a model a torch module, a session, an estimator, a callable from an array to scores, or a Model; for
    data a pair (inputs, labels), named arrays, a data frame, or a Dataset. What it cannot read it refuses with an
    InputError. The first line of its docstring says what it reads.

    >>> Loader("zoo:", lambda source, task: None).reads("zoo:digits")
    True
    """

    name: str
    load: Callable[[str, Task], Any]

    def reads(self, source: str) -> bool:
        """Whether a source is of this form."""
        known = source.lower()
        return known.startswith(self.name) if self.name.endswith(":") else known.endswith(self.name)

    def __call__(self, source: str, task: Task) -> Any:
        """What stands behind the source. Raises InputError if it cannot be read."""
        try:
            return self.load(source, task)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"the loader of {self.name!r} could not read {source} ({type(error).__name__}: {first_line(error)})"
            ) from error


def _is_loader(item: object) -> bool:
    if not isinstance(item, Loader) or not item.name.islower():
        return False
    return item.name.startswith(".") != item.name.endswith(":")


model_loaders: Registry[Loader] = Registry("model-loaders", _is_loader)
data_loaders: Registry[Loader] = Registry("data-loaders", _is_loader)


def loader_of(loaders: Registry[Loader], source: str) -> Loader | None:
    """The loader of the longest form that a source has, or None."""
    fitting = [one for one in loaders.values() if one.reads(source)]
    return max(fitting, key=lambda one: len(one.name), default=None)
