"""The command line: parses, calls, prints, exits with a code. Nothing heavy is imported before it is needed."""

import argparse
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from types import FrameType
from typing import Any, NoReturn, TextIO

import pfungst
from pfungst.errors import InputError, first_line
from pfungst.report.markup import clean

LONGEST = 1200
"""Letters of an error's sentence."""

_EPILOG = """exit codes: 0 done, nothing at or above --fail-at; 1 something at or above it; 2 it cannot be done (one
sentence says why); 3 done, but --strict and some probe broke or could not decide; 130 interrupted (143 by
SIGTERM): the same command goes on. No telemetry, and no network unless an input or --out names one."""

_OUT = "folder of results, or an address s3://bucket/run (default: pfungst-run)"


_REFUSED = {
    r"argument COMMAND: invalid choice: (.+?) \(choose from (.+)\)": "there is no command {0}; {near}",
    r"argument (\S+): invalid choice: (.+?) \(choose from (.+)\)": "{0} is {1}; {near}",
    r"argument (\S+): invalid int value: (.+)": "{0} is {1}, which is no whole number",
    r"argument (\S+): invalid float value: (.+)": "{0} is {1}, which is no number",
    r"argument (\S+): expected one argument": "{0} is given without a value",
    r"the following arguments are required: (.+)": "{0} must be given",
    r"argument (\S+): (.+)": "{0}: {1}",
}
"""What argparse says, and how it is said here; a message of another form is passed on."""


class _Parser(argparse.ArgumentParser):
    """A parser that refuses in one sentence, without its usage, and says what was probably meant."""

    def error(self, message: str) -> NoReturn:
        for pattern, words in _REFUSED.items():
            if found := re.fullmatch(pattern, message, re.DOTALL):
                parts = found.groups()
                near = _near(parts[-2].strip("'"), re.findall(r"[\w-]+", parts[-1])) if "{near}" in words else ""
                message = words.format(*parts, near=near)
                break
        _said(f"{message}; see {self.prog} --help")
        self.exit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What is known; a command refuses the rest itself, because it knows its own options."""
        found, rest = super().parse_known_args(args, namespace)
        flags = [word for word in rest if word.startswith("-")]
        if flags:
            name = flags[0].partition("=")[0]
            near = get_close_matches(name, self._option_string_actions, n=1, cutoff=0.7)
            self.error(f"there is no option {name}" + (f"; the nearest is {near[0]}" if near else ""))
        if rest:
            self.error(f"{rest[0]!r} is one word too many")
        return found, rest


def _near(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"the nearest is {near[0]}" if near else f"there are {', '.join(known)}"


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(
        prog="pfungst",
        description="Does a trained network generalize, or did it learn a trick?",
        epilog=_EPILOG,
    )
    top.add_argument("--version", action="version", version=f"pfungst {pfungst.__version__}")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    audit = commands.add_parser("audit", help="audit a model on data: the main job", epilog=_EPILOG)
    audit.add_argument(
        "model", metavar="MODEL", help="model.onnx, model.pt2, file.py:factory, model.skops, answers.npz ..."
    )
    audit.add_argument("data", metavar="DATA", nargs="?", help="a folder, .csv, .parquet, .jsonl, .npz ...")
    _audit_options(audit)
    _model_options(audit)
    _remedy(
        commands.add_parser("remedy", help="fit a remedy, export the model, audit before and after", epilog=_EPILOG)
    )
    demo = commands.add_parser("demo", help="the main job on an embedded example, without download")
    demo.add_argument("--clean", action="store_true", help="audit the twin that was trained without the trick")
    _audit_options(demo)
    _monitor(commands.add_parser("monitor", help="drift, accuracy and feedback in a deployment log", epilog=_EPILOG))
    show = commands.add_parser("show", help="the findings of a RUN folder; nothing is recomputed")
    show.add_argument("run", metavar="RUN", help="folder of an audit, or its address s3://bucket/run")
    view = commands.add_parser("view", help="the report in a browser, with every row reachable")
    view.add_argument("run", metavar="RUN", nargs="+", help="folder of an audit; two are shown side by side")
    view.add_argument("--port", type=int, metavar="N", default=0, help="port on this machine (default: any free one)")
    _compare(
        commands.add_parser("compare", help="two audits on the rows they share: new, fixed, flipped", epilog=_EPILOG)
    )
    _export(commands.add_parser("export", help="tell another tool what a RUN holds: mlflow, wandb, model-card"))
    _doctor(commands.add_parser("doctor", help="what is inferred about model and data, before any audit"))
    commands.add_parser("probes", help="what can be asked and what it needs")
    schema = commands.add_parser("schema", help="JSON Schema of audit.json")
    schema.add_argument("--task", action="store_true", help="JSON Schema of the task file instead")
    return top


def _remedy(remedy: argparse.ArgumentParser) -> None:
    remedy.add_argument(
        "method", metavar="METHOD",
        help="last-layer, temperature, vector, matrix, guard, augmentation, finetuning, adversarial-training",
    )  # fmt: skip
    remedy.add_argument("model", metavar="MODEL")
    remedy.add_argument("data", metavar="DATA")
    remedy.add_argument(
        "--cue", metavar="NAME", help="the cue to be made worthless (default: the gravest that is found)"
    )
    remedy.add_argument("--column", metavar="NAME", help="a column to be made independent of the label instead")
    remedy.add_argument("--votes", action="store_true", help="fit a temperature to labellers' votes, not to labels")
    remedy.add_argument("--risk", type=float, metavar="R", help="guard: share of its answers that may be wrong (0.05)")
    remedy.add_argument(
        "--reject", type=float, metavar="R", help="guard: share of known rows refused as strange (0.05)"
    )
    remedy.add_argument("--epochs", type=int, metavar="N", help="finetuning, adversarial-training: rounds (3)")
    remedy.add_argument(
        "--rate", type=float, metavar="R", help="finetuning, adversarial-training: learning rate (0.0003)"
    )
    _audit_options(remedy, out="the mended model's file; both audits are written beside it")
    _model_options(remedy)


def _monitor(monitor: argparse.ArgumentParser) -> None:
    add = monitor.add_argument
    add("log", metavar="LOG", help="answers of the deployed model: .parquet or .csv with prob_*, logit_* ...")
    add("--reference", metavar="RUN", required=True, help="folder of the audit before deployment")
    add("--window", type=int, metavar="N", help="rows of a window (default: a twentieth of the first log)")
    add("--task", metavar="FILE", help="names the columns: time, unit, label")
    add("--out", metavar="RUN", help="folder of results, in which windows are kept (default: pfungst-monitor)")
    add("--seed", type=int, metavar="N", default=0)
    add("--fail-at", choices=["low", "medium", "high", "critical"], help="severity that fails (default: high)")
    _outlets(add)
    add("--strict", action="store_true", help="exit 3 if a probe broke or could not decide")
    add("--quiet", action="store_true", help="print the verdict and paths only")


def _compare(compare: argparse.ArgumentParser) -> None:
    add = compare.add_argument
    add("run_a", metavar="RUN_A", help="folder of the audit before")
    add("run_b", metavar="RUN_B", help="folder of the audit after")
    add("--out", metavar="DIR", help="where compare.json and compare.html go (default: pfungst-compare)")
    add(
        "--fail-at", choices=["low", "medium", "high", "critical"], default="high",
        help="severity from which something new fails (default: high)",
    )  # fmt: skip
    _outlets(add, baseline=False)
    add("--quiet", action="store_true", help="print the sentence and paths only")


def _doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument("model", metavar="MODEL")
    doctor.add_argument("data", metavar="DATA")
    doctor.add_argument("--task", metavar="FILE")
    _model_options(doctor)


def _export(export: argparse.ArgumentParser) -> None:
    add = export.add_argument
    add("run", metavar="RUN", help="folder of a finished audit")
    add("exporter", metavar="TOOL", help="mlflow, wandb, model-card, or what another package adds")
    add("--to", metavar="WHERE", help="a run's id, a project, a README.md: what the tool calls it")


def _outlets(add: Callable[..., argparse.Action], *, baseline: bool = True) -> None:
    add("--format", metavar="NAMES", help="also write junit, sarif, github (annotations and summary), markdown")
    if baseline:
        add("--baseline", metavar="RUN", help="an earlier audit, or its audit.json: what it found does not fail again")


def _audit_options(audit: argparse.ArgumentParser, out: str = _OUT) -> None:
    add = audit.add_argument
    add("--task", metavar="FILE", help="the task you meant, a TOML file")
    add("--out", metavar="RUN", help=out)
    add("--only", metavar="PROBES", help="ask these probes only, separated by commas")
    add("--skip", metavar="PROBES", help="leave these probes out")
    add("--ood", metavar="NAME=DATA", action="append", default=[], help="strangers: rows of none of the classes")
    add(
        "--shifted", metavar="NAME=DATA", action="append", default=[],
        help="rows of the same classes from elsewhere or later, with labels or without: what is left of the accuracy",
    )  # fmt: skip
    add("--train", metavar="DATA", help="the rows it was trained on: for leaks, and to know what known rows look like")
    add(
        "--member", metavar="MODEL", action="append", default=[],
        help="another member of an ensemble: a model, weights for its factory, dropout:N, moved:N or mirrored",
    )  # fmt: skip
    add("--rows", type=int, metavar="N", help="a seeded sample of the rows")
    add("--budget", metavar="TIME", help="end within this time, such as 90s or 10m, with fewer rows if need be")
    add("--batch-timeout", metavar="TIME", help="longest that one batch of one pass may take (default: 1h)")
    add("--seed", type=int, metavar="N")
    add(
        "--fail-at", choices=["low", "medium", "high", "critical"], help="severity that fails the audit (default: high)"
    )
    _outlets(add)
    _workers(add)
    add(
        "--batch-size", type=_batch_size, metavar="N",
        help="rows the model is shown at once: a number or auto (64); halved where memory does not hold them",
    )  # fmt: skip
    add(
        "--precision", metavar="KIND",
        help="PyTorch: float32, or bfloat16 or float16, refused where answers to the first rows move",
    )  # fmt: skip
    add("--strict", action="store_true", help="exit 3 if a probe broke or could not decide")
    add("--dry-run", action="store_true", help="print the plan: passes, rows, cost")
    add("--no-cache", action="store_true", help="ask the model again, whatever was kept")
    add("--no-images", action="store_true", help="leave pictures, texts and cells of rows out of the report")
    add("--redact-paths", action="store_true", help="leave file names out of the report")
    add("--redact", action="store_true", help="both: no pictures and no file names in anything that is written")
    add("--quiet", action="store_true", help="print the verdict and paths only")


def _batch_size(words: str) -> int | str:
    if words != "auto" and not words.lstrip("-").isdigit():
        raise argparse.ArgumentTypeError(f"{words!r} is no number of rows; give a whole number or auto")
    return words if words == "auto" else int(words)


def _workers(add: Callable[..., argparse.Action]) -> None:
    add("--executor", metavar="NAME", help="local (processes of this machine) or ray (actors, here or on a cluster)")
    add("--workers", type=int, metavar="N", help="processes or actors that share the work")
    add("--address", metavar="HOST:PORT", help="ray: a running cluster, auto for this machine's (default: start one)")
    add("--cpus", type=float, metavar="X", help="ray: CPUs of one worker (1)")
    add("--gpus", type=float, metavar="X", help="ray: GPUs of one worker, fractions allowed (--device cuda: 1, else 0)")


def _model_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--weights", metavar="FILE", help="weights of a factory's module")
    add("--input", metavar="NAME", help="the graph input to use")
    add("--output", metavar="NAME", help="the graph output to use")
    add("--outputs", choices=["logits", "probabilities"], help="what the model's outputs are")
    add("--device", choices=["auto", "cpu", "cuda"])
    # None where it is not given: what the task file says then holds.
    add("--trust-pickle", action="store_true", default=None, help="unpickle a model file; it may run any code")
    add("--follow-links", action="store_true", help="follow links that lead out of a data folder")


class Ended(KeyboardInterrupt):
    """SIGTERM: what Ctrl-C does, with an exit code of its own."""


@contextmanager
def _terminable() -> Iterator[None]:
    """While a command runs, SIGTERM lets it put its things in order, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number, frame)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _said(words: str) -> None:
    """One sentence on standard error; what it quotes cannot move a cursor or end a line."""
    print(f"pfungst: {clean(' '.join(words.split()), LONGEST)}", file=sys.stderr)


class _Stream:
    """Standard output or error, of which a command is done however it fares: who no longer listens misses the rest.

    ``needed``: where what is written is lost for another reason, as on a full device, that is an InputError.
    """

    def __init__(self, stream: TextIO | None, *, needed: bool) -> None:
        self._stream, self._needed, self._open = stream, needed, stream is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        return self._stream is not None and self._stream.isatty()

    def write(self, words: str) -> int:
        """Write, while it can be written to."""
        self._done(lambda stream: stream.write(words))
        return len(words)

    def flush(self) -> None:
        """Let it through, while it can be written to."""
        self._done(lambda stream: stream.flush())

    def _done(self, what: Callable[[TextIO], object]) -> None:
        if not self._open or self._stream is None:
            return
        try:
            what(self._stream)
        except OSError as error:
            self._open = False
            # What it still holds goes nowhere, instead of failing once more when the interpreter ends.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if self._needed and not isinstance(error, BrokenPipeError):
                raise InputError(
                    f"standard output cannot be written ({error.strerror}); what is finished is kept: make room, or "
                    "send it elsewhere"
                ) from None


@contextmanager
def _streams() -> Iterator[None]:
    """Standard output and error that outlive those who read them."""
    before = sys.stdout, sys.stderr
    for one in (sys.stdin, *before):
        if one is None:
            # A closed stream's number would be the next file's, and what native code prints would go into that.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _Stream(sys.stdout, needed=True), _Stream(sys.stderr, needed=False)
    try:
        yield
    finally:
        with suppress(InputError):  # whoever could be told was told
            sys.stdout.flush()
        sys.stdout, sys.stderr = before


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    with _streams():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    asked = parser().parse_args(arguments)
    asked.step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    try:
        with _terminable():
            code: int = getattr(pfungst.commands, asked.command)(asked)
            sys.stdout.flush()
    except InputError as error:
        if asked.debug:
            traceback.print_exc()
        _said(str(error))
        return 2
    except (MemoryError, RecursionError) as error:
        if asked.debug:
            traceback.print_exc()
        lack = "memory ran out" if isinstance(error, MemoryError) else "something lies too deep in itself"
        _said(f"{lack} ({first_line(error)}); what is finished is kept: try a smaller --batch-size or fewer --rows")
        return 2
    except Ended:
        _said("ended by a signal; what is finished is kept, and the same command goes on")
        return 143
    except KeyboardInterrupt:
        print("pfungst: interrupted; what is finished is kept, and the same command goes on", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
