"""Bad task files and bad words on the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path

from hostile.case import Case
from hostile.ingredients import ESCAPE, answers, audit, deep, folder, network, rows

Build = Callable[[], list[str]]
Says = tuple[str, ...]


def _task(words: str | bytes) -> Build:
    def build() -> list[str]:
        Path("task.toml").write_bytes(words.encode() if isinstance(words, str) else words)
        return audit(network(), rows(), "--task", "task.toml")

    return build


def _pictured(words: str) -> Build:
    def build() -> list[str]:
        folder()
        Path("task.toml").write_text(words, "utf-8")
        return audit(network(shape=("n", 3, 8, 8)), "photos", "--task", "task.toml")

    return build


def _words(*more: str) -> Build:
    return lambda: audit(network(), rows(), *more)


def cases() -> Iterator[Case]:
    """All of them."""
    for name, build, says in _tasks():
        yield Case("task files", name, build, says)
    for name, build, says in (*_options(), *_commands()):
        yield Case("command line", name, build, says)


def _tasks() -> Iterator[tuple[str, Build, Says]]:
    yield "that is not there", _words("--task", "none.toml"), ("none.toml",)
    yield "that is a folder", lambda: audit(network(), rows(), "--task", "."), ()
    yield "that is no TOML", _task("no toml"), ("task.toml",)
    yield "that is no UTF-8", _task(b"\xff\xfe[task]"), ("task.toml",)
    yield "of many depths", _task(f"a = {deep()}"), ("task.toml",)
    yield "of many tables", _task("[" + ".".join(["a"] * 15_000) + "]"), ("task.toml",)
    yield "with an unknown key", _task("[task]\nquestoin = 'x'"), ("questoin",)
    yield "with escapes as a key", _task(f'"{ESCAPE!r}" = 1'.replace("'", "")), ("task.toml",)
    yield "with a word for a number", _task("rows = 'many'"), ("rows",)
    yield "with a tolerance that is none", _task("[must_not_matter]\nborder = nan"), ("border",)
    yield "with a tolerance below zero", _task("[must_not_matter]\nborder = -1.0"), ("border",)
    yield "with a tolerance above one", _task("[must_not_matter]\nborder = 7.0"), ("border",)
    yield "with two classes of one name", _task("[task]\nclasses = ['a', 'a']"), ("a",)
    yield "with more classes than the network has", _task("[task]\nclasses = ['a', 'b', 'c']"), ("3",)
    yield "with a column that is not there", _task("[columns]\nsite = 'ward'"), ("ward",)
    yield "with a gate of no severity", _task("[gate]\nfail_at = 'grave'"), ("grave",)
    yield "that accepts what nothing finds", _task("[gate]\naccept = ['shortcuts.cew']"), ("cew",)
    yield "with rows of none", _task("rows = 0"), ("rows",)
    yield "with a seed below zero", _task("seed = -1"), ("seed",)
    yield "with a budget in words", _task("budget = 'soon'"), ("soon",)
    yield "with strangers that are not there", _task("[ood]\nsigns = 'none/'"), ("none",)
    yield "with a server's patience below zero", _task("[endpoint]\ntimeout = -1.0"), ("timeout",)
    yield "with a budget of infinity", _task("[adversarial]\nlinf = [inf]"), ("linf",)
    yield "with pictures of no size", _pictured("[preprocess]\nsize = 0"), ("size",)
    yield "with pictures of a size below zero", _pictured("[preprocess]\nsize = -8"), ("size",)
    yield "with pictures of a billion pixels", _pictured("[preprocess]\nsize = 100000"), ("size",)
    yield "with a deviation of zero", _pictured("[preprocess]\nmean = [0.5]\nstd = [0.0]"), ("std",)
    yield "with a mean that is no number", _pictured("[preprocess]\nmean = [nan]\nstd = [1.0]"), ("mean",)
    yield "with two means for three channels", _pictured("[preprocess]\nmean = [0.5, 0.5]\nstd = [1.0, 1.0]"), ("mean",)
    yield "with an unknown layout", _pictured("[preprocess]\nlayout = 'CHWN'"), ("CHWN",)
    yield "with an unknown filter", _pictured("[preprocess]\nresample = 99"), ("resample",)


def _options() -> Iterator[tuple[str, Build, Says]]:
    for name, value in (("rows", "0"), ("rows", "-1"), ("workers", "0"), ("batch-size", "0")):
        yield f"--{name} {value}", _words(f"--{name}", value), (f"--{name}",)
    yield "--rows many", _words("--rows", "many"), ("many",)
    yield "--batch-size of a trillion", _words("--batch-size", "1000000000000"), ("batch-size",)
    yield "--seed -1", _words("--seed", "-1"), ("seed",)
    yield "--budget soon", _words("--budget", "soon"), ("soon",)
    yield "--budget 0s", _words("--budget", "0s"), ("0s",)
    yield "--only nothing that there is", lambda: audit(network(), rows(), only="tricks"), ("tricks",)
    yield "--only in escapes", lambda: audit(network(), rows(), only=ESCAPE), ("no probe",)
    yield "--skip everything asked", _words("--skip", "calibration"), ("no probe",)
    yield "--ood without a name", _words("--ood", "rows.npz"), ("NAME=DATA",)
    yield "--ood twice of one name", _words("--ood", "a=rows.npz", "--ood", "a=rows.npz"), ("twice",)
    yield "--ood that is not there", _words("--ood", "a=none"), ("none",)
    yield "--ood of pictures for a table", _strangers, ("same kind",)
    yield "--shifted that is the data", _words("--shifted", "later=rows.npz"), ("very rows",)
    yield "--train that is not there", _words("--train", "none"), ("none",)
    yield "--member that is the model", _words("--member", "net.onnx"), ("the model itself",)
    yield "--member that is not there", _words("--member", "none.onnx"), ("none.onnx",)
    yield "--format unknown", _words("--format", "xml"), ("xml",)
    yield "--executor unknown", _words("--executor", "moon"), ("moon",)
    yield "--device unknown", _words("--device", "moon"), ("moon",)
    yield "--fail-at unknown", _words("--fail-at", "grave"), ("grave",)
    yield "--baseline that is not there", _words("--baseline", "none"), ("none",)
    yield "--input unknown", _words("--input", "picture"), ("picture",)
    yield "--output unknown", _words("--output", "answer"), ("answer",)
    yield "--weights for a graph", _words("--weights", "w.pt"), ("--weights",)
    yield "--out that is a file", _words("--out", "net.onnx"), ("net.onnx",)
    yield "--out below a file", _words("--out", "net.onnx/run"), ("net.onnx",)


def _strangers() -> list[str]:
    folder()
    return audit(network(), rows(), "--ood", "a=photos")


def _commands() -> Iterator[tuple[str, Build, Says]]:
    yield "a command that there is not", lambda: ["judge"], ("judge",)
    yield "an option that there is not", _words("--deep"), ("--deep",)
    yield "a model that is not there", lambda: audit("none.onnx", rows()), ("none.onnx",)
    yield "data that is not there", lambda: audit(network(), "none"), ("none",)
    yield "an empty word for the model", lambda: audit("", rows()), ()
    yield "an empty word for the data", lambda: audit(network(), ""), ()
    yield "a byte of zero in a path", lambda: audit(network(), "a\0b"), ()
    yield "a path of ten thousand letters", lambda: audit(network(), "a" * 10_000), ()
    yield "a path of escapes", lambda: audit(network(), ESCAPE), ()
    yield "a model of escapes", lambda: audit(f"{ESCAPE}.onnx", rows()), ()
    yield "model and data exchanged", lambda: audit(rows(), network()), ()
    yield "data left out", lambda: audit(network()), ()
    yield "data of an unknown kind", lambda: audit(network(), "net.onnx"), ("net.onnx",)
    yield "a form that is not read", lambda: audit("gs://bucket/model.onnx", rows()), ("gs:",)
    yield "a device for the data", lambda: audit(network(), "/dev/zero"), ("/dev/zero",)
    yield "a device for the model", lambda: audit("/dev/zero", rows()), ("/dev/zero",)
    yield "a device for the task", lambda: audit(network(), rows(), "--task", "/dev/zero"), ("/dev/zero",)
    yield "monitor: a window of none", lambda: [
        "monitor", answers(), "--reference", "run", "--window", "0"], ("window",)  # fmt: skip
    yield "view: a port beyond all ports", lambda: ["view", "run", "--port", "99999999"], ()
    yield "remedy: a method that there is not", lambda: [
        "remedy", "prayer", network(), rows(), "--out", "m.onnx"], ("prayer",)  # fmt: skip
    yield "remedy: no place for the model", lambda: ["remedy", "temperature", network(), rows()], ("--out",)
