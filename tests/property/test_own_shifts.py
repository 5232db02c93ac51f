"""Shifts of the user's own: functions and occluders do what they say, and what is wrong is said in a sentence."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pfungst.canonical import canonical
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.own_shifts import SHARES, own
from pfungst.passes import is_perturbation

LOUD = "def loud_words(text, severity):\n    return text.upper() + '!' * severity\n"


def batch_of(inputs):
    rows = np.arange(len(inputs))
    return Batch(tuple(f"row {row}" for row in rows), rows, inputs, np.full(len(rows), -1))


def test_a_function_of_a_row_and_a_severity_is_a_shift(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(LOUD)
    (modality, make) = own((f"{file}:loud_words",), ())["loud-words"]
    assert modality == ""
    done = make(severity=2)(batch_of(np.array(["call now", "see you"], object)))
    assert done.tolist() == ["CALL NOW!!", "SEE YOU!!"]
    assert is_perturbation(make(severity=2))
    assert canonical(make(severity=2)) != canonical(make(severity=3))


def test_another_version_of_the_file_is_another_shift(tmp_path):
    file = tmp_path / "mine.py"
    spelled = []
    for body in (LOUD, LOUD.replace("upper", "lower")):
        file.write_text(body)
        spelled.append(canonical(own((f"{file}:loud_words",), ())["loud-words"][1](severity=1)))
    assert len(set(spelled)) == 2


def test_a_function_that_raises_is_named_with_the_row(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("def broken(text, severity):\n    raise ValueError('no such word')\n")
    make = own((f"{file}:broken",), ())["broken"][1]
    with pytest.raises(InputError, match=r"broken.py:broken raised ValueError on the row row 0: no such word"):
        make(severity=1)(batch_of(np.array(["call now"], object)))


def test_what_is_not_there_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        own(("nowhere.py:thing",), ())
    with pytest.raises(InputError, match=r"there is no occluder nowhere\.png"):
        own((), ("nowhere.png",))
    Image.new("RGBA", (8, 8)).save(tmp_path / "short.png")
    whole = (tmp_path / "short.png").read_bytes()
    for name, content in (("text", b"no picture"), ("cut", whole[:20]), ("huge", _as_large_as(whole, 60_000))):
        file = tmp_path / f"{name}.png"
        file.write_bytes(content)
        with pytest.raises(InputError, match="is no picture"):
            own((), (str(file),))


def _as_large_as(picture, side):
    """The same file, whose header says that the picture is larger."""
    header = b"IHDR" + struct.pack(">II", side, side) + picture[24:29]
    return picture[:12] + header + struct.pack(">I", zlib.crc32(header)) + picture[33:]


@pytest.mark.parametrize("side", [16, 64, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_occluder_covers_what_it_says_and_keeps_to_its_place(tmp_path, side, channels):
    pixels = np.zeros((60, 40, 4), np.uint8)
    pixels[10:50, 10:30] = (255, 255, 255, 255)
    Image.fromarray(pixels).save(tmp_path / f"card{side}{channels}.png")
    (modality, make) = own((), (str(tmp_path / f"card{side}{channels}.png"),))[f"occluder:card{side}{channels}"]
    assert modality == "image"
    black = np.zeros((6, side, side, channels), np.float32)
    seen = [make(severity=level)(batch_of(black)) for level in range(1, 6)]
    for share, one in zip(SHARES[:3], seen, strict=False):
        assert one.mean(axis=(1, 2, 3)) == pytest.approx(share, rel=0.06)
    y, x = np.mgrid[:side, :side]
    for row in range(6):
        centres = [[(one[row, ..., 0] * at).sum() / one[row, ..., 0].sum() for at in (y, x)] for one in seen[:3]]
        assert np.abs(np.diff(centres, axis=0)).max() < 0.03 * side + 0.5
