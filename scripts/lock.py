"""Lock what each environment holds, every file by its hash: make lock (`make lock UPGRADE=1` takes newer versions).

The versions that stand in requirements/ stay as long as pyproject.toml allows them. No address is written: whoever
installs has an index of their own, and a file from it either has the hash that stands here or is refused.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
# What each file locks, and with which file it agrees on every package that both hold. The extras stand alone: mlflow
# caps what the tests are run with.
LOCKS: dict[str, tuple[tuple[str, ...], str]] = {
    "dev.txt": (("--extra=dev", "--extra=sklearn-io"), ""),
    "base.txt": (("--group=build",), "dev.txt"),
    "extras.txt": (("--extra=all", "--extra=timm", "--extra=docs"), ""),
    "tools.txt": (("--group=tools",), ""),
    "fuzz.txt": (("--group=fuzz",), "dev.txt"),
}
HEADER = "# Written by scripts/lock.py (make lock): every version with the hashes of all its published files.\n"
# torch has one version and many builds, whose files and dependencies differ by where they come from (the CPU's is under
# another hash, the accelerators' bring their own libraries): it is installed by version. What the CPU build needs is
# locked; torchvision, which only timm wants, is built against it and has builds of its own likewise.
BUILDS = {
    "torch": (
        "2.13.0",
        ["filelock", "fsspec>=0.8.5", "jinja2", "networkx>=2.5.1", "setuptools>=77.0.3", "sympy>=1.13.3",
         "typing-extensions>=4.10.0"],
    ),
    "torchvision": ("0.28.0", ["numpy", "pillow>=5.3.0", "torch==2.13.0"]),
}  # fmt: skip


def locked(name: str, *, upgrade: bool) -> str:
    """The text of one file: as it stands where that still fits."""
    kept, (asked, like) = FOLDER / name, LOCKS[name]
    with tempfile.TemporaryDirectory() as folder:
        settings, written = Path(folder) / "uv.toml", Path(folder) / name
        settings.write_text(told_builds())
        pins = Path(folder) / "pins.txt"
        pins.write_text("".join(f"{one}=={version}\n" for one, (version, _) in BUILDS.items()))
        if kept.is_file() and not upgrade:
            written.write_text(kept.read_text())
        words = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--config-file", str(settings), "--universal"]
        words += ["--python-version=3.11", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        words += ["--no-emit-find-links", "--only-binary=:all:", "--constraint", str(pins)]
        words += [f"--no-emit-package={one}" for one in BUILDS]
        words += ["--constraint", str(FOLDER / like)] if like else []
        words += [*asked, "--output-file", str(written)]
        words += [str(ROOT / "pyproject.toml")] if name not in {"tools.txt", "fuzz.txt"} else []
        subprocess.run(words, cwd=ROOT, check=True)
        return HEADER + written.read_text()


def told_builds() -> str:
    """What uv is told of the packages that have many builds, as its settings file says it."""
    return "".join(
        f'[[dependency-metadata]]\nname = "{name}"\nversion = "{version}"\nrequires-dist = {needs!r}\n'
        for name, (version, needs) in BUILDS.items()
    )


def main(words: Sequence[str]) -> None:
    """Write every file anew."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    asked = reader.parse_args(words)
    for name in LOCKS:
        text = locked(name, upgrade=asked.upgrade)
        if "://" in text:
            raise SystemExit(f"{name} would hold an address; nothing more is written")
        (FOLDER / name).write_text(text)
        pins = sum("==" in line for line in text.splitlines())
        print(f"requirements/{name}: {pins} packages, {text.count('--hash=')} files")


if __name__ == "__main__":
    main(sys.argv[1:])
