"""What pfungst stands on may be used by everybody."""

import runpy
import tomllib
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
LICENCES = runpy.run_path(str(ROOT / "scripts" / "licences.py"))


def package(**fields):
    about = EmailMessage()
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            about[name.replace("_", "-")] = one
    return SimpleNamespace(metadata=about, version="1.0")


def test_every_dependency_that_is_installed_is_permissive_or_excepted_with_a_reason():
    found, _ = LICENCES["reached"](tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])
    assert {"numpy", "scipy", "onnxruntime", "protobuf"} <= set(found)  # the last is onnxruntime's
    assert list(LICENCES["faults"](found)) == []
    assert all(len(why) > 20 for _, why in LICENCES["EXCEPTIONS"].values())


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"License_Expression": "apache-2.0 or mit"}, "Apache-2.0 OR MIT"),
        ({"Classifier": "License :: OSI Approved :: BSD License", "License": "Some long text"}, "BSD-3-Clause"),
        ({"License": "Apache License, Version 2.0"}, "Apache-2.0"),
        ({"License": "see the file"}, ""),
        ({"Classifier": ["License :: OSI Approved :: MIT License", "License :: Other/Proprietary License"]}, ""),
        ({}, ""),
    ],
)
def test_what_a_package_declares_is_read_or_left_unknown(told, says):
    assert LICENCES["declared"](package(**told)) == says


@pytest.mark.parametrize(
    ("expression", "free"),
    [
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", True), ("Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("MIT AND GPL-3.0-only", False), ("LGPL-2.1-only", False), ("(MIT OR AGPL-3.0-only) AND MPL-2.0", False),
        ("", False),
    ],
)  # fmt: skip
def test_all_that_and_joins_and_one_that_or_joins_must_be_accepted(expression, free):
    assert LICENCES["permissive"](expression) is free


def test_an_exception_holds_for_the_licence_it_was_made_for_alone():
    faults = LICENCES["faults"]
    assert list(faults({"certifi": package(License="MPL-2.0")})) == []
    said = list(faults({"certifi": package(License="GPL-3.0-only"), "huge": package()}))
    assert said[0].startswith("certifi 1.0 declares GPL-3.0-only, which is not accepted")
    assert said[1].startswith("huge 1.0 declares no licence that is known here")
