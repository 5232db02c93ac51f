"""Every figure, whatever its evidence holds, is well-formed, says itself in words and numbers, and stays small."""

import runpy
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pfungst.findings import (
    AnyEvidence,
    Bin,
    Confusions,
    Cue,
    Estimates,
    Evidence,
    Examples,
    Histogram,
    OpportunityReliance,
    RegionMap,
    ReliabilityCurve,
    Round,
    Rounds,
    Series,
    SeverityCurve,
    Step,
    Table,
)
from pfungst.report.axes import honest, ticks
from pfungst.report.figures import draw
from pfungst.report.forest import strip
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.statistics.estimate import Estimate

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))
QUICK = settings(max_examples=40, deadline=None)

# A title may be called what a broken number would be spelled like; those are looked for below.
words = st.text(max_size=40).filter(
    lambda said: not {"nan", "inf"} & {said.lower()[i : i + 3] for i in range(len(said))}
)
numbers = st.floats(-1e6, 1e6, allow_nan=False)
shares = st.floats(0, 1, allow_nan=False)


@st.composite
def estimates(draw_: st.DrawFn, value: st.SearchStrategy[float] = numbers) -> Estimate:
    low, middle, high = sorted(draw_(st.tuples(value, value, value)))
    rows = draw_(st.integers(0, 10**6))
    return Estimate(name=draw_(words), value=middle, low=low, high=high, rows=rows, unit=draw_(words))


bins = st.builds(
    Bin,
    confidence=shares,
    accuracy=estimates(shares),
    calibrated=st.none() | st.tuples(shares, shares).map(sorted).map(tuple),
)
steps = st.builds(
    Step, severity=st.integers(0, 5), parameter=words, accuracy=estimates(shares), confidence=estimates(shares)
)
cues = st.builds(Cue, name=words, opportunity=estimates(shares), reliance=estimates(st.floats(-1, 1)))
rounds = st.builds(Round, number=st.integers(1, 10**6), moved=estimates(), retrained=estimates())
ANY: dict[type, st.SearchStrategy[Evidence]] = {
    Estimates: st.builds(
        Estimates,
        title=words,
        items=st.lists(estimates(), max_size=6).map(tuple),
        reference=st.none() | numbers,
        reference_name=words,
    ),
    ReliabilityCurve: st.builds(ReliabilityCurve, title=words, bins=st.lists(bins, max_size=15).map(tuple)),
    SeverityCurve: st.builds(SeverityCurve, title=words, shift=words, steps=st.lists(steps, max_size=6).map(tuple)),
    Rounds: st.builds(Rounds, title=words, rounds=st.lists(rounds, max_size=40).map(tuple), quantity=words),
    OpportunityReliance: st.builds(
        OpportunityReliance, title=words, cues=st.lists(cues, max_size=20).map(tuple), tolerance=shares, chance=shares
    ),
    Table: st.builds(
        Table,
        title=words,
        columns=st.just(("a", "b")),
        rows=st.lists(st.tuples(words, words), max_size=8).map(tuple),
    ),
    Histogram: st.integers(1, 30).flatmap(
        lambda many: st.builds(
            Histogram,
            title=words,
            edges=st.just(tuple(float(edge) for edge in range(many + 1))),
            series=st.lists(
                st.builds(
                    Series,
                    name=words,
                    shares=st.lists(shares, min_size=many, max_size=many).map(tuple),
                    rows=st.integers(0, 10**6),
                ),
                max_size=6,
            ).map(tuple),
            line=st.none() | numbers,
            line_name=words,
            axis=words,
        )
    ),
    RegionMap: st.builds(
        RegionMap,
        title=words,
        effects=st.tuples(st.integers(0, 40), st.integers(1, 40), st.integers(0, 9)).map(
            lambda drawn: tuple(map(tuple, np.random.default_rng(drawn[2]).uniform(-1, 1, drawn[:2]).tolist()))
        ),
        box=st.none() | st.tuples(shares, shares, shares, shares),
    ),
    Confusions: st.sampled_from([2, 3, 11, 21, 30, 100]).map(SAMPLE["confusions"]),
    Examples: st.integers(0, 20).map(lambda many: SAMPLE["examples"](0, many)),
}


def parsed(figure: Markup) -> ET.Element:
    return ET.fromstring(f"<root>{figure}</root>")


def test_every_evidence_type_has_a_figure_and_a_strategy_here() -> None:
    kinds = set(get_args(AnyEvidence))
    assert kinds == set(ANY)
    assert kinds <= set(draw.registry)


@pytest.mark.parametrize("kind", ANY, ids=lambda kind: kind.__name__)
def test_figures_are_well_formed_named_twinned_and_small(kind: type) -> None:
    @QUICK
    @given(ANY[kind])
    def check(evidence: Evidence) -> None:
        figure = draw(evidence)
        assert isinstance(figure, Markup)
        assert "nan" not in figure
        assert "inf" not in figure
        assert " style=" not in figure
        root = parsed(figure)
        assert len(figure) <= 20_000 or isinstance(evidence, Table | Examples)
        for picture in root.iter("svg"):
            if picture.get("role") == "img":
                assert picture.findtext("title") is not None
                assert picture.findtext("desc")
            else:
                assert picture.get("aria-hidden") == "true"
        for one in root.iter("figure"):
            assert one.find("figcaption") is not None
            assert list(one.iter("table")) or one.find("ul") is not None

    check()


def test_an_evidence_nobody_can_draw_is_an_error() -> None:
    with pytest.raises(TypeError, match="no figure is known for Evidence"):
        draw(Evidence(title="?"))


@QUICK
@given(st.lists(numbers, min_size=1, max_size=5))
def test_scales_hold_every_value_and_zero(values: list[float]) -> None:
    scale = honest(tuple(values), 0, 100)
    widest = max(map(abs, values))
    assert scale.low <= 0 <= scale.high
    # What lies a little beyond zero is drawn at the edge rather than doubling the axis.
    slack = 0.05 * max(widest, scale.high, -scale.low) + 1e-9
    assert scale.high >= max(values) - slack
    assert scale.low <= min(values) + slack


@pytest.mark.parametrize("values", [(0.31, 0.977), (0.5,), (1.0,), (0.0, 0.9)])
def test_probabilities_get_the_full_axis(values: tuple[float, ...]) -> None:
    scale = honest(values, 0, 100)
    assert (scale.low, scale.high) == (0.0, 1.0)


@QUICK
@given(st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(span: float) -> None:
    found = ticks(0, span)
    assert 2 <= len(found) <= 9
    assert found[0] == 0
    assert found[-1] <= span * (1 + 1e-6)


@QUICK
@given(estimates(), st.none() | st.floats(0, 1))
def test_effect_strips_are_well_formed(effect: Estimate, tolerance: float | None) -> None:
    parsed(strip(effect, tolerance))


@QUICK
@given(st.text(max_size=200))
def test_text_from_outside_is_never_markup(text: str) -> None:
    element = parsed(tag("p", text, title=text))[0]
    assert element.text == (clean(text).replace("\r", "\n") or None)
    assert list(element) == []


def test_a_bin_of_few_rows_is_hollow() -> None:
    def curve(rows: int) -> ReliabilityCurve:
        item = Bin(confidence=0.5, accuracy=Estimate(name="accuracy", value=0.5, low=0.2, high=0.8, rows=rows))
        return ReliabilityCurve(title="t", bins=(item,))

    assert "hollow" in draw(curve(19))
    assert "hollow" not in draw(curve(20))


def test_the_band_of_a_calibrated_model_is_drawn_and_said_where_it_is_known() -> None:
    accuracy = Estimate(name="accuracy", value=0.5, low=0.2, high=0.8, rows=40)
    told = Bin(confidence=0.7, accuracy=accuracy, calibrated=(0.61, 0.79))
    untold = Bin(confidence=0.7, accuracy=accuracy)
    for bins in ((told,), (told, told), (untold, told)):
        page = draw(ReliabilityCurve(title="t", bins=bins))
        assert page.count('class="band"') == 1
        assert "0.610 to 0.790" in page
        assert f"of {sum(b.calibrated is not None for b in bins)} lie outside the band" in page
    bare = draw(ReliabilityCurve(title="t", bins=(untold,)))
    assert "band" not in bare
    old = msgspec.json.encode(ReliabilityCurve(title="t", bins=(untold,))).replace(b',"calibrated":null', b"")
    assert msgspec.json.decode(old, type=ReliabilityCurve).bins == (untold,)


def test_the_diagonal_chance_and_tolerance_are_always_drawn() -> None:
    assert draw(SAMPLE["reliability"]()).count('class="reference"') == 1
    assert draw(SAMPLE["quadrants"]()).count('class="reference"') == 2


def test_html_joins_parts_and_keeps_markup() -> None:
    assert html([tag("i"), "<", None, ("a", 1)]) == "<i></i>&lt;a1"
