"""The page on costs is that of the results, results are ratios of equal work with versions, and peers are pinned."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "results.json").read_text("utf-8"))
MEASURED = [row for row in RESULTS["rows"] if not row["refusal"]]


def script():
    spec = importlib.util.spec_from_file_location("benchmark_page", ROOT / "scripts" / "benchmark_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_results():
    assert script().PAGE.read_text("utf-8") == script().page(RESULTS), "run scripts/benchmark_page.py"


def test_every_row_names_its_peer_and_is_a_ratio_of_pairs_or_says_why_there_is_none():
    for row in RESULTS["rows"]:
        assert row["version"], row["task"]
        assert row["licence"], row["peer"]
        assert row["refusal"] or row["ratio"] > 0, row["task"]
        assert row["refusal"] or row["check"], f"{row['task']}: the answers were not compared"
        if row["low"] is not None:
            assert row["low"] <= row["ratio"] <= row["high"]
            assert row["pairs"] >= 3


def test_where_it_is_slower_at_equal_work_the_page_says_so():
    late = [row for row in MEASURED if row["equal"] and row["high"] is not None and row["high"] < 1]
    text = script().page(RESULTS)
    assert f"in {len(late)}:" in text
    for row in late:
        assert f"- {row['task']} beside {row['peer']}, {1 / row['ratio']:.2f} times as long" in text
        assert row["why"], f"{row['task']} beside {row['peer']}: say why it is slower"


def test_a_row_that_could_not_be_measured_stands_on_the_page_with_its_sentence():
    refused = {**RESULTS["rows"][0], "ratio": None, "refusal": "ended with code 3"}
    assert "| not measured |  | ended with code 3 |" in script().page({**RESULTS, "rows": [refused]})


@pytest.mark.parametrize("name", sorted({(row["peer"], row["version"]) for row in RESULTS["rows"]}))
def test_a_peer_is_pinned_or_is_what_pfungst_rests_on(name):
    package, version = name
    places = [*(ROOT / "benchmarks").glob("peers/*.txt"), *(ROOT / "benchmarks").glob("tricks/peers/*.txt")]
    line = rf"^{re.escape(package)}=={re.escape(version)}( |$)"
    pinned = any(re.search(line, path.read_text("utf-8"), re.MULTILINE | re.IGNORECASE) for path in places)
    assert pinned or package == "scikit-learn"


ODD = """
VERSIONS = ("numpy",)
def broken(arrays):
    raise ValueError("no such thing\\nand more")
TASKS = {"broken": broken, "fine": lambda arrays: lambda: {"answer": arrays["x"] + 1}}
"""


def test_a_package_that_raises_or_is_not_there_is_said_and_the_next_order_is_obeyed(tmp_path):
    (tmp_path / "serve.py").write_text((ROOT / "benchmarks" / "peers" / "serve.py").read_text("utf-8"), "utf-8")
    (tmp_path / "odd.py").write_text(ODD, "utf-8")
    (tmp_path / "absent.py").write_text("import no_such_package\n", "utf-8")
    np.savez(tmp_path / "in.npz", x=np.arange(3))

    def said(module, *orders):
        words = [sys.executable, "-P", "serve.py", module, "."]
        lines = "".join(json.dumps(order) + "\n" for order in orders)
        done = subprocess.run(words, cwd=tmp_path, input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def order(task):
        return {"prepare": task, "given": "in.npz", "done": "out.npz", "settings": {}}

    first, broken, fine, ran = said("odd", order("broken"), order("fine"), {"run": 2})
    assert "numpy" in first["versions"]
    assert broken == {"error": "raised ValueError: no such thing"}
    assert fine == {"done": True}
    assert ran["seconds"] >= 0
    assert np.load(tmp_path / "out.npz")["answer"].tolist() == [1, 2, 3]
    assert said("absent")[0]["error"].startswith("raised ModuleNotFoundError: No module named 'no_such_package'")
