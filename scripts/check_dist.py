"""Build sdist and wheel, look into both, and use the wheel in an environment that holds nothing else: make dist-test.

The wheel is made from the sdist, so that what people build themselves is what is tried. Ends with 1 and one sentence
where a file is missing or does not belong, or a command does not end as it should.
"""

import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKED = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
IMPORTED = 0.3
"""Seconds of processor time in which `pfungst --help` has answered."""
COMMANDS = (
    (["--version"], {0}),
    (["schema"], {0}),
    (["probes"], {0}),
    (["demo", "--quiet", "--out", "run"], {0, 1}),
    (["show", "run"], {0, 1}),
    (["audit", "nowhere.onnx", "nowhere"], {2}),
)


def built(folder: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel made from it."""
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def tracked() -> set[str]:
    """The files of the package as the repository has them."""
    listed = _run(["git", "ls-files", "pfungst"], cwd=ROOT)
    return set(listed.split())


def wrong(sdist: Path, wheel: Path) -> Iterator[str]:
    """One sentence for each file that is missing or does not belong."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    yield from (f"the wheel lacks {name}" for name in sorted(tracked() - inside))
    yield from (f"the wheel holds {name}, which the repository does not" for name in sorted(inside - tracked()))
    with tarfile.open(sdist) as archive:
        names = [member.name.partition("/")[2] for member in archive.getmembers()]
    yield from (f"the sdist lacks {name}" for name in sorted(tracked() - set(names)))
    for name in names:
        if (
            "__pycache__" in name
            or name.endswith(".pyc")
            or name.split("/")[0].startswith((".venv", "build", "pfungst-run"))
        ):
            yield f"the sdist holds {name}"
    large = {path: path.stat().st_size for path in (sdist, wheel) if path.stat().st_size > 8_000_000}
    yield from (f"{path.name} has {size:,} bytes" for path, size in large.items())


def tried(wheel: Path, folder: Path) -> Iterator[str]:
    """Install the wheel beside the locked base dependencies alone and use it; one sentence for each surprise."""
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    pip = [str(programs / "pip"), "install", *LOCKED]
    _run([*pip, "--require-hashes", "--requirement", str(ROOT / "requirements" / "base.txt")])
    _run([*pip, str(wheel)])
    _run([str(programs / "pip"), "check"])
    # Nothing of the checkout may stand in for what the wheel should hold.
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for words, codes in COMMANDS:
        asked = [str(programs / "pfungst"), *words]
        done = subprocess.run(asked, cwd=folder, env=alone, capture_output=True, text=True, check=False)
        print(f"  pfungst {' '.join(words)}: {done.returncode}")
        if done.returncode not in codes or "Traceback" in done.stderr:
            yield f"pfungst {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    spent = min(_seconds([str(programs / "pfungst"), "--help"]) for _ in range(5))
    print(f"  pfungst --help: {spent:.2f} s of processor time")
    if spent > IMPORTED:
        yield f"pfungst --help takes {spent:.2f} s of processor time, not {IMPORTED}"


def _seconds(words: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run(words: Sequence[str], cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Build, look, try."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sdist, wheel = built(folder)
        print(f"{sdist.name} {sdist.stat().st_size:,} bytes, {wheel.name} {wheel.stat().st_size:,} bytes")
        said = [*wrong(sdist, wheel), *tried(wheel, folder)]
    print("\n".join(said) if said else "sdist and wheel hold what they should, and the wheel works by itself")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
