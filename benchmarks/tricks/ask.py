"""Ask one other tool about networks: runs in that tool's environment, prints one JSON line for each network.

    build/peers/NAME/bin/python -P benchmarks/tricks/ask.py NAME PYTHON FOLDER ...

PYTHON is the interpreter that the models were saved with; it answers for tools that ask the model about new rows.
"""

import importlib.util
import json
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One network as files, and what a tool may want of them."""

    folder: Path
    python: str

    @cached_property
    def truth(self) -> dict[str, Any]:
        """What is true of the network; the tool itself is told none of the trick."""
        return dict(json.loads((self.folder / "truth.json").read_text(encoding="utf-8")))

    @cached_property
    def answers(self) -> dict[str, np.ndarray]:
        """The network's ``probabilities`` (rows, classes), the ``classes``, and the ``ids`` of pictures in a folder."""
        with np.load(self.folder / "answers.npz", allow_pickle=False) as held:
            return dict(held)

    def table(self) -> Any:
        """Rows of a table or texts, with their label, as a data frame."""
        import pandas as pd  # noqa: PLC0415 - in the tool's environment

        return pd.read_csv(self.folder / self.truth["data"])

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (rows, height, width, channels) and their classes, in the order of the answers."""
        from PIL import Image  # noqa: PLC0415 - in the tool's environment

        if self.truth["data"].endswith(".npz"):
            with np.load(self.folder / self.truth["data"], allow_pickle=False) as held:
                return held["inputs"], held["labels"]
        names = [str(name) for name in self.answers["ids"]]
        read = [np.asarray(Image.open(self.folder / self.truth["data"] / name)) for name in names]
        images = np.stack([image if image.ndim == 3 else image[:, :, None] for image in read])
        return images, np.array([int(name.split("/")[0].removeprefix("class")) for name in names])

    def answer(self, rows: Sequence[Any]) -> np.ndarray:
        """Probabilities of new rows."""
        self._asked.stdin.write(json.dumps(list(rows), default=float) + "\n")
        self._asked.stdin.flush()
        return np.array(json.loads(self._asked.stdout.readline()))

    def close(self) -> None:
        """End the process that answers, if one was started."""
        if "_asked" in self.__dict__:
            self._asked.stdin.close()
            self._asked.wait(timeout=30)

    @cached_property
    def _asked(self) -> Any:
        words = [self.python, str(HERE / "answer.py"), str(self.folder)]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(tool: ModuleType, case: Case) -> dict[str, Any]:
    """What a tool flagged, which of it is the right cue by the tool's own rule, and how long it took."""
    found: dict[str, Any] = {"name": case.truth["name"], "flags": [], "accused": False, "right": False, "error": ""}
    began = time.perf_counter()
    try:
        found["flags"] = sorted(set(tool.flagged(case)))
        found["accused"] = any(map(tool.accuses, found["flags"]))
        found["right"] = any(tool.right(case.truth, flag) for flag in found["flags"])
    except Exception as error:  # noqa: BLE001 - a tool may raise anything, and that is a result
        found["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        traceback.print_exc(file=sys.stderr)
    finally:
        case.close()
    return {**found, "seconds": round(time.perf_counter() - began, 2)}


def main() -> None:
    """One JSON line a network on standard output; whatever the tool itself prints goes to standard error."""
    name, python, *folders = sys.argv[1:]
    # By its path: the file has the name of the package that it uses.
    spec = importlib.util.spec_from_file_location(f"asked_{name}", HERE / "peers" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    out, sys.stdout = sys.stdout, sys.stderr
    warnings.simplefilter("ignore")
    spec.loader.exec_module(tool)
    for folder in folders:
        print(json.dumps(said(tool, Case(Path(folder), python))), file=out, flush=True)


if __name__ == "__main__":
    main()
