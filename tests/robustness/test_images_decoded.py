"""Image files of every kind become what a person would see."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pfungst.datasets.image import decode, peculiarities
from pfungst.errors import UnreadableRow

RGB = np.zeros((6, 9, 3), np.uint8)
RGB[:2, :3] = (250, 20, 90)
RGB[4:, 5:] = (5, 200, 60)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_is_kept_exactly(kind):
    np.testing.assert_array_equal(decode(saved(Image.fromarray(RGB), kind)), RGB)


def test_grey_has_one_channel_and_bilevel_becomes_grey():
    grey = RGB[..., 0]
    np.testing.assert_array_equal(decode(saved(Image.fromarray(grey)))[..., 0], grey)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(grey > 128)))[..., 0], (grey > 128) * np.uint8(255))


def test_sixteen_bits_become_eight():
    deep = np.array([[0, 257, 65535], [128 * 257, 300, 40000]], np.uint16)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(deep)))[..., 0], np.rint(deep / 257).astype(np.uint8))
    np.testing.assert_array_equal(decode(saved(Image.fromarray(deep), "TIFF"))[..., 0], np.rint(deep / 257))


def test_floats_in_the_unit_range_are_read_and_others_refused():
    unit = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(unit), "TIFF"))[..., 0], np.rint(unit * 255))
    assert peculiarities(saved(Image.fromarray(unit), "TIFF")) == ("floats from 0 to 1 become 8 bits",)
    for other, said in ((unit - 5, "from -5 to -4"), (unit * 255, "from 0 to 255"), (unit * np.nan, "from nan to nan")):
        found = decode(saved(Image.fromarray(other), "TIFF"))
        assert isinstance(found, UnreadableRow)
        assert str(found) == f"the image holds floats, which are read from 0 to 1, and its values lie {said}"


def test_transparent_parts_are_white():
    alpha = np.full((6, 9, 1), 255, np.uint8)
    alpha[0] = 0
    seen = decode(saved(Image.fromarray(np.concatenate([RGB, alpha], axis=2))))
    assert (seen[0] == 255).all()
    np.testing.assert_array_equal(seen[1:], RGB[1:])
    grey = decode(saved(Image.fromarray(np.concatenate([RGB[..., :1], alpha], axis=2), "LA")))
    assert grey.shape == (6, 9, 1)
    assert (grey[0] == 255).all()


def test_palettes_and_cmyk_become_rgb():
    palette = Image.fromarray(RGB).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    np.testing.assert_array_equal(decode(saved(palette)), RGB)
    cmyk = decode(saved(Image.fromarray(RGB).convert("CMYK"), "TIFF"))
    np.testing.assert_array_equal(cmyk, RGB)


def test_turned_photographs_stand_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(saved(Image.fromarray(RGB), "PNG", exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(RGB, -1))


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(decode(data), RGB)


def test_what_is_done_to_a_file_is_said():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert peculiarities(saved(Image.fromarray(RGB), "PNG", exif=exif)) == ("EXIF turns it upright",)
    assert peculiarities(saved(Image.fromarray(RGB).convert("RGBA"))) == ("transparency is laid on white",)
    assert peculiarities(saved(Image.fromarray(RGB[..., 0].astype(np.uint16)))) == ("16 bits become 8",)
    assert peculiarities(saved(Image.fromarray(RGB))) == peculiarities(b"no image") == ()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_truncated_files_are_unreadable_rows(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    got = decode(data[: len(data) // 2])
    assert isinstance(got, UnreadableRow)
    assert "\n" not in str(got)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4", bytes(100)])
def test_what_is_no_image_is_an_unreadable_row(data):
    assert isinstance(decode(data), UnreadableRow)


def png(side: int, rows: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 60_000])
def test_decompression_bombs_are_not_decoded(side):
    got = decode(png(side, bytes(1000)))
    assert isinstance(got, UnreadableRow)
    assert "not decoded" in str(got)


def test_a_limit_of_pixels_is_the_users():
    large = png(14_000, bytes(14_000 * 14_001))  # more than twice what Pillow reads by itself
    assert isinstance(decode(large), UnreadableRow)
    assert decode(large, most=14_000**2).shape == (14_000, 14_000, 1)
    assert isinstance(decode(large), UnreadableRow)
    assert "more than 100" in str(decode(png(16, bytes(16 * 17)), most=100))
