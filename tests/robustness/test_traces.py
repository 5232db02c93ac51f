"""Traces of files: what headers tell, of whole files and of broken ones, in folders, archives and tables."""

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

import pfungst
from pfungst.datasets.traces import NAMES, quality, traces

RNG = np.random.default_rng(0)


def picture(width=40, height=30, mode="RGB"):
    return Image.fromarray(RNG.integers(0, 255, (height, width, 3), np.uint8)).convert(mode)


def coded(image, form, **settings):
    stream = io.BytesIO()
    image.save(stream, form, **settings)
    return stream.getvalue()


def taken():
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Canon\0", "EOS 5D", "Editor 3"
    return exif


def test_quality_is_that_with_which_pillow_wrote_the_file():
    for asked in (1, 5, 10, 25, 49, 50, 51, 75, 90, 95, 99, 100):
        assert traces(coded(picture(), "JPEG", quality=asked))["jpeg-quality"] == asked


def test_quality_of_a_grey_jpeg_and_of_none():
    assert traces(coded(picture(mode="L"), "JPEG", quality=60))["jpeg-quality"] == 60
    assert traces(coded(picture(), "PNG"))["jpeg-quality"] is None
    assert quality(np.full(64, 255)) == 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_every_format_tells_its_size_sides_and_name(form):
    data = coded(picture(), form)
    found = traces(data)
    assert tuple(found) == NAMES
    assert (found["size"], found["width"], found["height"], found["format"]) == (len(data), 40, 30, form)
    assert found["aspect"] == pytest.approx(4 / 3, abs=1e-5)
    assert found["bytes-a-pixel"] == pytest.approx(len(data) / 1200, abs=1e-5)
    assert (found["exif"], found["camera"], found["software"]) == (False, None, None)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "PNG"])
def test_camera_and_software_are_read_from_exif(form):
    found = traces(coded(picture(), form, exif=taken()))
    assert (found["exif"], found["camera"], found["software"]) == (True, "Canon EOS 5D", "Editor 3")


def test_a_rotated_photo_keeps_the_sides_of_its_file():
    exif = taken()
    exif[0x0112] = 6
    found = traces(coded(picture(), "JPEG", exif=exif))
    assert (found["width"], found["height"]) == (40, 30)


def test_files_cut_anywhere_never_raise_and_keep_their_size():
    for form in ("JPEG", "PNG", "WEBP", "TIFF", "GIF"):
        data = coded(picture(), form, **({"exif": taken()} if form != "GIF" else {}))
        for end in {0, 1, 3, 10, 30, 64, 100, 200, len(data) // 2, len(data) - 1}:
            found = traces(data[:end])
            assert tuple(found) == NAMES
            assert found["size"] == min(end, len(data))


def test_files_with_flipped_bytes_never_raise():
    whole = coded(picture(), "JPEG", exif=taken())
    for seed in range(60):
        rng = np.random.default_rng(seed)
        data = bytearray(whole)
        for at in rng.integers(2, min(700, len(data)), 5):
            data[at] = int(rng.integers(256))
        assert tuple(traces(bytes(data))) == NAMES


class Counted(io.BytesIO):
    count = 0

    def read(self, *asked):
        data = super().read(*asked)
        self.count += len(data)
        return data


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP"])
def test_only_the_header_is_read(form):
    stream = Counted(coded(picture(600, 400), form))
    assert traces(stream, 7)["width"] == 600
    assert stream.count < 20_000 < len(stream.getvalue())


def a_folder(root, count=6):
    for row in range(count):
        path = root / "ab"[row % 2] / f"{row}.{'jpg' if row % 2 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(coded(picture(width=20 + row), "JPEG" if row % 2 else "PNG"))
    return root


def told(data):
    return [(one["format"], one["width"]) for one in data.traces(np.arange(len(data)))]


WANTED = [("PNG", 20), ("PNG", 22), ("PNG", 24), ("JPEG", 21), ("JPEG", 23), ("JPEG", 25)]


def test_folders_archives_and_tables_tell_traces_by_position(tmp_path):
    root = a_folder(tmp_path / "pictures")
    data = pfungst.load_data(root)
    assert told(data) == WANTED
    assert data.traces(np.array([4, 0]))[0]["width"] == 23
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in sorted(root.rglob("*.*")):
            archive.write(path, path.relative_to(root))
    assert told(pfungst.load_data(tmp_path / "pictures.zip")) == WANTED
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        rows.writerows((f"pictures/{name}", name[0]) for name in data.ids)
    assert told(pfungst.load_data(tmp_path / "rows.csv")) == WANTED
    with (root / "metadata.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "label"])
        rows.writerows((name, name[0]) for name in data.ids)
    assert told(pfungst.load_data(root)) == WANTED


def test_files_that_are_gone_or_empty_have_no_traces(tmp_path):
    root = a_folder(tmp_path)
    data = pfungst.load_data(root)
    (root / data.ids[0]).unlink()
    (root / data.ids[1]).write_bytes(b"")
    gone, empty, whole = data.traces(np.arange(3))
    assert set(gone.values()) == {None}
    assert (empty["size"], empty["width"]) == (0, None)
    assert whole["width"] == 24


def test_data_without_files_have_no_traces(tmp_path):
    np.savez(tmp_path / "rows.npz", inputs=np.zeros((4, 8, 8, 1), np.uint8), labels=np.arange(4) % 2)
    assert pfungst.load_data(tmp_path / "rows.npz").traces is None
