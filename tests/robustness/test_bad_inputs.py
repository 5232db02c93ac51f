"""Every bad input of the table is refused with one sentence and exit code 2, or handled with the right numbers."""

import sys
from pathlib import Path

import pytest

for needed in ("onnx", "torch", "skops", "safetensors"):
    pytest.importorskip(needed, reason="bad models are made with it")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from hostile import every  # noqa: E402 - found where the line above looks
from hostile.case import Case, outcome  # noqa: E402 - same

CASES = every()


def named(case: Case) -> str:
    return f"{case.group}: {case.name}"


def test_there_are_at_least_150_and_their_names_differ():
    assert len(CASES) >= 150
    assert len({named(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: named(case).replace("/", "|"))
def test_bad_input(case, tmp_path):
    found = outcome(case, tmp_path)
    assert not found.wrong, f"{found.wrong}: {found.said}"
