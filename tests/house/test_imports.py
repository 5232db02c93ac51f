"""Every module imports with the base dependencies alone."""

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pfungst"
BLOCK = """
import importlib, sys

EXTRAS = {"torch", "skops", "transformers", "datasets", "timm", "ray", "onnx", "safetensors", "pandas"}
EXTRAS |= {"starlette", "uvicorn", "duckdb", "polars", "mlflow", "wandb", "yaml"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in EXTRAS:
            raise ImportError(f"{name} is not a base dependency")

sys.meta_path.insert(0, Blocked())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_every_module_imports_without_extras():
    names = sorted(
        ".".join(("pfungst", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    )
    assert len(names) > 50
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCK, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_audit_waits_for_nothing_that_few_audits_need():
    """scikit-learn brings pandas and scipy.stats along: together a second of processor time."""
    asked = "import sys, pfungst.auditing; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "scipy.special" in loaded
    assert not loaded & {"sklearn", "pandas", "scipy.stats", "torch", "ray"}
