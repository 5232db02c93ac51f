"""Commands: what each word of the command line does, and the code it ends with."""

import json
from argparse import Namespace
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

import pfungst.probes  # noqa: F401 - fills the registry
from pfungst.audit_result import Audit, read_baseline, saved
from pfungst.auditing import audit as run_audit
from pfungst.auditing import planned
from pfungst.audits.request import DEFAULT_OUT
from pfungst.comparing import DEFAULT_OUT as COMPARE_OUT
from pfungst.comparing import compare as run_compare
from pfungst.comparison import Comparison
from pfungst.demo import demo_files
from pfungst.doctor import examine, lines
from pfungst.engine.plan import BROKE
from pfungst.errors import InputError
from pfungst.exporting import export as run_export
from pfungst.findings import Report
from pfungst.gating import Gated, gated
from pfungst.load import bind, load_data, load_model
from pfungst.monitoring import DEFAULT_OUT as MONITOR_OUT
from pfungst.monitoring import monitor as run_monitor
from pfungst.outlets import Outlets
from pfungst.probe import probes as registry
from pfungst.progress import heard
from pfungst.remedying import planned_remedy, run_of
from pfungst.remedying import remedy as run_remedy
from pfungst.report.comparison_words import Summary, sentence
from pfungst.report.json import schema as audit_schema
from pfungst.report.markdown import compared
from pfungst.report.markup import clean
from pfungst.report.terminal import remedied, summary
from pfungst.runs.places import reading
from pfungst.statistics.estimate import Severity
from pfungst.stored import below, is_stored
from pfungst.task import Task, load_task
from pfungst.typed import typed
from pfungst.viewing.server import serve


def audit(asked: Namespace) -> int:
    """Audit a model on data."""
    return _audit(asked, asked.model, asked.data, _model_options(asked))


def demo(asked: Namespace) -> int:
    """Audit the embedded example."""
    files = demo_files(clean=asked.clean)
    asked.ood = asked.ood or [f"{name}={path}" for name, path in files.strangers.items()]
    return _audit(asked, str(files.model), str(files.data), {})


def _audit(asked: Namespace, model: str, data: str | None, more: dict[str, Any]) -> int:
    task = _task(asked)
    outlets = _outlets(asked, task)
    options = {**_options(asked), "task_file": asked.task or "", **more}
    if asked.dry_run:
        _plain(Console(), planned(model, data, task=task, **options))
        return 0
    out = next(one for one in (asked.out, task.out, DEFAULT_OUT) if one is not None)
    baseline = _baseline(asked, task, out)
    with outlets.muted(), heard(quiet=asked.quiet) as listen:
        result = run_audit(
            model, data, task=task, listen=listen, out=out, explicit_out=asked.out is not None, **options
        )
        gate = _gated(asked, task, result, baseline)
        code = _ended(result, out, gate, strict=asked.strict, quiet=asked.quiet)
    outlets.write(out, gate)
    return code


def _task(asked: Namespace) -> Task:
    """The task file, with the switches it shares with flags: on where either is; --follow-links goes with reading."""
    task = load_task(asked.task)
    for name in ("strict", "quiet", "dry_run"):
        setattr(asked, name, getattr(asked, name, False) or getattr(task, name))
    return msgspec.structs.replace(task, follow_links=True) if getattr(asked, "follow_links", False) else task


def remedy(asked: Namespace) -> int:
    """Fit a remedy, export the mended model, audit before and after."""
    task, options = _task(asked), {**_options(asked), **_model_options(asked)}
    if asked.dry_run:
        _plain(Console(), planned_remedy(asked.method, asked.model, asked.data, task=task, **options))
        return 0
    if not asked.out:
        raise InputError("a remedy writes a model; say where with --out FILE")
    after = run_of(asked.out, "after")
    outlets, baseline = _outlets(asked, task), _baseline(asked, task, after)
    with outlets.muted(), heard(quiet=asked.quiet) as listen:
        done = run_remedy(
            asked.method, asked.model, asked.data, out=asked.out, cue=asked.cue, column=asked.column,
            votes=asked.votes, risk=asked.risk, reject=asked.reject, epochs=asked.epochs, rate=asked.rate, task=task,
            listen=listen, **options,
        )  # fmt: skip
        gate = _gated(asked, task, done.after, baseline)
        console = Console()
        console.print(remedied(done.lines, done.sentence))
        _plain(console, f"{done.model}")
        _say(gate)
    outlets.write(after, gate)
    return 1 if gate.failing else 3 if asked.strict and _left_open(done.after) else 0


def monitor(asked: Namespace) -> int:
    """Judge a deployment log against an audit."""
    task = _task(asked)
    outlets = _outlets(asked, task)
    if asked.window is not None and asked.window < 1:
        raise InputError(f"--window is {asked.window}; give a whole number of at least 1")
    out = MONITOR_OUT if asked.out is None else asked.out
    baseline = _baseline(asked, task, out)
    with outlets.muted(), heard(quiet=asked.quiet) as listen:
        result = run_monitor(
            asked.log, reference=asked.reference, task=task, out=asked.out, window=asked.window, seed=asked.seed,
            task_file=asked.task or "", listen=listen,
        )  # fmt: skip
        gate = _gated(asked, task, result, baseline)
        code = _ended(result, out, gate, strict=asked.strict, quiet=asked.quiet)
    outlets.write(out, gate)
    return code


def compare(asked: Namespace) -> int:
    """Compare two audits on the rows they share."""
    out = COMPARE_OUT if asked.out is None else asked.out
    outlets = _outlets(asked)
    with outlets.muted():
        result = run_compare(asked.run_a, asked.run_b, fail_at=asked.fail_at, out=out)
        _compared(result, out, quiet=asked.quiet)
    earlier, later = (saved(run).report for run in (asked.run_a, asked.run_b))
    ids = {one.id for one in result.failing}
    gate = gated(later, asked.fail_at, baseline=earlier)
    gate = replace(gate, failing=tuple(one for one in later.fails(asked.fail_at) if one.id in ids))
    outlets.write(out, gate, lambda gate: compared(gate, sentence(result)))
    return 1 if result.failing else 0


def _compared(result: Comparison, out: str, *, quiet: bool) -> None:
    console = Console()
    if quiet:
        _plain(console, sentence(result))
    else:
        console.print(Summary(result, console.width))
    _plain(console, "\n".join(below(out, name) for name in ("compare.html", "compare.json")))
    if result.failing:
        said = f"exit code 1: {len(result.failing)} at or above {result.fail_at} that A had not (--fail-at)"
        console.print(said, markup=False, highlight=False)


def _outlets(asked: Namespace, task: Task | None = None) -> Outlets:
    formats = _listed(asked.format) or (task.format if task else ())
    return Outlets(tuple(dict.fromkeys(formats)), asked.step_summary)


def _baseline(asked: Namespace, task: Task, out: str) -> Report | None:
    """The audit that this one is held against, read before anything is written."""
    named = asked.baseline or task.gate.baseline
    if named is None:
        return None
    if _plainly(named) in {_plainly(out), _plainly(below(out, "audit.json"))}:
        raise InputError(
            f"the baseline {named} is what this audit will write, so that nothing would ever be new; "
            "copy it elsewhere, or name another folder with --out"
        )
    return read_baseline(named)


def _plainly(place: str) -> str:
    """A place as it is called whatever way it is written."""
    return place.rstrip("/") if is_stored(place) else str(Path(place).resolve())


def _gated(asked: Namespace, task: Task, result: Audit, baseline: Report | None) -> Gated:
    at: Severity = asked.fail_at or task.gate.fail_at  # type: ignore[assignment]
    return gated(result.report, at, task.gate.accept, baseline)


def _say(gate: Gated) -> None:
    """What the gate lets pass, and what somebody has to see to."""
    console = Console()
    if gate.known or gate.accepted:
        _plain(console, f"gate: {gate.verdict}")
    for said in (*(f"warning: {one}" for one in gate.warnings), *(f"note: {one}" for one in gate.notes)):
        console.print(clean(" ".join(said.split()), 400), markup=False, highlight=False, soft_wrap=True)


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
        "batch_timeout": asked.batch_timeout,
        "seed": asked.seed,
        "executor": asked.executor,
        "workers": asked.workers,
        "address": asked.address,
        "cpus": asked.cpus,
        "gpus": asked.gpus,
        "batch_size": asked.batch_size,
        "precision": asked.precision,
        # None where no flag is given: what the task file says then holds.
        "cache": False if asked.no_cache else None,
        "images": False if asked.no_images or asked.redact else None,
        "redact_paths": True if asked.redact_paths or asked.redact else None,
    }


def _ended(result: Audit, out: str, gate: Gated, *, strict: bool, quiet: bool) -> int:
    console = Console()
    if quiet:
        _plain(console, result.verdict.sentence)
    else:
        console.print(summary(result.report, console.width))
    _next(console, out, quiet=quiet)
    _say(gate)
    left_open = _left_open(result)
    new = "" if gate.baseline is None else ", not in the baseline or graver than there"
    if gate.failing:
        _plain(console, f"exit code 1: {len(gate.failing)} at or above {gate.at} (--fail-at){new}")
        return 1
    if strict and left_open:
        _plain(console, f"exit code 3: {left_open} (--strict)")
        return 3
    _plain(console, f"exit code 0: nothing at or above {gate.at} (--fail-at){new}")
    return 0


def _left_open(result: Audit) -> str:
    """How much was not decided, or "": findings, probes that broke, and what had too few rows to be asked."""
    counts = {
        "undecided": sum(finding.status == "inconclusive" for finding in result.findings),
        "broken": sum(entry.reason.startswith(BROKE) for entry in result.skipped),
        "with too few rows": sum(entry.too_few for entry in result.skipped),
    }
    return ", ".join(f"{many:,} {word}" for word, many in counts.items()) if any(counts.values()) else ""


def _next(console: Console, out: str, *, quiet: bool) -> None:
    """Where the results lie, and what to do next."""
    lines = [below(out, "report.html"), below(out, "audit.json")]
    if not quiet:
        lines = [
            "",
            f"claims in full, pictures, remedies   {lines[0]}",
            f"the same as data                     {lines[1]}",
            f"every row under every condition      pfungst view {typed(out)}",
        ]
    for line in lines:
        _plain(console, line)


def _plain(console: Console, line: str) -> None:
    console.print(clean(line), markup=False, highlight=False, soft_wrap=True)


def show(asked: Namespace) -> int:
    """Print the findings of a RUN folder."""
    console = Console()
    console.print(summary(saved(asked.run).report, console.width))
    _next(console, asked.run, quiet=False)
    return 0


def view(asked: Namespace) -> int:
    """Serve the report and every row to a browser on this machine."""

    def tell(address: str) -> None:
        print(f"{address}\nOpen it in a browser on this machine; Ctrl-C ends it.", flush=True)

    # The server ends by raising again the signal that it was ended by.
    with suppress(KeyboardInterrupt), ExitStack() as runs:
        serve([runs.enter_context(reading(run, "*")) for run in asked.run], asked.port, tell)
    return 0


def export(asked: Namespace) -> int:
    """Tell another tool what a RUN folder holds."""
    print(clean(run_export(asked.run, asked.exporter, asked.to)))
    return 0


def doctor(asked: Namespace) -> int:
    """Say what is inferred about model and data."""
    task = _task(asked)
    model = load_model(asked.model, task=task, **_model_options(asked, task))
    data = bind(model, load_data(asked.data, task=task), task)
    checks = examine(model, data)
    for line in lines(checks, model, data):
        print(clean(line))
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


def _model_options(asked: Namespace, task: Task | None = None) -> dict[str, Any]:
    """How the model is read: the flags given, and where a task is told, what it says besides."""
    names = ("weights", "input", "output", "outputs", "device", "trust_pickle")
    told = {name: getattr(task, name) for name in names} if task else {}
    told |= {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    return {name: value for name, value in told.items() if value is not None}


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
