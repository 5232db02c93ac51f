"""The plugin for pytest: a fixture that audits a model and fails the test with what was found.

pytest imports this file when it starts, so it imports nothing but pytest and the empty front of the package.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest

import pfungst


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where audits are kept, and which task file and gate hold where a test names none."""
    group = parser.getgroup("pfungst", "audits of trained networks")
    group.addoption("--pfungst-out", metavar="DIR", help="keep audits and their pages here (default: pytest's cache)")
    parser.addini("pfungst_task", "task file of audits that name none", default="")
    parser.addini("pfungst_fail_at", "severity that fails a test that names none", default="")
    parser.addini("pfungst_baseline", "earlier audit that audits are held against that name none", default="")


class Auditor:
    """Audits and fails: ``pfungst_audit(model, data, task=..., fail_at="high", baseline=..., **options)``.

    ``fail_at`` is a severity, or ``never`` to look at the findings oneself. Answers are kept from one session to the
    next: a model that did not change is asked nothing.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.config, self.folder = config, folder

    def __call__(self, model: Any, data: Any = None, *, fail_at: str = "", **options: Any) -> "pfungst.Audit":
        """The audit, where nothing at or above ``fail_at`` fails the gate."""
        for name in ("task", "baseline"):
            if options.get(name) is None:
                options[name] = self._named(name)
        at = fail_at or self.config.getini("pfungst_fail_at") or None
        spelled = "|".join(_word(part) for part in (model, data, *sorted(options.items())))
        key = hashlib.blake2b(spelled.encode("utf-8", "replace"), digest_size=6).hexdigest()
        out = self.folder / f"{_stem(model)}-{key}"
        refused = ""
        try:
            held = pfungst.testing.audited(model, data, out=out, fail_at="critical" if at == "never" else at, **options)
            refused = "" if at == "never" else held.message
        except pfungst.InputError as error:
            refused = f"pfungst: {error}"
        if refused:
            pytest.fail(refused, pytrace=False)
        audit: pfungst.Audit = held.audit
        return audit

    def _named(self, name: str) -> Path | None:
        """A file that the project's settings name, from the folder of these settings on."""
        said = self.config.getini(f"pfungst_{name}")
        return (self.config.inipath or self.config.rootpath / "pytest.ini").parent / said if said else None


@pytest.fixture(scope="session")
def pfungst_audit(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """Audit a model on data; the test fails with the claims where the gate does."""
    asked, cache = pytestconfig.getoption("--pfungst-out"), getattr(pytestconfig, "cache", None)
    if asked:
        folder = pytestconfig.invocation_params.dir / asked
    else:
        folder = tmp_path_factory.mktemp("pfungst") if cache is None else cache.mkdir("pfungst")
    # Processes of pytest-xdist write at the same time: each has a folder of its own.
    worker = getattr(pytestconfig, "workerinput", {}).get("workerid", "")
    return Auditor(pytestconfig, folder / worker if worker else folder)


def _word(part: Any) -> str:
    """A name under which the same call finds its folder again; of objects, their kind."""
    if isinstance(part, tuple | list):
        return f"({','.join(_word(one) for one in part)})"
    if isinstance(part, dict):
        return _word(sorted(part.items()))
    return (
        repr(part)
        if isinstance(part, str | int | float | None)
        else str(part)
        if isinstance(part, Path)
        else _kind(part)
    )


def _kind(part: Any) -> str:
    kind = type(part)
    return f"{kind.__module__}.{getattr(part, '__qualname__', kind.__qualname__)}"


def _stem(model: Any) -> str:
    words = Path(model).name if isinstance(model, str | Path) else _kind(model).rpartition(".")[2]
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in words)[:40].strip("-")
