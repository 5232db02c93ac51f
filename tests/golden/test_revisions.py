"""Canonical spellings of methods: a revision is in them when it is not the first, so that no old answer is reused."""

from dataclasses import dataclass, fields, is_dataclass
from typing import ClassVar

import numpy as np
import pytest

import pfungst
from pfungst.canonical import canonical, fingerprint
from pfungst.methods import compression, occlusion, photometric, segmentation, tokens, writing
from pfungst.methods.occlusion import Occlusion, SmallestFlip
from pfungst.methods.photometric import Brightness
from pfungst.methods.segmentation import Background
from pfungst.methods.swaps import arms
from pfungst.methods.tokens import Token
from pfungst.methods.writing import Length
from pfungst.passes import Attribute, Predict
from pfungst.probes.attribution import Attribution


@dataclass(frozen=True)
class Plain:
    size: int = 3


@dataclass(frozen=True)
class First:
    size: int = 3
    revision: ClassVar[int] = 1


@dataclass(frozen=True)
class Second:
    size: int = 3
    revision: ClassVar[int] = 2


@dataclass(frozen=True)
class Heir(Second):
    extra: float = 0.5


@dataclass(frozen=True)
class Around:
    inner: object
    name: str = "around"


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (Plain(), "Plain(size=3)"),
        (First(), "First(size=3)"),
        (Second(), "Second#2(size=3)"),
        (Second(4), "Second#2(size=4)"),
        (Heir(), "Heir#2(extra=0x1.0000000000000p-1,size=3)"),
        (Around(First()), "Around(inner=First(size=3),name='around')"),
        (Around(Second()), "Around(inner=Second#2(size=3),name='around')"),
        (Around((Plain(), Second())), "Around(inner=(Plain(size=3),Second#2(size=3)),name='around')"),
        ({"a": Second()}, "{'a':Second#2(size=3)}"),
    ],
)
def test_a_revision_is_spelled_wherever_the_method_stands_and_only_if_it_is_not_the_first(value, spelled):
    assert canonical(value) == spelled


def test_methods_that_were_never_changed_are_spelled_as_ever():
    assert canonical(Brightness()) == "Brightness(name='brightness')"
    assert canonical(Occlusion()) == "Occlusion(cells=7,finer=3,name='occlusion',wants=('new inputs'))"
    assert fingerprint(Brightness()) == "55ba30df8fdabc1e"


def test_a_first_revision_that_is_written_down_changes_no_spelling(monkeypatch):
    before = canonical(Brightness())
    monkeypatch.setattr(Brightness, "revision", 1, raising=False)
    assert canonical(Brightness()) == before
    monkeypatch.setattr(Brightness, "revision", 2, raising=False)
    assert canonical(Brightness()) == before.replace("Brightness(", "Brightness#2(")


@pytest.mark.parametrize(
    "asked",
    [
        lambda: Attribute(SmallestFlip()),
        lambda: Predict(under=arms(Length(), "swap")[0]),
        lambda: Predict(under=arms(Length(), "swap")[1], rows=32, half="discovery"),
        lambda: Predict(under=arms(Token("free"), "swap")[1]),
        lambda: Predict(under=arms(Background(), "swap")[1]),
    ],
    ids=["map", "swap", "swap in a half", "token", "background"],
)
def test_a_new_revision_is_a_new_pass_and_the_same_one_the_same(asked, monkeypatch):
    before = asked()
    assert asked().key == before.key
    key, shown = before.key, before.shown
    for kind in (SmallestFlip, Length, Token, Background):
        monkeypatch.setattr(kind, "revision", kind.revision + 1)
    assert asked().key != key
    assert isinstance(before, Attribute) or asked().shown != shown


def test_a_revision_is_no_setting():
    kinds = {
        kind
        for module in (compression, occlusion, photometric, segmentation, tokens, writing)
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind)
    }
    revised = [kind for kind in kinds if "revision" in vars(kind)]
    assert {kind.__name__ for kind in revised} >= {"Length", "Casing", "Punctuation", "Token", "SmallestFlip"}
    for kind in revised:
        assert "revision" not in {field.name for field in fields(kind)}
        assert isinstance(kind.revision, int)
        assert kind.revision > 1, "a first revision need not be written down"


def test_answers_under_an_old_revision_are_not_taken_for_those_under_a_new_one(tmp_path, monkeypatch, onnx_classifier):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    inputs = (rng.normal(128, 20, (60, 6, 6, 1)) + (labels * 60 - 30)[:, None, None, None]).clip(0, 255)
    model = onnx_classifier(np.outer(np.ones(36), (-1, 1)), (1, 6, 6), bias=np.array([18.0, -18.0]))

    def audited():
        audit = pfungst.audit(
            str(model),
            (inputs.astype(np.uint8), labels),
            probes=(Attribution(rows=8),),
            images=False,
            out=tmp_path / "run",
        )
        return {record.name: record.cached for record in audit.passes}

    assert not any(audited().values())
    again = audited()
    assert all(again.values())
    assert {"as it is", "attributed by occlusion", "attributed by smallest-flip"} <= set(again)
    monkeypatch.setattr(SmallestFlip, "revision", SmallestFlip.revision + 1)
    assert {name for name, cached in audited().items() if not cached} == {"attributed by smallest-flip"}
    assert all(audited().values())
    monkeypatch.undo()
    # Answers that nobody asked for any more are dropped, so the old ones are not there to be found again.
    assert {name for name, cached in audited().items() if not cached} == {"attributed by smallest-flip"}
