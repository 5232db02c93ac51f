"""The task file that doctor prints says what was inferred: read again, it asks for the same."""

import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.datasets.resolved import task_file
from pfungst.frame import Frame
from pfungst.load import from_arrays
from pfungst.models.preprocess import Preprocess
from pfungst.task import Columns, Task, task_of

SIZES = st.none() | st.tuples(st.integers(1, 400), st.integers(1, 400))
NUMBERS = st.floats(-9, 9).map(lambda value: round(value, 3))
FRAMES = st.builds(
    Frame, resize=SIZES, shortest_edge=st.none() | st.integers(1, 400), crop=SIZES,
    resample=st.sampled_from([0, 2, 3]), channels=st.sampled_from([None, 1, 3]),
)  # fmt: skip
KNOWN = st.builds(
    Preprocess, frame=FRAMES, rescale=st.sampled_from([1 / 255, 1.0]), mean=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    std=st.tuples(NUMBERS, NUMBERS, NUMBERS), layout=st.sampled_from(["NCHW", "NHWC", "flat"]), bgr=st.booleans(),
)  # fmt: skip


def pictures(classes=("a", "b")):
    held = {"inputs": np.zeros((4, 5, 5, 3), np.uint8), "labels": np.array([classes[i % 2] for i in range(4)])}
    return from_arrays(held, Task(), source="rows")


@given(KNOWN, st.sampled_from(["logits", "probabilities"]))
@settings(max_examples=100, deadline=None)
def test_preprocessing_is_asked_for_as_it_was_resolved(known, means):
    told = task_of(tomllib.loads(task_file(SimpleNamespace(preprocess=known, means=means), pictures())))
    asked, frame = told.preprocess, known.frame
    assert (asked.size, asked.crop) == (frame.resize, frame.crop)
    assert (asked.shortest_edge, asked.resample, asked.channels) == (
        frame.shortest_edge,
        frame.resample,
        frame.channels,
    )
    assert (asked.rescale, tuple(asked.mean), tuple(asked.std)) == (known.rescale, known.mean, known.std)
    assert bool(asked.bgr) == known.bgr
    assert asked.layout == (known.layout if known.layout != "flat" else None)
    assert (told.outputs, told.task.classes) == (means, ("a", "b"))


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "del\x7f", "line\nbreak", "ü 狼 \U0001f43a", "[task]"])
def test_names_of_any_kind_come_back(name):
    told = task_of(tomllib.loads(task_file(SimpleNamespace(), pictures((name, "b")))))
    assert told.task.classes == tuple(sorted((name, "b")))


def test_parts_of_columns_are_named_and_what_has_none_names_none():
    columns = Columns(site=("hospital", "scanner"), group=("sex",), unit="patient", time="taken")
    held = {"inputs": np.zeros((4, 2)), "labels": np.arange(4) % 2, "hospital": np.array(list("abab")),
            "scanner": np.array(list("ccdd")), "sex": np.array(list("fmfm")), "patient": np.arange(4),
            "taken": np.arange(4)}  # fmt: skip
    data = from_arrays(held, Task(columns=columns), source="rows")
    told = task_file(SimpleNamespace(), data)
    assert task_of(tomllib.loads(told)).columns == columns
    bare = from_arrays({"inputs": np.zeros((4, 2)), "labels": np.arange(4) % 2}, Task(), source="rows")
    assert "[columns]" not in task_file(SimpleNamespace(), bare)
    assert "[preprocess]" not in task_file(SimpleNamespace(preprocess=Preprocess()), bare)
