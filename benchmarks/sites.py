"""How often the chapter on sites accuses rightly and wrongly: python benchmarks/sites.py [--runs 200].

Two classes and two sites; each row comes from its label's site with probability rho. The signal alone has an AUC of
0.92. A model that uses the site adds what a Bayesian would, log(rho / (1 - rho)), to its log-odds; a blind one adds
nothing, and one that learned it where the sites held the other class takes that away. Null sets have no association
(and models that heed the site all the same), or no dependence on the site given the label. Printed are shares of
audits, and of tests, with 95 % intervals.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

import pfungst
from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.methods.site_features import kept, left_out
from pfungst.methods.site_pairs import decomposition, moved, pair_tests
from pfungst.methods.site_tests import Sited, association
from pfungst.statistics.proportions import proportion

ROWS = 1000
SIGNAL = 2.0


def world(rho: float, heeded: float, seed: int, rows: int = ROWS) -> tuple[FloatArray, Array, Array]:
    """Log-odds of the second class, labels and sites; ``heeded`` is what the site adds to the log-odds."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    sites = np.where(rng.random(rows) < rho, labels, 1 - labels)
    signal = rng.normal(SIGNAL * (labels - 0.5), 1.0)
    return SIGNAL * signal + heeded * (2 * sites - 1), labels, sites


def bayes(rho: float) -> float:
    """What the site adds to the log-odds of who knows rho."""
    return float(np.log(rho / (1 - rho)))


def verdict(rho: float, heeded: float, seed: int) -> tuple[str, str]:
    """Status and severity of ``confounded`` in an audit of such a world.

    A model that learned the opposite of a strong tie is wrong so often that its classes look exchanged: ``refused``.
    """
    scores, labels, sites = world(rho, heeded, seed)
    data = {"inputs": scores[:, None].astype(np.float32), "labels": labels, "site": np.array(["A", "B"])[sites]}
    try:
        audit = pfungst.audit(
            lambda rows: np.concatenate([np.zeros_like(rows), rows], axis=1), data, only=("sites",), outputs="logits"
        )
    except InputError as error:
        if "another order" not in str(error):
            raise
        return "refused", ""
    found = next(one for one in audit.findings if one.kind == "confounded")
    return found.status, found.severity


def tested(rho: float, heeded: float, seed: int) -> dict[str, bool]:
    """Which tests reject at 0.05 in a world whose answers and features do not depend on the site given the label."""
    scores, labels, sites = world(rho, heeded, seed, 400)
    logs = -np.logaddexp(0, np.stack([scores, -scores], axis=1))
    sited = Sited(logs, labels, sites, ("A", "B"))
    features = np.random.default_rng((seed, 1)).normal(size=(len(labels), 16))
    features[:, 0] += 2 * labels
    shift = moved(sited, seed=seed)
    known = kept(sited, features, seed=seed)
    return {
        "association": association(sited, seed).p_value <= 0.05,
        "used": shift is not None and shift.p_value <= 0.05,
        "used, pairs (Holm)": any(one.p_value <= 0.05 for one in pair_tests(sited)),
        "kept, one label": bool(known) and known[0].p_value <= 0.05,
    }


def spelled(hits: list[bool]) -> str:
    """A share with its interval."""
    return f"{proportion(sum(hits), len(hits)):.3f}"


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    runs = range(parser.parse_args().runs)
    names = ("found", "absent", "inconclusive", "refused")
    print(f"| rho | the model | {' | '.join(names)} | severities ({ROWS} rows) |\n|{'---|' * 7}")
    for rho in (0.5, 0.7, 0.8, 0.9, 0.95):
        heeds = bayes(rho) or 1.0
        for name, heeded in (("uses the site", heeds), ("is blind to it", 0.0), ("learned the opposite", -heeds)):
            said = [verdict(rho, heeded, seed) for seed in runs]
            shares = [spelled([status == each for status, _ in said]) for each in names]
            kinds = sorted({severity for status, severity in said if status == "found"})
            print(f"| {rho} | {name} | {' | '.join(shares)} | {', '.join(kinds)} |", flush=True)
    print("\n| test, 400 rows | rejects at 0.05, rho 0.5 | rho 0.7 |\n|---|---|---|")
    columns = [[tested(rho, 0.0, seed) for seed in runs] for rho in (0.5, 0.7)]
    for name in columns[0][0]:
        print(f"| {name} | {' | '.join(spelled([one[name] for one in column]) for column in columns)} |")
    rng = np.random.default_rng(0)
    labels, sites, features = rng.integers(0, 10, 10_000), rng.integers(0, 5, 10_000), rng.normal(size=(10_000, 256))
    large = Sited(np.full((10_000, 10), np.log(0.1)) + 0.0, labels, sites, tuple("ABCDE"))
    steps = (association, moved, pair_tests, lambda x: decomposition(x, x.log_odds))
    spent = sum(seconds(lambda step=step: step(large)) for step in steps)
    spent += sum(seconds(lambda step=step: step(large, features)) for step in (kept, left_out))
    print(f"\n10,000 vectors of 256 numbers, 10 classes, 5 sites: {spent:.1f} s")


if __name__ == "__main__":
    main()
