"""Doctor: the commonest mistakes, looked for on a few rows before anything is computed at length."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.datasets.inspection import (
    MOST_HASHED,
    candidates,
    duplicates,
    empty_classes,
    hashes,
    repeated_in,
    snippet,
    treatments,
)
from pfungst.datasets.mapping import permutation
from pfungst.datasets.resolved import task_file
from pfungst.engine.isolation import Isolation
from pfungst.engine.sweep import joined
from pfungst.errors import InputError, Unanswered
from pfungst.models.model import Model
from pfungst.models.preprocess import Preprocess
from pfungst.outputs import Outputs
from pfungst.statistics.proportions import wilson

ROWS = 256
_SECONDS = 8.0
"""Time that may go into asking the same rows under other preprocessings."""

Outcome = Literal["ok", "warn", "stop"]


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was seen, what an audit will do about it, how to say otherwise."""

    name: str
    outcome: Outcome
    saw: str
    will: str
    otherwise: str = ""


@dataclass(frozen=True)
class _Seen:
    """The rows that were read and answered; ``seconds`` is what the model took for them."""

    model: Model
    data: Dataset
    batch: Batch
    outputs: Outputs
    bad: dict[int, str]
    seconds: float

    @property
    def known(self) -> BoolArray:
        return self.batch.labels >= 0

    @property
    def right(self) -> BoolArray:
        return np.equal(self.outputs.predictions, self.batch.labels)[self.known]

    @cached_property
    def moved(self) -> str | None:
        return permutation(self.batch.labels, self.outputs.predictions, self.data.classes)


def examine(model: Model, data: Dataset, rows: int = ROWS) -> list[Check]:
    """All checks on at most ``rows`` rows of data that were bound to the model.

    A check with the outcome ``stop`` means that an audit would judge nonsense.
    """
    batch, bad = data.batch(data.sample(min(rows, len(data))))
    if not len(batch):
        return [_unreadable(data, bad, len(bad))]
    began = time.perf_counter()
    try:
        answered, failed = Isolation(len(batch)).answered(partial(_asked, model), batch)
        said = "" if answered else f"none of {len(failed)} rows has an answer ({next(iter(failed.values()))})"
    except Unanswered as error:
        said = str(error)
    if said:
        return [Check("outputs", "stop", said, "nothing can be judged", "check the preprocessing and the weights")]
    kept = batch.take(~np.isin(batch.rows, list(failed)))
    outputs = joined(answered)
    assert isinstance(outputs, Outputs), "plain answers"
    seen = _Seen(model, data, kept, outputs, bad | failed, time.perf_counter() - began)
    found: list[Check] = []
    for check in _CHECKS:
        found.extend(check(seen))
    return found


def lines(checks: Sequence[Check], model: Model, data: Dataset) -> Iterator[str]:
    """The checks in text, then the task file that says what was inferred."""
    marks = {"ok": "  ", "warn": "! ", "stop": "X "}
    for check in checks:
        yield f"{marks[check.outcome]}{check.name}: {check.saw}"
        yield f"    -> {check.will}"
        if check.otherwise:
            yield f"    -> to say otherwise: {check.otherwise}"
    yield ""
    yield "# As a task file:"
    yield from task_file(model, data).splitlines()


def _asked(model: Model, batch: Batch) -> Outputs:
    return replace(model.predict(_shown(model, batch)), rows=batch.rows)


def _shown(model: Model, batch: Batch) -> Array:
    return batch.inputs if "new inputs" in model.offers else batch.rows


def _inferred(seen: _Seen) -> Iterator[Check]:
    about = seen.model.describe()
    said = ", ".join(f"{key} {value}" for key, value in about.items())
    yield Check(
        "model", "ok", f"{seen.model.source}: {said}", "it is asked as described", "--input, --output, --outputs"
    )
    for note in (*seen.model.notes, *seen.data.notes):
        yield Check(
            "inferred", "ok", note, "this is what an audit assumes", "the task file, or the files beside the model"
        )


def _fits(seen: _Seen) -> Iterator[Check]:
    if "new inputs" not in seen.model.offers:
        yield Check("layout", "ok", f"{len(seen.data)} recorded answers", "only what needs no new input is judged")
        return
    shape = "x".join(str(size) for size in seen.batch.inputs.shape[1:]) or "one text"
    framed = seen.data.frame
    how = "they are shown as they are"
    if framed is not None and framed.size is not None:
        how = f"they are resized or cropped to {framed.size[0]} x {framed.size[1]} (height x width) when read"
    saw = f"{len(seen.batch)} {seen.data.modality} rows went through the model as {shape} {seen.batch.inputs.dtype}"
    yield Check("layout and size", "ok", saw, how, "[preprocess] size, crop, layout, channels")


def _classes(seen: _Seen) -> Iterator[Check]:
    names = ", ".join(name[:40] for name in seen.data.classes[:6]) + (", ..." if len(seen.data.classes) > 6 else "")
    saw = f"{len(seen.data.classes)} classes{'' if seen.data.named else ' without names'}: {names}"
    known = seen.known
    if not known.any():
        yield Check("labels", "warn", f"{saw}; no labels", "only what needs no label is judged", "[columns] label")
        return
    if seen.moved:
        yield Check(
            "class order", "stop", seen.moved, "an audit is refused", "config.json, labels.txt or [task] classes"
        )
        return
    yield Check("class order", "ok", saw, "answers are read in this order", "config.json, labels.txt or [task] classes")


def _accuracy(seen: _Seen) -> Iterator[Check]:
    if not seen.known.any() or seen.moved:
        return
    right, rows = seen.right, len(seen.right)
    share = float(right.mean())
    low, high = wilson(share, rows)
    saw = f"accuracy {share:.3f} [{low:.3f}, {high:.3f}] on {rows} rows"
    # Agreement expected if answers had nothing to do with labels (Cohen 1960).
    k = len(seen.data.classes)
    shares = (np.bincount(c[seen.known], minlength=k) / rows for c in (seen.batch.labels, seen.outputs.predictions))
    chance = float(np.prod(list(shares), axis=0).sum())
    if low <= chance:
        yield Check(
            "accuracy", "warn", f"{saw}, no more than chance ({chance:.3f})", "there is little to audit",
            "check preprocessing, class order and weights",
        )  # fmt: skip
    elif right.all() and rows >= 20:
        yield Check(
            "accuracy", "warn", f"{saw}, every row right", "rows may be training rows, or the task is trivial",
            "--train DATA looks for rows that are in both",
        )  # fmt: skip
    else:
        yield Check("accuracy", "ok", f"{saw}; chance {chance:.3f}", "intervals of this width narrow with more rows")


def _outputs(seen: _Seen) -> Iterator[Check]:
    z = seen.outputs.logits
    means = "log-probabilities" if seen.outputs.normalised else "logits"
    if len(z) > 1 and (z == z[0]).all():
        yield Check("outputs", "stop", "every row gets the same answer", "nothing can be judged", "check the weights")
    elif not seen.outputs.normalised and z.min() >= 0 and z.max() <= 1 and np.abs(z.sum(axis=1) - 1).max() < 1e-3:
        yield Check(
            "outputs", "warn", "outputs lie in [0, 1] and sum to 1 in every row, as probabilities do",
            "they are read as logits, since nothing says otherwise: confidences will be far too low",
            'outputs = "probabilities" in the task file, or --outputs probabilities',
        )  # fmt: skip
    else:
        width = f"from {z[np.isfinite(z)].min():.3g} to {z[np.isfinite(z)].max():.3g}"
        yield Check("outputs", "ok", f"{means} {width}", f"they are read as {means}", "outputs in the task file")


def _preprocessing(seen: _Seen) -> Iterator[Check]:
    known = getattr(seen.model, "preprocess", None)
    asked = seen.data.modality == "image" and isinstance(known, Preprocess)
    if not asked or not seen.known.any() or seen.moved:
        return
    assert isinstance(known, Preprocess), "asked only of image models"
    variants = known.variants()
    rows = int(
        np.clip(_SECONDS / max(1e-9, seen.seconds / len(seen.batch) * max(1, len(variants))), 48, len(seen.batch))
    )
    some = seen.batch.take(np.flatnonzero(seen.known)[:rows])
    declared = float((seen.outputs.predictions[seen.known][:rows] == some.labels).mean())
    # Intervals apart, not one value beyond the other's interval: several variants are tried.
    limit = wilson(declared, len(some))[1]
    scores = {name: _score(seen.model, variant, some) for name, variant in variants.items()}
    best = max(scores, key=lambda name: scores[name], default="")
    said = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    word = "declared" if known.declared else "inferred"
    saw = f"accuracy {declared:.2f} as {word} ({known.sentence()}), {len(some)} rows; {said}"
    if best and wilson(scores[best], len(some))[0] > limit:
        yield Check(
            "preprocessing", "warn", f"{saw}: {best} fits better", f"the {word} preprocessing is used all the same",
            f"preprocessor_config.json, or in the task file, {_as_section(variants[best])}",
        )  # fmt: skip
    else:
        yield Check("preprocessing", "ok", saw, f"the {word} preprocessing is used", "[preprocess] in the task file")


def _score(model: Any, variant: Preprocess, batch: Batch) -> float:
    try:
        answers = replace(model, preprocess=variant).predict(batch.inputs)
    except InputError:
        return 0.0
    return float((answers.predictions == batch.labels).mean())


def _as_section(variant: Preprocess) -> str:
    parts = [f"rescale = {variant.rescale:.6g}"]
    parts += [f"mean = {list(variant.mean)}"] if variant.mean else []
    parts += [f"std = {list(variant.std)}"] if variant.std else []
    return "under [preprocess] " + ", ".join(parts + (["bgr = true"] if variant.bgr else []))


def _determinism(seen: _Seen) -> Iterator[Check]:
    if "new inputs" not in seen.model.offers:
        return
    some = seen.batch.take(np.arange(min(16, len(seen.batch))))
    first, again = (seen.model.predict(some.inputs).logits for _ in range(2))
    alone = np.concatenate([seen.model.predict(some.inputs[at : at + 3]).logits for at in range(0, len(some), 3)])
    gap = float(np.abs(alone - first).max())
    if not np.array_equal(first, again):
        yield Check(
            "determinism", "warn", f"the same rows got other answers (up to {np.abs(first - again).max():.2g} apart)",
            "verdicts may differ between runs", "put the model into evaluation mode; remove random layers",
        )  # fmt: skip
    elif gap > 1e-3 * max(1.0, float(np.abs(first).max())):
        yield Check(
            "determinism", "warn", f"answers depend on the other rows of a batch (up to {gap:.2g} apart)",
            "verdicts depend on the batch size", "export the model in evaluation mode",
        )  # fmt: skip
    else:
        yield Check(
            "determinism", "ok", f"same answers twice, and in other batches up to {gap:.1g}", "nothing needs doing"
        )


def _rows(seen: _Seen) -> Iterator[Check]:
    if seen.bad:
        yield _unreadable(seen.data, seen.bad, len(seen.bad) + len(seen.batch))
    data = seen.data
    treated = treatments(data, seen.batch.rows)
    if treated:
        said = "; ".join(f"{words} ({count})" for words, count in treated.items())
        yield Check(
            "images", "ok", f"{len(seen.batch)} files looked at", said, "convert the files to 8-bit grey or RGB"
        )
    hashed = hashes(data, np.sort(data.sample(min(MOST_HASHED, len(data)))))
    twice = duplicates(hashed)
    if twice:
        shown = "; ".join(" = ".join(data.ids[row][:80] for row in rows[:3]) for rows in twice[:3])
        extra = sum(len(rows) - 1 for rows in twice)
        yield Check(
            "duplicates", "warn", f"{extra} of {len(hashed)} rows repeat another row: {shown}",
            "they count as rows of their own: intervals are a little too narrow", "remove them, or give them one unit",
        )  # fmt: skip
    train = data.companions.get("train")
    if train is not None:
        ours, theirs = repeated_in(data, train)
        if len(ours):
            pairs = zip(ours[:3], theirs[:3], strict=True)
            shown = "; ".join(f"{data.ids[a][:80]} = {train.ids[b][:80]}" for a, b in pairs)
            yield Check(
                "leak", "warn", f"{len(ours)} rows are in the training data too: {shown}", "they are judged", ""
            )


def _empty(seen: _Seen) -> Iterator[Check]:
    empty = empty_classes(seen.data)
    if empty:
        total = len(seen.data.classes)
        shown = ", ".join(name[:40] for name in empty[:3]) + (", ..." if len(empty) > 3 else "")
        saw = f"{len(empty)} of {total} classes have no row: {shown}"
        yield Check("empty classes", "warn", saw, "nothing is said about them", "add rows of these classes")


def _columns(seen: _Seen) -> Iterator[Check]:
    parts = candidates(seen.data)
    if parts:
        said = "; ".join(f"{', '.join(names)} may be a {part}" for part, names in parts.items())
        shown = snippet(parts).replace("\n", "  ")
        will = "they are plain metadata" + ("; rows are taken for independent" if "unit" in parts else "")
        yield Check("columns", "warn", said, will, f"in the task file: {shown}")


def _unreadable(data: Dataset, bad: dict[int, str], asked: int) -> Check:
    shown = "; ".join(f"{data.ids[row][:100]} ({reason})" for row, reason in list(bad.items())[:3])
    outcome: Outcome = "stop" if len(bad) == asked else "warn"
    return Check("unreadable", outcome, f"{len(bad)} of {asked} rows: {shown}", "they are left out and listed")


_CHECKS: tuple[Callable[[_Seen], Iterator[Check]], ...] = (
    _inferred,
    _fits,
    _classes,
    _accuracy,
    _outputs,
    _preprocessing,
    _determinism,
    _rows,
    _empty,
    _columns,
)
