"""Do one other package's part of the benchmarks: runs in that package's environment, see beside/peer.py.

    PYTHON -P benchmarks/peers/serve.py MODULE FOLDER

MODULE is a file beside this one. Its ``VERSIONS`` are names of packages, its ``TASKS`` functions by name: each is given
arrays and settings and returns the work, a callable that answers with arrays. Orders are lines of JSON on standard
input: ``{"prepare", "given", "done", "settings"}`` does a task once and writes what it answers, ``{"run": times}`` does
it again and says the processor seconds, those of children that ended among them.
"""

import importlib.util
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def spent() -> float:
    """Processor seconds of this process and of its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def loaded(name: str) -> ModuleType:
    """The file that asks a package; its name is no package's, or it would be imported instead."""
    spec = importlib.util.spec_from_file_location(f"asks_{name}", HERE / f"{name}.py")
    assert spec is not None, "the file is there"
    assert spec.loader is not None, "it is Python"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sentence(error: BaseException) -> str:
    """An error in one line."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"raised {type(error).__name__}" + (f": {first}" if first else "")


def answered(order: dict[str, Any], tasks: dict[str, Any], ready: list[Callable[[], Any]]) -> dict[str, Any]:
    """Obey one order."""
    if "prepare" in order:
        with np.load(order["given"], allow_pickle=False) as held:
            arrays = dict(held)
        ready[:] = [tasks[order["prepare"]](arrays, **order["settings"])]
        np.savez(order["done"], **{name: np.asarray(one) for name, one in ready[0]().items()})
        return {"done": True}
    began = spent()
    for _ in range(order["run"]):
        ready[0]()
    return {"seconds": spent() - began}


def main() -> None:
    """Answer until there are no more lines."""
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr
    sys.path.append(str(HERE.parent))
    try:
        module = loaded(sys.argv[1])
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is said
        print(json.dumps({"error": sentence(error)}), file=out, flush=True)
        return
    print(json.dumps({"versions": {name: version(name) for name in module.VERSIONS}}), file=out, flush=True)
    ready: list[Callable[[], Any]] = []
    for line in sys.stdin:
        try:
            said = answered(json.loads(line), module.TASKS, ready)
        except Exception as error:  # noqa: BLE001 - the next order may go well
            said = {"error": sentence(error)}
        print(json.dumps(said), file=out, flush=True)


if __name__ == "__main__":
    main()
