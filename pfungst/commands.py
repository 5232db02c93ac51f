"""Commands: what each word of the command line does, and the code it ends with."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

import pfungst.probes  # noqa: F401 - fills the registry
from pfungst.audit_result import Audit, saved
from pfungst.auditing import audit as run_audit
from pfungst.auditing import planned
from pfungst.comparing import DEFAULT_OUT as COMPARE_OUT
from pfungst.comparing import compare as run_compare
from pfungst.demo import demo_files
from pfungst.doctor import examine, lines
from pfungst.errors import InputError
from pfungst.load import bind, load_data, load_model
from pfungst.monitoring import DEFAULT_OUT as MONITOR_OUT
from pfungst.monitoring import monitor as run_monitor
from pfungst.probe import probes as registry
from pfungst.progress import heard
from pfungst.remedying import remedy as run_remedy
from pfungst.report.comparison_words import Summary, sentence
from pfungst.report.files import written
from pfungst.report.json import schema as audit_schema
from pfungst.report.junit import junit
from pfungst.report.markdown import markdown
from pfungst.report.terminal import remedied, summary
from pfungst.request import DEFAULT_OUT
from pfungst.statistics.estimate import Severity
from pfungst.task import Task, load_task

FORMATS = {"junit": ("junit.xml", junit), "markdown": ("summary.md", markdown)}


def audit(asked: Namespace) -> int:
    """Audit a model on data."""
    return _audit(asked, asked.model, asked.data, _model_options(asked))


def demo(asked: Namespace) -> int:
    """Audit the embedded example."""
    files = demo_files(clean=asked.clean)
    asked.ood = asked.ood or [f"{name}={path}" for name, path in files.strangers.items()]
    return _audit(asked, str(files.model), str(files.data), {})


def _audit(asked: Namespace, model: str, data: str | None, more: dict[str, Any]) -> int:
    task = load_task(asked.task)
    formats = _listed(asked.format) or task.format
    _known(formats)
    options = {**_options(asked), "task_file": asked.task or "", **more}
    if asked.dry_run:
        Console().print(planned(model, data, task=task, **options), markup=False, highlight=False, soft_wrap=True)
        return 0
    out = Path(asked.out or DEFAULT_OUT)
    with heard(quiet=asked.quiet) as listen:
        result = run_audit(model, data, task=task, listen=listen, out=out, explicit_out=bool(asked.out), **options)
    gate: Severity = asked.fail_at or task.gate.fail_at  # type: ignore[assignment]
    for name in formats:
        file, write = FORMATS[name]
        written(out / file, write(result.report, gate, task.gate.accept).encode())
    return _ended(result, out, gate, task, strict=asked.strict, quiet=asked.quiet)


def remedy(asked: Namespace) -> int:
    """Fit a remedy, export the mended model, audit before and after."""
    if not asked.out:
        raise InputError("a remedy writes a model; say where with --out FILE")
    task = load_task(asked.task)
    with heard(quiet=asked.quiet) as listen:
        done = run_remedy(
            asked.method, asked.model, asked.data, out=asked.out, cue=asked.cue, column=asked.column,
            votes=asked.votes, risk=asked.risk, reject=asked.reject, epochs=asked.epochs, rate=asked.rate, task=task,
            listen=listen, **_options(asked), **_model_options(asked),
        )  # fmt: skip
    console = Console()
    console.print(remedied(done.lines, done.sentence))
    console.print(f"{done.model}", markup=False, highlight=False, soft_wrap=True)
    gate: Severity = asked.fail_at or task.gate.fail_at  # type: ignore[assignment]
    return 1 if done.after.fails(gate, task.gate.accept) else 0


def monitor(asked: Namespace) -> int:
    """Judge a deployment log against an audit."""
    task = load_task(asked.task)
    formats = _listed(asked.format) or task.format
    _known(formats)
    if asked.window is not None and asked.window < 1:
        raise InputError(f"--window is {asked.window}; give a whole number of at least 1")
    out = Path(asked.out or MONITOR_OUT)
    with heard(quiet=asked.quiet) as listen:
        result = run_monitor(
            asked.log, reference=asked.reference, task=task, out=out, window=asked.window, seed=asked.seed,
            listen=listen,
        )  # fmt: skip
    gate: Severity = asked.fail_at or task.gate.fail_at  # type: ignore[assignment]
    for name in formats:
        file, write = FORMATS[name]
        written(out / file, write(result.report, gate, task.gate.accept).encode())
    return _ended(result, out, gate, task, strict=asked.strict, quiet=asked.quiet)


def compare(asked: Namespace) -> int:
    """Compare two audits on the rows they share."""
    out = Path(asked.out or COMPARE_OUT)
    result = run_compare(asked.run_a, asked.run_b, fail_at=asked.fail_at, out=out)
    console = Console()
    if asked.quiet:
        console.print(sentence(result), markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(Summary(result, console.width))
    console.print(f"{out / 'compare.html'}\n{out / 'compare.json'}", markup=False, highlight=False, soft_wrap=True)
    if result.failing:
        said = f"exit code 1: {len(result.failing)} at or above {result.fail_at} that A had not (--fail-at)"
        console.print(said, markup=False, highlight=False)
    return 1 if result.failing else 0


def _options(asked: Namespace) -> dict[str, Any]:
    return {
        "only": _listed(asked.only),
        "skip": _listed(asked.skip),
        "ood": _pairs("ood", asked.ood),
        "shifted": _pairs("shifted", asked.shifted),
        "train": asked.train,
        "members": tuple(asked.member),
        "rows": asked.rows,
        "budget": asked.budget,
        "seed": asked.seed,
        "executor": asked.executor,
        "workers": asked.workers,
        "batch_size": asked.batch_size,
        "cache": not asked.no_cache,
        "images": not asked.no_images,
        "redact_paths": asked.redact_paths,
    }


def _ended(result: Audit, out: Path, gate: Severity, task: Task, *, strict: bool, quiet: bool) -> int:
    console = Console()
    if quiet:
        console.print(result.verdict.sentence, markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(summary(result.report, console.width))
    console.print(f"{out / 'report.html'}\n{out / 'audit.json'}", markup=False, highlight=False, soft_wrap=True)
    failing = result.fails(gate, task.gate.accept)
    undecided = [finding for finding in result.findings if finding.status == "inconclusive"]
    broken = [entry for entry in result.skipped if entry.reason.startswith("the probe broke")]
    if failing:
        console.print(f"exit code 1: {len(failing)} at or above {gate} (--fail-at)", markup=False, highlight=False)
        return 1
    if strict and (undecided or broken):
        said = f"exit code 3: {len(undecided)} undecided, {len(broken)} broken (--strict)"
        console.print(said, markup=False, highlight=False)
        return 3
    return 0


def show(asked: Namespace) -> int:
    """Print the findings of a RUN folder."""
    console = Console()
    console.print(summary(saved(asked.run).report, console.width))
    return 0


def doctor(asked: Namespace) -> int:
    """Say what is inferred about model and data."""
    task = load_task(asked.task)
    model = load_model(asked.model, task=task, **_model_options(asked))
    data = bind(model, load_data(asked.data, task=task), task)
    checks = examine(model, data)
    for line in lines(checks, model, data):
        print(line)
    return 2 if any(check.outcome == "stop" for check in checks) else 0


def probes(asked: Namespace) -> int:
    """List what can be asked."""
    del asked
    for topic, probe in registry.items():
        print(f"{topic:12} {probe.question}")
    return 0


def schema(asked: Namespace) -> int:
    """Print a JSON Schema."""
    print(json.dumps(msgspec.json.schema(Task) if asked.task else audit_schema(), indent=2))
    return 0


def _model_options(asked: Namespace) -> dict[str, Any]:
    names = ("weights", "input", "output", "outputs", "device", "trust_pickle")
    return {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}


def _listed(words: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip()) if words else ()


def _pairs(option: str, items: list[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for item in items:
        name, equals, source = item.partition("=")
        if not (name and equals and source):
            raise InputError(f"--{option} {item!r} names no data; write --{option} NAME=DATA")
        if name in named:
            raise InputError(f"--{option} {name} is given twice; give each set a name of its own")
        named[name] = source
    return named


def _known(formats: tuple[str, ...]) -> None:
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
