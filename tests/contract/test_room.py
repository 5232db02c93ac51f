"""Where memory does not hold a batch it is halved, said, and no row is lost; the next inputs are made meanwhile."""

import threading

import numpy as np
import pytest

import pfungst
from pfungst.audits.request import AUTO_BATCH, resolve
from pfungst.engine.ahead import ahead
from pfungst.engine.room import Room, out_of_memory
from pfungst.errors import InputError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (90, 8, 8, 3), dtype=np.uint8)
LABELS = (PICTURES[..., 0].mean((1, 2)) > 127).astype(int)
SAID = (
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError(
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : BFCArena: Failed to allocate memory for requested buffer"
    ),
    MemoryError(),
)


def scores(pictures):
    red = pictures[..., 0].mean((1, 2)) / 255
    return np.stack([red * 0, (red - 0.5) * 20], 1).astype(np.float32)


def limited(rows, error):
    """A model whose memory holds so many rows, and the numbers of rows that it answered."""
    answered = []

    def model(pictures):
        if len(pictures) > rows:
            raise error
        answered.append(len(pictures))
        return scores(pictures)

    return model, answered


@pytest.mark.parametrize("error", SAID)
def test_every_way_to_say_it_is_understood_also_behind_a_sentence(error):
    wrapped = InputError("the model could not be run")
    wrapped.__cause__ = error
    assert out_of_memory(error)
    assert out_of_memory(wrapped)
    assert not out_of_memory(ValueError("nine classes"))


def test_an_audit_goes_on_with_smaller_batches_and_says_so():
    asked = {"only": ("calibration", "shift", "adversarial"), "task": {"shift": {"kinds": ("brightness",)}}}
    model, answered = limited(20, SAID[0])
    heard = []
    small = pfungst.audit(
        model, (PICTURES, LABELS), batch_size="auto", listen=lambda event, facts: heard.append((event, facts)), **asked
    ).report
    whole = pfungst.audit(scores, (PICTURES, LABELS), **asked).report
    assert max(answered) == 16
    assert [facts["rows"] for event, facts in heard if event == "memory"] == [16]
    assert small.settings["batch_size_halved_to"] == [16]
    assert any("Memory did not hold" in said for said in small.settings["assumed"])
    assert "batch_size_halved_to" not in whole.settings
    assert [one.rows for one in small.passes] == [one.rows for one in whole.passes]
    assert [(one.id, one.status, one.severity) for one in small.findings] == [
        (one.id, one.status, one.severity) for one in whole.findings
    ]


def test_what_halved_a_batch_stays_known_when_answers_come_from_the_cache(tmp_path):
    model, _ = limited(20, SAID[3])
    for _ in range(2):
        report = pfungst.audit(model, (PICTURES, LABELS), only=("calibration",), out=tmp_path / "run").report
        assert report.settings["batch_size_halved_to"] == [16]


def test_a_model_that_memory_cannot_hold_one_row_of_is_refused():
    model, _ = limited(0, SAID[0])
    with pytest.raises(InputError, match="memory does not hold one row"):
        pfungst.audit(model, (PICTURES, LABELS), only=("calibration",), task={"task": {"classes": ["dark", "bright"]}})


def test_other_errors_are_not_taken_for_memory():
    room = Room()
    with pytest.raises(ZeroDivisionError):
        list(room.parts(lambda part: part.start // 0, 4, 8))
    assert room.within(8) == 8


def test_auto_is_the_usual_size_and_other_words_are_refused():
    assert resolve(None, {"batch_size": "auto"}).batch_size == AUTO_BATCH
    assert resolve({"batch_size": "auto"}, {}).batch_size == AUTO_BATCH
    with pytest.raises(InputError, match="--batch-size is many"):
        resolve(None, {"batch_size": "many"})


def test_the_next_item_is_made_while_the_last_is_used():
    second = threading.Event()

    def made():
        yield 1
        second.set()
        yield 2
        raise ValueError("the third cannot be made")

    coming = ahead(made())
    assert next(coming) == 1
    assert second.wait(60)
    assert next(coming) == 2
    with pytest.raises(ValueError, match="third"):
        next(coming)
