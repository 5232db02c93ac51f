"""Which licences the dependencies declare, and whether each is permissive: python scripts/licences.py.

Walks from pyproject.toml (base and every extra) through the metadata of what is installed in the environment that
runs this, and ends with 1 where a licence is unknown or not accepted. What is not installed is named; where
``--extras`` says which extras are meant it is a failure too. It judges what packages say of themselves, not the
libraries that a wheel carries along.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ACCEPTED = frozenset({
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Unlicense", "Zlib",
})  # fmt: skip
# How packages without an SPDX expression spell their licence; compared in lower case, without "license".
SPELLED = {
    "3-clause bsd": "BSD-3-Clause", "apache": "Apache-2.0", "apache 2.0": "Apache-2.0", "apache software": "Apache-2.0",
    "apache, version 2.0": "Apache-2.0", "bsd": "BSD-3-Clause", "isc": "ISC", "isc (iscl)": "ISC", "mit": "MIT",
    "mozilla public 2.0 (mpl 2.0)": "MPL-2.0", "python software foundation": "PSF-2.0",
}  # fmt: skip
# Packages that are let in all the same: what they declare, and why that does no harm.
EXCEPTIONS: dict[str, tuple[str, str]] = {
    "axe-playwright-python": ("", "its licence file is the MIT licence; tests alone use it"),
    "certifi": ("MPL-2.0", "copyleft for its own files alone, a list of certificates; used as it is, never shipped"),
    "hypothesis": ("MPL-2.0", "copyleft for its own files alone; tests alone use it"),
    "huey": ("", "its licence file is the MIT licence; mlflow wants it"),
    "pathspec": ("MPL-2.0", "copyleft for its own files alone; mypy, mkdocs and hatchling want it, never shipped"),
    "skops": ("", "its licence file is the MIT licence"),
    "tqdm": ("MPL-2.0 AND MIT", "copyleft for its own files alone; the Hugging Face libraries want it, never shipped"),
}


def reached(project: Mapping[str, Any], names: Sequence[str] = ()) -> tuple[dict[str, Distribution], set[str]]:
    """The installed packages that a project and its extras (those named, or all) want, and which are missing."""
    extras = {canonicalize_name(name): lines for name, lines in project["optional-dependencies"].items()}
    asked = [*project["dependencies"], *(line for name in names or extras for line in extras[name])]
    left = [(Requirement(line), "") for line in asked]
    found: dict[str, Distribution] = {}
    missing: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while left:
        one, wanted = left.pop()
        name = canonicalize_name(one.name)
        if one.marker and not one.marker.evaluate({"extra": wanted}):
            continue
        if name == project["name"]:
            left += [(Requirement(line), "") for extra in one.extras for line in extras[canonicalize_name(extra)]]
            continue
        try:
            found.setdefault(name, distribution(name))
        except PackageNotFoundError:
            missing.add(name)
            continue
        for extra in {"", *one.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                left += [(Requirement(line), extra) for line in found[name].requires or ()]
    return found, missing


def declared(package: Distribution) -> str:
    """The SPDX expression of what a package says its licence is; empty where it says nothing one can be sure of."""
    about = package.metadata
    if about["License-Expression"]:
        return canonicalize_license_expression(about["License-Expression"])
    said = {one.split(" :: ")[-1] for one in about.get_all("Classifier") or [] if one.startswith("License :: ")}
    spelled = {_spelled(one) for one in said - {"OSI Approved"}}
    if "" in spelled:
        return ""
    # Whether all of them hold or any is not said: all of them is the safe reading.
    return (
        canonicalize_license_expression(" AND ".join(sorted(spelled))) if spelled else _spelled(about["License"] or "")
    )


def _spelled(text: str) -> str:
    plain = " ".join(re.sub(r"\blicen[sc]e\b", "", text.lower()).replace(" ,", ",").split())
    if plain in SPELLED:
        return SPELLED[plain]
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return ""


def permissive(expression: str) -> bool:
    """Whether an SPDX expression can be met with accepted licences alone: all that AND joins, one that OR joins.

    >>> permissive("MIT AND (GPL-3.0-only OR Apache-2.0)"), permissive("MIT AND GPL-3.0-only"), permissive("")
    (True, False, False)
    """
    words = re.findall(r"\(|\)|[^\s()]+(?: WITH [^\s()]+)?", expression)

    def either() -> bool:
        values = [both()]
        while words and words[0] == "OR":
            words.pop(0)
            values.append(both())
        return any(values)

    def both() -> bool:
        values = [single()]
        while words and words[0] == "AND":
            words.pop(0)
            values.append(single())
        return all(values)

    def single() -> bool:
        word = words.pop(0)
        if word != "(":
            return word in ACCEPTED
        value = either()
        words.pop(0)
        return value

    return bool(words) and either()


def faults(found: Mapping[str, Distribution]) -> Iterator[str]:
    """One sentence for each package whose licence is unknown or not permissive and no exception holds it."""
    for name, package in sorted(found.items()):
        says = declared(package)
        if permissive(says) or EXCEPTIONS.get(name, (None, ""))[0] == says:
            continue
        told = f"declares {says}, which is not accepted" if says else "declares no licence that is known here"
        yield f"{name} {package.version} {told}; replace it, or add it to scripts/licences.py with the reason"


def main(words: Sequence[str]) -> int:
    """Print every package with its licence, then the faults; 1 where there are any."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--extras", nargs="*", default=(), help="these extras alone, which must be installed")
    asked = reader.parse_args(words)
    found, missing = reached(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"], asked.extras)
    for name, package in sorted(found.items()):
        why = EXCEPTIONS.get(name, ("", ""))[1]
        print(f"{name:40} {package.version:18} {declared(package) or 'not declared'}{f'  ({why})' if why else ''}")
    wrong = list(faults(found))
    if missing:
        print(f"not installed, not judged: {', '.join(sorted(missing))}")
        wrong += [f"{name} is not installed" for name in sorted(missing)] if asked.extras else []
    print("\n".join(wrong) if wrong else f"{len(found)} packages, every licence accepted")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
