"""The command line as a person and a script meet it."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pfungst.cli import main
from pfungst.demo import demo_files
from pfungst.report.numbers import plainly


@pytest.fixture(scope="module")
def files():
    return demo_files()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The demo, audited once from the command line: folder and exit code."""
    out = tmp_path_factory.mktemp("cli") / "run"
    return out, main(["demo", "--out", str(out), "--format", "junit,markdown"])


def said(capsys):
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_help_names_every_command_and_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pfungst.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert all(command in done.stdout for command in ("audit", "demo", "show", "doctor", "probes", "schema"))
    imported = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"numpy", "scipy", "pyarrow", "cv2", "sklearn", "rich", "msgspec", "onnxruntime"}


def test_demo_catches_the_horse(run):
    out, code = run
    assert code == 1
    report = json.loads((out / "audit.json").read_text())
    cues = [
        f for f in report["findings"] if f["probe"] == "shortcuts" and f["kind"] == "cue" and f["status"] == "found"
    ]
    assert [f["subject"] for f in cues] == ["region:bottom-right"]
    assert cues[0]["severity"] == "critical"
    assert report["verdict"]["generalizes"] == "no"
    assert not [entry for entry in report["skipped"] if entry["reason"].startswith("the probe broke")]
    conditions = {c["condition"]: c["accuracy"]["value"] for c in report["headline"]}
    assert next(iter(conditions)) == "as tested"
    swapped = next(value for name, value in conditions.items() if "bottom-right" in name)
    assert swapped < conditions["as tested"] - 0.3
    for name in ("report.html", "thumbnails.zip", "events.jsonl", "junit.xml", "summary.md"):
        assert (out / name).stat().st_size > 0
    assert list((out / "answers").glob("*.parquet"))


def test_clean_twin_comes_out_clean(tmp_path):
    code = main(["demo", "--clean", "--out", str(tmp_path / "twin")])
    report = json.loads((tmp_path / "twin" / "audit.json").read_text())
    assert code == 0
    found = [f for f in report["findings"] if f["status"] == "found"]
    assert not [f for f in found if f["probe"] == "shortcuts" and f["kind"] == "cue"]
    assert not [f for f in found if f["severity"] in {"critical", "high"}]
    assert report["verdict"]["generalizes"] != "no"


def test_show_prints_what_was_found_without_asking_again(run, capsys):
    out, _ = run
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert main(["show", str(out)]) == 0
    printed, _ = said(capsys)
    assert "does not generalize" in printed
    assert "bottom-right" in printed
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_dry_run_writes_nothing(files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["audit", str(files.model), str(files.data), "--dry-run"]) == 0
    printed, _ = said(capsys)
    assert "rows shown to the model" in printed
    assert main(["remedy", "temperature", str(files.model), str(files.data), "--dry-run"]) == 0
    printed, _ = said(capsys)
    assert "asked twice, before and after the remedy" in printed
    assert "calibration" in printed
    assert "shortcuts" not in printed
    assert main(["remedy", "temprature", str(files.model), str(files.data), "--dry-run"]) == 2
    assert not list(tmp_path.iterdir())


def test_fail_at_accept_and_strict_decide_the_exit_code(files, tmp_path):
    common = ["audit", str(files.model), str(files.data), "--out", str(tmp_path / "run"), "--only", "calibration"]
    assert main([*common, "--fail-at", "critical"]) == 0
    assert main([*common, "--strict"]) == 3
    task = tmp_path / "task.toml"
    task.write_text('[gate]\nfail_at = "low"\naccept = ["unknowns.confident:letters"]\n')
    letters = ["--ood", f"letters={files.strangers['letters']}"]
    unknowns = [
        "audit",
        str(files.model),
        str(files.data),
        "--out",
        str(tmp_path / "run"),
        "--only",
        "unknowns",
        *letters,
    ]
    assert main(unknowns) == 1
    assert main([*unknowns, "--task", str(task), "--fail-at", "high"]) == 0


@pytest.mark.parametrize(
    "arguments_and_word",
    [
        (["audit", "nowhere.onnx", "data"], "nowhere.onnx"),
        (["audit", "{model}", "nowhere"], "nowhere"),
        (["audit", "{model}", "{data}", "--only", "callibration"], "callibration"),
        (["audit", "{model}", "{data}", "--ood", "letters"], "NAME=DATA"),
        (["audit", "{model}", "{data}", "--budget", "soon"], "soon"),
        (["audit", "{model}", "{data}", "--workers", "0"], "workers"),
        (["audit", "{model}", "{data}", "--executor", "cloud"], "cloud"),
        (["audit", "{model}", "{data}", "--format", "pdf"], "pdf"),
        (["audit", "{model}", "{data}", "--task", "nowhere.toml"], "nowhere.toml"),
        (["show", "nowhere"], "nowhere"),
        (["doctor", "{model}", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_2(files, tmp_path, monkeypatch, capsys, arguments_and_word):
    arguments, sentence = arguments_and_word
    monkeypatch.chdir(tmp_path)
    spelled = [word.format(model=files.model, data=files.data) for word in arguments]
    assert main(spelled) == 2
    out, err = said(capsys)
    assert out == ""
    assert err.count("\n") == 1
    assert sentence in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("audit", "MODEL must be given; see pfungst audit --help"),
        ("", "COMMAND must be given; see pfungst --help"),
        ("audit m d --rows x", "--rows is 'x', which is no whole number; see pfungst audit --help"),
        ("audit m d --cpus x", "--cpus is 'x', which is no number; see pfungst audit --help"),
        ("audit m d --rows", "--rows is given without a value; see pfungst audit --help"),
        ("audit m d --fail-at none", "--fail-at is 'none'; there are low, medium, high, critical; see pfungst audit"),
        ("audit m d --fail-at hihg", "--fail-at is 'hihg'; the nearest is high; see pfungst audit --help"),
        ("audit m d --rosw 3", "there is no option --rosw; the nearest is --rows; see pfungst audit --help"),
        ("audit m d --frobnicate", "there is no option --frobnicate; see pfungst audit --help"),
        ("audit m d e", "'e' is one word too many; see pfungst audit --help"),
        ("adit m d", "there is no command 'adit'; the nearest is audit; see pfungst --help"),
        ("monitor log.csv", "--reference must be given; see pfungst monitor --help"),
        ("audit m d --batch-size q", "--batch-size: 'q' is no number of rows; give a whole number or auto; see"),
    ],
)
def test_usage_error_is_one_sentence_and_exit_2(words, sentence, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words.split())
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"pfungst: {sentence}")
    assert err.count("\n") == 1


def test_budget_cuts_rows_and_says_so(files, tmp_path):
    out = tmp_path / "quick"
    main(
        [
            "audit",
            str(files.model),
            str(files.data),
            "--out",
            str(out),
            "--only",
            "shift,calibration",
            "--budget",
            "0.5s",
        ]
    )
    report = json.loads((out / "audit.json").read_text())
    cut = [entry["probe"] for entry in report["skipped"] if "0.5 s" in entry["reason"]]
    assert cut[-1] == "budget"
    assert report["settings"]["rows"] < 899
    assert report["complete"]


def test_rows_limits_every_pass_to_a_seeded_sample(files, tmp_path):
    out = tmp_path / "few"
    main(["audit", str(files.model), str(files.data), "--out", str(out), "--only", "calibration", "--rows", "200"])
    report = json.loads((out / "audit.json").read_text())
    assert {record["rows"] for record in report["passes"]} == {200}
    assert report["headline"][0]["accuracy"]["rows"] == 200


def test_redacted_report_names_no_file(files, tmp_path):
    secret = tmp_path / "ward-7-patients.npz"
    with np.load(files.data) as arrays:
        np.savez(secret, **arrays)
    out = tmp_path / "run"
    hidden = ["--redact-paths", "--no-images", "--only", "mistakes"]
    main(["audit", str(files.model), str(secret), "--out", str(out), *hidden])
    for name in ("audit.json", "report.html"):
        text = (out / name).read_text()
        assert "ward-7" not in text
        assert "data:image/webp" not in text


def test_probes_and_schema_are_printed(capsys):
    assert main(["probes"]) == 0
    assert "shortcuts" in said(capsys)[0]
    assert main(["schema"]) == 0
    assert json.loads(said(capsys)[0])["$id"] == "pfungst/audit/1"


def test_demo_report_opens_in_a_browser_with_verdict_findings_and_pictures(run):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    out, _ = run
    report = json.loads((out / "audit.json").read_text())
    noise, asked = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((out / "report.html").resolve().as_uri())
        text = page.inner_text("body")
        shown = page.locator("img").evaluate_all("all => all.filter(one => one.checkVisibility()).length")
        elements = page.locator("*").count()
        browser.close()
    bare = re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]+", "", (out / "report.html").read_text(encoding="utf-8"))
    assert len(bare.encode()) <= 300_000
    assert (out / "report.html").stat().st_size <= 5_000_000
    assert elements <= 15_000
    assert noise == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert report["verdict"]["sentence"] in text
    found = [finding for finding in report["findings"] if finding["status"] == "found"]
    assert found
    assert all(finding["claim"] in text for finding in found)
    assert all(plainly(condition["condition"]) in text for condition in report["headline"])
    assert shown >= 24
    assert not [entry for entry in report["skipped"] if entry["reason"].startswith("the probe broke")]
