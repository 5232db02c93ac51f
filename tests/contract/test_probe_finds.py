"""Every probe says what it may find, and finds nothing else: acceptances are checked against these names."""

import ast
from pathlib import Path

import pytest

import pfungst.probes
from pfungst.probe import probes

FILES = sorted((Path(__file__).parents[2] / "pfungst" / "probes").glob("*.py"))
MADE = {"Finding", "Skipped"}


def spelled() -> set[str]:
    """The kinds that findings and skipped entries are given in words, in any probe's file."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in MADE:
                yield from (
                    word.value.value
                    for word in node.keywords
                    if word.arg == "kind" and isinstance(word.value, ast.Constant)
                )


def test_kinds_in_the_files_are_those_that_probes_name():
    named = {kind for probe in probes.values() for kind in probe.finds}
    assert set(spelled()) <= named
    text = "".join(path.read_text() for path in FILES)
    assert all(text.count(f'"{kind}"') > 1 for kind in named), "a kind that is named is found somewhere"


def test_every_kind_is_a_sentence():
    for topic, probe in probes.items():
        assert probe.finds, topic
        assert all(said[0].isupper() and said.endswith(".") for said in probe.finds.values())


@pytest.mark.parametrize("probe", [pfungst.probes.calibration, pfungst.probes.shortcuts, pfungst.probes.drift])
def test_settings_of_a_probe_have_names_so_that_a_model_is_not_taken_for_one(probe):
    with pytest.raises(TypeError, match="positional"):
        probe("model.onnx", "data.npz")
