"""Attribution: which part of an input carries the decision, and whether changing it changes the decision."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np

from pfungst.arrays import FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import AnyEvidence, Estimates, Examples, Finding, Skipped, Table
from pfungst.maps import Maps
from pfungst.methods import masks, occlusion  # noqa: F401 - masks fill the registry
from pfungst.methods.attributions import attributions
from pfungst.methods.faithfulness import Deletion, Redrawn, likeness_of_maps
from pfungst.methods.joint_occlusion import PARTS, JointOcclusion, share_beyond
from pfungst.passes import Attribute, Passes, Predict
from pfungst.passes import Attribution as Method
from pfungst.probe import Probe, probes, shot
from pfungst.probes.parts import METHODS, parts, passes
from pfungst.statistics.intervals import paired_mean

FLIP, JOINT = occlusion.SmallestFlip(), JointOcclusion()

HALF = 0.5
"""Of the answer: more may not rest on what lies beside the object, however small the object is."""


@probes
@dataclass(frozen=True, kw_only=True)
class Attribution(Probe):
    """Maps of what carried the answer on a sample of rows, and tests of whether the maps can be believed.

    ``methods`` are names of the registry, or methods; RISE and KernelSHAP, which cost some 270 forward passes a row,
    are not asked unless named. Of texts each word is deleted, of tables each column given a like row's value; whether
    the parts named first carry more than others is tested by changing them in order.

    A map is no verdict. It is held against the map of the same network with its weights shuffled (Adebayo et al. 2018):
    one that stays the same draws the picture, not the decision. Its places are filled in order and at random, and what
    the answer loses is compared. Whether changing a part changes the answer is shown by changing it: the smallest
    part whose filling flips the answer. What the border and the background carry is asked of each as a whole: a network
    that reads all of a frame hardly minds the loss of one cell.
    """

    topic: ClassVar[str] = "attribution"
    question: ClassVar[str] = "Which part of an input carries the decision, and does changing it change the answer?"
    finds: ClassVar[Mapping[str, str]] = {
        "outside-object": "What lies outside the object that should carry the answer carries much of it.",
        "unfaithful": "What an explanation names first moves the answer no more than what it names last.",
    }
    methods: tuple[str | Method, ...] = (
        "gradient-x-input", "integrated-gradients", "smooth-grad", "grad-cam", "occlusion",
    )  # fmt: skip
    rows: int = 40
    tolerance: float = 0.05
    alike: float = 0.5
    shown: int = 6

    def needs(self, data: Dataset, done: Passes) -> Iterator[Attribute | Predict]:
        """A map of each row by each method, by the same method on shuffled weights, and the smallest flip."""
        del done
        if data.modality in METHODS:
            yield from passes(data, self.rows)
        if data.modality == "image":
            yield Predict(rows=self.rows)
            for method in self._named().values():
                yield self._pass(method)
                yield self._pass(Deletion(method))
                if "gradients" in method.wants:
                    yield self._pass(Redrawn(method))
            yield self._pass(FLIP)
            yield self._pass(JOINT)

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped]:
        """Methods that are not faithful, attribution beside the object, and the rows themselves."""
        if data.modality in METHODS:
            yield from parts(data, done, self.rows)
            return
        if data.modality != "image":
            reason = f"parts are those of pictures, tables and texts; these rows are {data.modality}"
            yield Skipped(probe=self.topic, reason=reason)
            return
        methods = {name: method for name, method in self._named().items() if self._pass(method) in done}
        if not methods:
            return
        said = [finding for name, method in methods.items() for finding in self._unfaithful(data, done, name, method)]
        said += self._outside(data, done[self._pass(JOINT)])
        # The maps stand with the first thing there is to say, which people see first.
        first = next((at for at, finding in enumerate(said) if finding.status == "found"), len(said) - 1)
        evidence = tuple(self._evidence(data, done, methods))
        said[first] = msgspec.structs.replace(said[first], evidence=evidence)
        yield from said

    def _named(self) -> dict[str, Method]:
        """The methods by name.

        Raises:
            InputError: if there is no such method.
        """
        unknown = [one for one in self.methods if isinstance(one, str) and one not in attributions]
        if unknown:
            raise InputError(f"there is no method of attribution {unknown[0]!r}; there are {', '.join(attributions)}")
        asked = [attributions[one] if isinstance(one, str) else one for one in self.methods]
        return {one.name: one for one in asked}

    def _pass(self, method: Method) -> Attribute:
        return Attribute(method, rows=self.rows)

    def _unfaithful(self, data: Dataset, done: Passes, name: str, method: Method) -> Iterator[Finding]:
        redrawn = self._pass(Redrawn(method))
        maps = done[self._pass(method)]
        if redrawn not in done:
            return
        same = likeness_of_maps(maps, done[redrawn])
        units = None if data.units is None else data.units[np.asarray(maps.rows)]
        effect = paired_mean(same, units, "rank correlation with the map of shuffled weights")
        found = effect.low > self.alike
        yield Finding(
            probe=self.topic,
            kind="unfaithful",
            subject=name,
            status="found" if found else "absent" if effect.high <= self.alike else "inconclusive",
            severity="low" if found else "none",
            claim=f"Maps by {name} have rank correlation {effect:.2f} with "
            f"those of the same network with shuffled weights ({effect.rows} {effect.unit}s): they "
            + ("show the picture rather than the decision." if found else "depend on what the network learned."),
            effect=effect,
            tolerance=self.alike,
            remedy=f"do not read maps by {name} for this network; rely on what occlusion and swaps show"
            if found
            else "",
        )

    def _outside(self, data: Dataset, asked: Maps) -> Iterator[Finding]:
        """Share of the answer that lies beside the object, beyond what is due to a part as large."""
        carried = asked.values.reshape(len(asked), len(PARTS), 3).astype(np.float64)
        for at, subject in enumerate(PARTS):
            known = np.isfinite(carried[:, at, 0])
            if not known.any():
                continue
            units = None if data.units is None else data.units[np.asarray(asked.rows)[known]]
            part, rest, area = carried[known, at].T
            due = np.minimum(area, HALF) if subject == "background" else area
            effect = share_beyond(part, rest, due, units)
            status = effect.against(self.tolerance)
            yield Finding(
                probe=self.topic,
                kind="outside-object",
                subject=subject,
                status=status,
                severity="low" if status == "found" else "none",
                claim=f"All of the {subject} together carries {effect:+.2f} "
                f"of the answer beyond the {due.mean():.2f} that is due to it "
                f"(tolerance {self.tolerance:.2f}, {effect.rows} {effect.unit}s); that says where to look, the "
                "shortcuts chapter says whether the answer rests on it.",
                effect=effect,
                tolerance=self.tolerance,
                remedy="see what the shortcuts chapter says of it" if status == "found" else "",
            )

    def _evidence(self, data: Dataset, done: Passes, methods: Mapping[str, Method]) -> Iterator[AnyEvidence]:
        passes = {name: self._pass(method) for name, method in methods.items()}
        yield self._gallery(data, done, passes)
        drops = []
        for name, method in methods.items():
            deleted = self._pass(Deletion(method))
            if deleted in done:
                lost = done[deleted].values[:, 0]
                drops += [
                    paired_mean(lost[:, fill], None, f"{name}, filled by {words}")
                    for fill, words in enumerate(("mean colour", "blur"))
                ]
        if drops:
            title = "Probability lost on the way where its places are filled first, less that of random order"
            yield Estimates(title=title, items=tuple(drops), reference=0.0)
        area = done[self._pass(FLIP)].error if self._pass(FLIP) in done else np.zeros(0)
        flipped = area[np.isfinite(area)]
        if len(flipped) > 1:
            items = (
                paired_mean(np.isfinite(area).astype(float), None, "rows with a part whose filling changes the answer"),
                paired_mean(flipped, None, "share of the picture that part takes"),
            )
            yield Estimates(title="Does changing it change the answer?", items=items)
        yield Table(
            title="What the maps cost",
            columns=("method", "forward passes a row", "error (standard error, or completeness gap)"),
            rows=tuple(
                (name, f"{done[one].forwards.mean():.0f}", _median(done[one].error)) for name, one in passes.items()
            ),
        )

    def _gallery(self, data: Dataset, done: Passes, passes: dict[str, Attribute]) -> Examples:
        """Rows as they are, each method's map over them, and the smallest part that flips the answer."""
        clean = Predict(rows=self.rows)
        outputs = done[clean]
        assert outputs.rows is not None, "answers of a pass know their rows"
        maps = {**passes, "the smallest part that changes the answer": self._pass(FLIP)}
        items = []
        for index in range(min(self.shown, len(outputs))):
            plain = shot(data, clean, outputs, index)
            heats = [
                msgspec.structs.replace(plain, heat=one.key, caption=name) for name, one in maps.items() if one in done
            ]
            items.append((plain, *heats))
        return Examples(title="What carried the answer, by each method (red: for it)", items=tuple(items))


def _median(error: FloatArray) -> str:
    known = error[np.isfinite(error)]
    return f"{np.median(known):.3g}" if len(known) else "-"
