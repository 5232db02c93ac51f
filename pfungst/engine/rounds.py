"""Rounds: answer the passes that probes want, from the cache where they stand there, else by a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from pfungst.attacked import Attacked
from pfungst.datasets.dataset import Dataset
from pfungst.engine.cache import Cache, Kept
from pfungst.engine.local import Executor
from pfungst.engine.plan import Piece, Shard, pieces, row_passes
from pfungst.engine.sweep import Swept, joined
from pfungst.errors import InputError
from pfungst.findings import PassRecord
from pfungst.listening import Listener, silence
from pfungst.outputs import Outputs
from pfungst.passes import Answers, Pass, Passes, Predict
from pfungst.summarised import Summarised, joined_answers

Parts: TypeAlias = dict[tuple[Pass, Shard], Answers]
"""What is answered of each pass in each shard."""


@dataclass
class Rounds:
    """Answers passes round by round and remembers what ran, what stood in the cache, what was lost and what refused.

    ``finished`` says that an earlier audit ended in this folder: only then do its answers count as cached; answers of
    a killed audit are this audit's own. ``sizes``: rows shown at once where memory did not hold
    a whole batch. ``recorded`` are answers of all rows, by member, that are looked up in place of asking anybody.
    """

    data: Dataset
    executor: Executor
    cache: Cache | None = None
    finished: bool = False
    listen: Listener = silence
    records: dict[Pass, PassRecord] = field(default_factory=dict)
    lost: dict[str, dict[int, str]] = field(default_factory=dict)
    refused: dict[Pass, str] = field(default_factory=dict)
    sizes: set[int] = field(default_factory=set)
    recorded: Mapping[str, Outputs] = field(default_factory=dict)

    def answer(self, asked: Mapping[Pass, tuple[str, ...]], done: Passes) -> Passes:
        """The passes done so far and those asked now."""
        new = [one for one in asked if one not in done]
        whole: dict[Pass, Answers] = {}
        parts: Parts = {}
        missing: dict[Shard, list[Piece]] = {}
        for one in new:
            found = self._looked_up(one)
            if (kept := self._whole(one) if found is None else found) is not None:
                whole[one] = kept
            else:
                for piece in pieces(one, self.data):
                    self._look_up(piece, parts, missing)
        spent = self._sweep(missing, parts)
        for one in new:
            if one in self.refused:
                continue
            if one not in whole:
                whole[one] = self._joined(one, self._all(one, parts))
            self._record(one, asked[one], whole[one], spent.get(one))
        return self._agreed(done.with_(whole))

    def _all(self, one: Pass, parts: Parts) -> list[Answers]:
        """The parts of a pass. Raises InputError if there is none, and no pass before it either."""
        asked = list(pieces(one, self.data))
        found = [parts[key] for piece in asked if (key := (one, piece.shard)) in parts]
        if not found and isinstance(one, Predict) and one.after:
            return [Outputs(np.zeros((0, len(self.data.classes)), np.float32), rows=np.zeros(0, np.int64))]
        if asked and not found:
            some, why = self.data.on(one.on), next(iter(self.lost[one.on].values()))
            raise InputError(
                f"none of the {row_passes([one], self.data)} rows of {some.source} has an answer, {one.name} "
                f"({why}); give rows that can be read and a model that answers them"
            )
        return found

    def _joined(self, one: Pass, some: Sequence[Answers]) -> Answers:
        """Consecutive answers of a pass; where an audit of fewer rows kept them all, but this one summaries, those."""
        plain = [part for part in some if isinstance(part, Outputs)]
        if any(isinstance(part, Summarised) for part in plain):
            labels = self.data.on(one.on).labels
            return joined_answers(plain, np.full(len(self.data.on(one.on)), -1) if labels is None else labels)
        return joined(some)

    def _agreed(self, done: Passes) -> Passes:
        """The same without rows that were lost under another condition: two passes can be compared row by row."""
        fewer: dict[Pass, Answers] = {}
        for one, answers in done.items():
            if lost := self.lost.get(one.on):
                assert answers.rows is not None, "answers of a pass know their rows"
                out = np.isin(answers.rows, list(lost))
                if out.any():
                    fewer[one] = answers.take(~out)
        return done.with_(fewer) if fewer else done

    def compact(self, done: Passes) -> None:
        """Turn the parts of every pass into one file each."""
        if self.cache is not None:
            for one, outputs in done.items():
                some = list(pieces(one, self.data))
                rows, lost = row_passes([one], self.data), self.lost.get(one.on, {})
                self.cache.compact(one, Kept(outputs, lost, rows, tuple(sorted(self.sizes))), some, self.data)
            self.cache.keep_only(done)

    def _looked_up(self, one: Pass) -> Outputs | None:
        """Recorded answers, in audit order; none are handed out, so that only one copy of them is made."""
        if not isinstance(one, Predict) or one.under is not None or one.after or one.on != self.data.name:
            return None
        found = self.recorded.get(one.by)
        rows = self.data.sample(one.rows, one.half)
        return None if found is None else replace(found.take(rows), rows=rows)

    def _whole(self, one: Pass) -> Answers | None:
        kept = None if self.cache is None else self.cache.whole(one, list(pieces(one, self.data)), self.data)
        if kept is None:
            return None
        self.lost.setdefault(one.on, {}).update(kept.lost)
        self.sizes |= set(kept.sizes)
        return kept.answers

    def _look_up(self, piece: Piece, parts: Parts, missing: dict[Shard, list[Piece]]) -> None:
        kept = None if self.cache is None else self.cache.load(piece, self.data)
        if kept is not None:
            parts[piece.asked, piece.shard] = kept.answers
            self.lost.setdefault(piece.shard.on, {}).update(kept.lost)
            self.sizes |= set(kept.sizes)
        start = piece.start if kept is None else kept.rows
        if start < piece.rows:
            missing.setdefault(piece.shard, []).append(replace(piece, start=start))

    def _sweep(self, missing: dict[Shard, list[Piece]], parts: Parts) -> dict[Pass, float]:
        work = [missing[shard] for shard in sorted(missing)]
        total = sum(piece.rows - piece.start for some in work for piece in some)
        self.listen("round", {"shards": len(work), "row_passes": total})
        spent: dict[Pass, float] = {}
        for swept in self.executor.map(work, self.listen) if work else ():
            self._keep(missing[swept.shard], swept, parts)
            for one, seconds in swept.seconds.items():
                spent[one] = spent.get(one, 0.0) + seconds
        return spent

    def _keep(self, asked: list[Piece], swept: Swept, parts: Parts) -> None:
        """Put what was answered behind what stood of each piece."""
        on, lost = swept.shard.on, self.lost.setdefault(swept.shard.on, {})
        for row in sorted(swept.failed - set(lost)):
            facts = {"row": self.data.on(on).ids[row], "how": "failed", "why": swept.lost[row]}
            self.listen("quarantine", {"on": on, "shard": swept.shard.name, **facts})
        lost.update(swept.lost)
        self.refused |= swept.refused
        if swept.size and swept.size not in self.sizes:
            self.sizes.add(swept.size)
            self.listen("memory", {"on": swept.shard.on, "shard": swept.shard.name, "rows": swept.size})
        answers: dict[Pass, Answers] = {}
        for piece in asked:
            key = piece.asked, piece.shard
            some = [part for part in (parts.get(key), swept.answers.get(piece.asked)) if part is not None]
            if some:
                answers[piece.asked] = parts[key] = self._joined(piece.asked, some)
        if self.cache is not None:
            self.cache.save(asked, replace(swept, answers=answers, lost=lost), self.data)
        rows = sum(piece.rows - piece.start for piece in asked)
        self.listen("shard", {"on": swept.shard.on, "shard": swept.shard.name, "row_passes": rows})

    def _record(self, one: Pass, asked: tuple[str, ...], answers: Answers, seconds: float | None) -> None:
        forwards = float(len(answers)) if isinstance(answers, Outputs) else float(answers.forwards.sum())
        forwards += 2 * float(answers.backwards.sum()) if isinstance(answers, Attacked) else 0.0
        before = self.records.get(one)
        unasked = seconds is None and (before is None or before.cached)
        self.records[one] = PassRecord(
            name=one.name,
            key=one.key,
            on=one.on,
            half=one.half,
            rows=len(answers),
            forwards=round(forwards, 1),
            cached=unasked and self.finished,
            asked=asked,
            seconds=round((seconds or 0.0) + (before.seconds if before else 0.0), 3),
        )
