"""What sharing the work among workers saves: python benchmarks/workers.py [MODEL DATA].

The same passes (fifteen corruptions) asked by this process, by two processes and by two of Ray's actors. Ratios to this
process: of the first round, in which workers start and load the model, and of a second one of other passes.
"""

import sys
import time
from contextlib import closing

from pfungst.demo import demo_files
from pfungst.engine.rounds import Rounds
from pfungst.methods.shifts import Shifted, named
from pfungst.passes import Passes, Predict
from pfungst.request import resolve
from pfungst.study import opened

ASKED = ({"workers": 1}, {"workers": 2}, {"workers": 2, "executor": "ray"})


def main() -> None:
    """Print both ratios for each way of asking."""
    files = demo_files()
    model, data = sys.argv[1:3] if len(sys.argv) > 2 else (str(files.model), str(files.data))
    alone: list[float] = []
    for options in ASKED:
        study = opened(model, data, resolve(None, options))
        spent: list[float] = []
        with closing(study.executor()) as executor:
            rounds, done = Rounds(study.data, executor), Passes()
            for severity in (3, 4):
                asked = {Predict(Shifted(name, severity)): ("bench",) for name in named(("imagenet-c",))}
                began = time.perf_counter()
                done = rounds.answer(asked, done)
                spent.append(time.perf_counter() - began)
        alone = alone or spent
        ratios = " ".join(f"{mine / one:.2f}" for mine, one in zip(spent, alone, strict=True))
        print(f"{options}, {len(study.data)} rows: first round, second round = {ratios} of one process")


if __name__ == "__main__":
    main()
