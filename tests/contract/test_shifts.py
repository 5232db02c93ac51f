"""What every registered shift promises: a table that is the truth, words that tell severities apart, no guessing."""

import dataclasses
import inspect
import re

import pytest

from pfungst.canonical import canonical
from pfungst.errors import InputError
from pfungst.methods.shifts import shifts

KINDS = pytest.mark.parametrize("kind", list(shifts.values()), ids=list(shifts))
LEVELS = range(1, 6)


def table(kind):
    """The five parameters of a shift: its only class attribute that is a tuple."""
    (found,) = [value for name, value in vars(kind).items() if isinstance(value, tuple) and not name.startswith("__")]
    return found


@KINDS
def test_table_in_the_docstring_is_the_one_that_is_used(kind):
    said = re.search(r"by severity:(.*)", inspect.getdoc(kind), flags=re.DOTALL)
    assert said, "the docstring names no parameters"
    numbers = [float(number) for number in re.findall(r"\d*\.\d+", said[1])][: len(LEVELS)]
    assert numbers == pytest.approx(list(table(kind)))
    assert len(table(kind)) == len(LEVELS)


@KINDS
def test_severity_is_the_only_setting_and_the_middle_is_meant_where_none_is_named(kind):
    assert [field.name for field in dataclasses.fields(kind)] == ["severity"]
    assert kind() == kind(severity=3)


@KINDS
@pytest.mark.parametrize("words", ["name", "parameter"])
def test_words_tell_severities_apart(kind, words):
    assert len({getattr(kind(severity=level), words) for level in LEVELS}) == len(LEVELS)


def test_spellings_tell_all_shifts_and_severities_apart():
    every = [kind(severity=level) for kind in shifts.values() for level in LEVELS]
    assert len({canonical(one) for one in every}) == len(set(every)) == len(every)


@KINDS
@pytest.mark.parametrize("severity", [0, -1, 6, 2.5, True, "3"])
def test_severity_that_does_not_exist_is_refused_in_a_sentence(kind, severity):
    with pytest.raises(InputError, match=rf"{kind.topic} was asked for at severity .*1, 2, 3, 4 and 5"):
        kind(severity=severity)
