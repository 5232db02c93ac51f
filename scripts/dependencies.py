"""What pfungst and its extras stand on: licences, a bill of materials, known vulnerabilities (make audit-deps).

    python scripts/dependencies.py ENVIRONMENT

ENVIRONMENT holds what requirements/extras.txt locks; the interpreter that runs this holds pip-audit and cyclonedx-bom.
Ends with 1 where a licence is not accepted or a package has a known vulnerability. Where the index has no data on
vulnerabilities (a mirror may have none), that is said: nothing is then known, which is not a clean record.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
WRITTEN = ROOT / "build"
LOCKS = ("dev.txt", "extras.txt", "tools.txt")


def licences(environment: Path) -> bool:
    """Whether every licence is accepted; all of them stand in build/licences.txt."""
    words = [
        str(environment / "bin" / "python"),
        str(ROOT / "scripts" / "licences.py"),
        "--extras",
        "all",
        "timm",
        "docs",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    (WRITTEN / "licences.txt").write_text(done.stdout)
    print(f"licences: {done.stdout.splitlines()[-1] if done.stdout else done.stderr}")
    return done.returncode == 0


def materials(environment: Path) -> None:
    """Write build/sbom.json, CycloneDX, checked against its schema by the tool that writes it."""
    target = WRITTEN / "sbom.json"
    words = [str(Path(sys.executable).with_name("cyclonedx-py")), "environment", str(environment), "--validate"]
    words += ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--output-file", str(target)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"no bill of materials: {done.stderr}")
    told = json.loads(target.read_text())
    count = len(told["components"])
    print(f"bill of materials: {target.relative_to(ROOT)}, CycloneDX {told['specVersion']}, {count} components")


def safe(name: str) -> bool:
    """Whether a locked file names no package with a known vulnerability, as far as the index has data."""
    words = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    words += ["--desc=off", "--format=json", "--requirement", str(ROOT / "requirements" / name)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        why = done.stderr.strip().splitlines()[-1:]
        print(f"vulnerabilities of {name}: NOT KNOWN, the data cannot be reached {why}")
        return True
    bad, judged, left = known(packages)
    if not judged:
        print(f"vulnerabilities of {name}: NOT KNOWN, the index tells nothing about any of {left} packages")
        return True
    print(
        f"vulnerabilities of {name}: {len(bad)} known among {judged} packages"
        + (f"; NOT KNOWN of {left}" if left else "")
    )
    print("".join(f"  {line}\n" for line in bad), end="")
    return not bad


def known(packages: Sequence[dict[str, object]]) -> tuple[list[str], int, int]:
    """Vulnerable packages in words, how many were judged, and of how many the index told nothing."""
    judged = [one for one in packages if "skip_reason" not in one]
    bad = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no release'}"
        for one in judged
        for flaw in one["vulns"]  # type: ignore[attr-defined]
    ]
    return bad, len(judged), len(packages) - len(judged)


def main(words: Sequence[str]) -> int:
    """Ask all three."""
    if len(words) != 1:
        raise SystemExit(__doc__)
    WRITTEN.mkdir(exist_ok=True)
    environment = Path(words[0]).absolute()
    allowed = licences(environment)
    materials(environment)
    return 0 if all([allowed, *(safe(name) for name in LOCKS)]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
