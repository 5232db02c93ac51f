"""Masked gradients: whether a search by derivatives was led astray, so that what withstood it is not to be believed."""

from collections.abc import Iterator, Sequence

import numpy as np

from pfungst.attacked import Attacked
from pfungst.findings import Finding, Skipped
from pfungst.methods.loss_surface import RESTARTS, ROUGH, STEPS
from pfungst.methods.threats import DECIDED, FLAT, TRANSFERRED, UNSTEADY
from pfungst.statistics.estimate import Estimate, Status
from pfungst.statistics.intervals import proportion_of

BLIND = (2, 5, DECIDED, TRANSFERRED)
"""Parts of an attack that need no derivative of the model."""

WORDS = {
    FLAT: (0.01, "the derivative was zero everywhere on {} of {} rows"),
    UNSTEADY: (0.01, "the model answers the same input differently on {} of {} rows"),
    ROUGH: (0.1, "the loss does not rise where its derivative says on {} of {} rows"),
    RESTARTS: (0.15, "whether a row falls depends on where the search begins on {} of {} rows"),
    STEPS: (0.15, "whether a row falls depends on the length of the steps on {} of {} rows"),
}
"""Signs, the share of rows beyond which they count, and what they say."""


def masked_gradients(
    norms: Sequence[Attacked], checked: Attacked | None, whole: Attacked | None
) -> Iterator[Finding | Skipped]:
    """What the attacks within norms, the check of the loss around a few rows, and the attack without a budget say."""
    every = [*norms, *([] if checked is None else [checked])]
    if not any(found.backwards.any() for found in norms):
        reason = "the model offers no gradients: it was searched at random; what gradients would find stays open"
        yield Skipped(probe="adversarial", kind="masked-gradients", reason=reason)
        return
    beaten = np.concatenate([np.isin(found.stage, BLIND) & (found.budget > 0) for found in norms])
    share = proportion_of(beaten, name="rows that only gradient-free search broke")
    signs = [*_signs(every), *_beaten_by_answers(norms, checked), *_survivors(whole)]
    status: Status = "found" if share.low > 0.01 or signs else share.against(0.05)
    yield Finding(
        probe="adversarial",
        kind="masked-gradients",
        subject="",
        status=status,
        severity="medium" if status == "found" else "none",
        claim=_claim(share, signs) + (" What withstood here is not to be believed." if status == "found" else ""),
        effect=share,
        tolerance=0.01,
        remedy="attack it without the part that hides the gradients, or search at random with many more queries"
        if status == "found"
        else "",
    )


def _claim(share: Estimate, signs: Sequence[str]) -> str:
    return (
        f"Search without gradients broke {share:.1%} of the rows that "
        f"gradients had not broken{'; ' + '; '.join(signs) if signs else ''}."
    )


def _signs(every: Sequence[Attacked]) -> Iterator[str]:
    """Signs that were seen on more rows than a boundary nearby explains, of the rows that were looked at for them."""
    for bit, (most, words) in WORDS.items():
        some = every[-1:] if bit in {ROUGH, RESTARTS, STEPS} else every
        seen = np.concatenate([(found.signs[found.budget > 0] & bit) > 0 for found in some])
        if not len(seen):
            continue
        least = seen.mean() if most == WORDS[FLAT][0] else proportion_of(seen).low
        if least > most:
            yield words.format(int(seen.sum()), len(seen))


def _beaten_by_answers(norms: Sequence[Attacked], checked: Attacked | None) -> Iterator[str]:
    """Rows that fell to answers alone within a budget at which everything else failed."""
    if checked is None or checked.rows is None:
        return
    fell = checked.stage == DECIDED
    size = float(checked.budget[fell].max()) if fell.any() else 0.0
    stood = {int(row) for one in norms if one.rows is not None for row in one.rows[~(one.budget <= size)]}
    count = sum(int(row) in stood for row in checked.rows[fell])
    if count > 1:
        yield f"{count} of {len(checked)} rows fell to answers alone and to nothing else"


def _survivors(whole: Attacked | None) -> Iterator[str]:
    if whole is not None and not whole.broken.all():
        yield f"{int((~whole.broken).sum())} of {len(whole)} rows stand even with every pixel free"
