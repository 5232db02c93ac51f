"""Colours of the page have the contrast WCAG 2.2 asks for, in light, dark and print; axe does not see text in SVG."""

import re
from importlib.resources import files
from itertools import product

import pytest

STYLE = (files("pfungst.report") / "style.css").read_text(encoding="utf-8")
TEXTS = ("ink", "soft", "accent", "worse", "calm", "critical", "high", "medium", "low")
MARKS = ("accent", "worse", "low", "s1", "s2", "s3", "s4", "critical", "high", "medium")
BLOCKS = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
MODES = dict(zip(("light", "dark", "print"), BLOCKS, strict=True))

RGB = tuple[float, float, float]


def palette(mode: str) -> dict[str, RGB]:
    found = re.findall(r"--([a-z0-9]+): #([0-9a-f]{3,6})", MODES[mode])
    full = {name: value if len(value) == 6 else "".join(2 * digit for digit in value) for name, value in found}
    return {name: tuple(int(value[at : at + 2], 16) / 255 for at in (0, 2, 4)) for name, value in full.items()}


def luminance(colour: RGB) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: RGB, other: RGB) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def over(colour: RGB, opacity: float, ground: RGB) -> RGB:
    return tuple(opacity * part + (1 - opacity) * under for part, under in zip(colour, ground, strict=True))


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)


@pytest.mark.parametrize(("mode", "name", "ground"), list(product(MODES, TEXTS, ("paper", "wash"))))
def test_text_has_contrast_of_4_5(mode: str, name: str, ground: str) -> None:
    colours = palette(mode)
    assert contrast(colours[name], colours[ground]) >= 4.5


@pytest.mark.parametrize(("mode", "name"), list(product(MODES, MARKS)))
def test_marks_have_contrast_of_3(mode: str, name: str) -> None:
    colours = palette(mode)
    assert contrast(colours[name], colours["paper"]) >= 3


@pytest.mark.parametrize("mode", MODES)
def test_text_on_the_shaded_quadrant_and_on_every_depth_of_a_matrix_is_readable(mode: str) -> None:
    colours = palette(mode)
    (danger,) = re.findall(r"\.danger \{ fill: var\(--worse\); opacity: ([.\d]+); \}", STYLE)
    assert contrast(colours["soft"], over(colours["worse"], float(danger), colours["paper"])) >= 4.5
    depths = {
        int(level): float(opacity) for level, opacity in re.findall(r"\.q(\d) \{ fill-opacity: ([.\d]+); \}", STYLE)
    }
    assert sorted(depths) == list(range(1, 8))
    for level, opacity in {**depths, 8: 1.0}.items():
        ground = over(colours["accent"], opacity, colours["paper"])
        ink = colours["paper"] if level > 6 else colours["ink"]
        assert contrast(ink, ground) >= 4.5, level


@pytest.mark.parametrize("mode", MODES)
def test_interval_lines_keep_contrast_of_3_in_spite_of_their_opacity(mode: str) -> None:
    colours = palette(mode)
    (opacity,) = re.findall(r"\.span \{[^}]*opacity: ([.\d]+)", STYLE)
    for name in ("accent", "worse", "s1", "s2"):
        assert contrast(over(colours[name], float(opacity), colours["paper"]), colours["paper"]) >= 3, name
