"""A bit that flips in the footer of kept answers, which no checksum of Parquet covers: nobody reads on."""

import shutil

import numpy as np
import pytest

import pfungst
from pfungst.comparing import compare
from pfungst.engine.cache import kept_answers
from pfungst.errors import InputError
from pfungst.monitoring import monitor
from pfungst.viewing.answers import said_of
from pfungst.viewing.rows import Rows
from pfungst.viewing.run import opened

ROWS = 300


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model whose answers hang on the first number, and its audit under shifts of that number."""
    folder = tmp_path_factory.mktemp("damaged")
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(ROWS, 3)).astype(np.float32)
    labels = (inputs[:, 0] + rng.normal(size=ROWS) > 0).astype(int)

    def model(shown):
        return np.stack([-2 * shown[:, 0], 2 * shown[:, 0]], axis=1)

    pfungst.audit(model, (inputs, labels), out=folder / "run", only=("calibration", "shift"))
    np.savez(folder / "log.npz", logits=model(inputs), labels=labels)
    return folder


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole / "run", tmp_path / "run")


def flipped(file):
    """One bit near the start of the footer."""
    raw = bytearray(file.read_bytes())
    raw[len(raw) - 8 - int.from_bytes(raw[-8:-4], "little") + 5] ^= 1
    file.write_bytes(raw)


def plain(run):
    return next(iter((run / "answers").glob("test.as-it-is.*.parquet")))


def test_nothing_reads_the_plain_answers_any_more(whole, run):
    assert len(kept_answers(plain(run))[1]) == ROWS
    flipped(plain(run))
    for read in (
        lambda: kept_answers(plain(run)),
        lambda: opened(run),
        pfungst.answers(run)["as it is"].table,
        lambda: compare(whole / "run", run),
        lambda: monitor(str(whole / "log.npz"), reference=run),
    ):
        with pytest.raises(InputError, match=r"not as it was written.*(audit again|writes them again)"):
            read()


def test_a_view_leaves_out_the_one_condition(run):
    before = said_of(Rows(opened(run), "test"), 7)
    file = next(one for one in sorted((run / "answers").glob("test.*.parquet")) if one != plain(run))
    flipped(file)
    after = said_of(Rows(opened(run), "test"), 7)
    assert len(after) == len(before) - 1 > 0
    assert set(after) < set(before)


def test_rows_that_are_not_as_they_were_written_are_refused(run):
    flipped(run / "rows.parquet")
    with pytest.raises(InputError, match=r"rows\.parquet holds no rows that can be read"):
        opened(run)
