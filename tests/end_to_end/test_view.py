"""`pfungst view` as a person meets it: started, opened in a browser, filtered, stepped through, ended."""

import json
import re
import runpy
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason="no view: duckdb is not installed")
pytest.importorskip("uvicorn", reason="no view: uvicorn is not installed")
pytest.importorskip("starlette", reason="no view: starlette is not installed")

VIEWED = runpy.run_path(str(Path(__file__).with_name("viewed_run.py")))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CONFUSED = "label = wolf and answer = husky and site = B order by confidence"
MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 320, "height": 700}},
    "no script": {"java_script_enabled": False},
}


def started(*runs):
    words = [sys.executable, "-m", "pfungst.cli", "view", *map(str, runs)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), process.stderr.read()
    return process, address


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return VIEWED["write"](tmp_path_factory.mktemp("runs, grün"))


@pytest.fixture(scope="module")
def address(files):
    process, address = started(files["a"], files["b"])
    yield address
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert said == "", "Ctrl-C ends it, and nothing went wrong meanwhile"


def test_the_address_is_on_this_machine_with_a_long_token(address):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{24}/", address)
    with urllib.request.urlopen(address + "rows.json?where=wrong") as answer:
        assert answer.headers["server"] is None
        page = json.load(answer)
    assert 0 < page["count"] < page["rows_in_all"] == VIEWED["ROWS"]
    bare = address.rsplit("/", 2)[0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(bare + "/rows.json")
    assert refused.value.code == 403
    refused.value.close()


def test_rows_json_is_what_the_recorded_answers_say(address, files):
    import numpy as np

    query = urllib.parse.urlencode({"where": CONFUSED})
    with urllib.request.urlopen(f"{address}rows.json?{query}") as answer:
        page = json.load(answer)
    held = np.load(files["a"].parent / "a.npz")
    chances = np.exp(held["logits"]) / np.exp(held["logits"]).sum(axis=1, keepdims=True)
    with (files["data"] / "metadata.csv").open(encoding="utf-8") as file:
        import csv

        lines = list(csv.DictReader(file))
    expected = [
        row for row, line in enumerate(lines)
        if line["label"] == "wolf" and held["classes"][chances[row].argmax()] == "husky" and line["site"] == "B"
    ]  # fmt: skip
    assert [row["row"] for row in page["rows"]] == sorted(expected, key=lambda row: chances[row].max())
    assert [row["id"] for row in page["rows"]] == [lines[row["row"]]["file_name"] for row in page["rows"]]
    assert [row["confidence"] for row in page["rows"]] == sorted(row["confidence"] for row in page["rows"])


def test_when_data_is_gone_the_page_says_so_and_shows_the_thumbnail(files):
    testclient = pytest.importorskip("starlette.testclient")
    from pfungst.viewing.server import application
    from pfungst.viewing.view import View

    moved = files["data"].with_name("moved")
    report = json.loads((files["a"] / "audit.json").read_text())
    shown = next(
        shot for finding in report["findings"] for piece in finding["evidence"] if piece["type"] == "examples"
        for item in piece["items"] for shot in item if shot["picture"] and not shot["shown"] and not shot.get("heat")
    )  # fmt: skip
    files["data"].rename(moved)
    try:
        headers = {"host": "127.0.0.1:80"}
        client = testclient.TestClient(application(View([files["a"]]), "token", 80), headers=headers)
        page = client.get(f"/token/row/{shown['position']}").text
        assert "DATA is not where the audit read it" in page
        assert f"/token/thumbnail/{shown['position']}" in page
        picture = client.get(f"/token/thumbnail/{shown['position']}")
        assert picture.content[8:12] == b"WEBP"
        assert client.get(f"/token/original/{shown['position']}").status_code == 404
        first = next(line for line in (moved / "metadata.csv").read_text(encoding="utf-8").splitlines()[1:])
        (files["data"] / "img").mkdir(parents=True)
        (files["data"] / "metadata.csv").write_text(f"file_name,label\n{first.split(',')[0]},wolf\n", encoding="utf-8")
        changed = testclient.TestClient(application(View([files["a"]]), "token", 80), headers=headers)
        assert "DATA cannot be read any more" in changed.get("/token/row/0").text
    finally:
        shutil.rmtree(files["data"], ignore_errors=True)
        moved.rename(files["data"])


def test_a_picture_is_sent_as_it_stands_in_the_data(address, files):
    import io

    import numpy as np
    from PIL import Image

    with urllib.request.urlopen(f"{address}original/5") as answer:
        assert answer.headers["content-type"] == "image/png"
        sent = np.asarray(Image.open(io.BytesIO(answer.read())))
    stored = np.asarray(Image.open(next((files["data"] / "img").glob("005 *"))))
    assert (sent == stored).all()


def test_texts_and_tables_are_shown_as_they_stand(tmp_path):
    testclient = pytest.importorskip("starlette.testclient")
    import csv

    import numpy as np

    import pfungst
    from pfungst.viewing.server import application
    from pfungst.viewing.view import View

    texts = [f"a {'good' if row % 2 else 'bad'} <i>film</i>, number {row}" for row in range(40)]
    for name, columns in (("texts", ["text", "label"]), ("table", ["size", "colour", "label"])):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(columns)
            for row, text in enumerate(texts):
                lines.writerow([text, row % 2] if name == "texts" else [row / 8, (7 * row) % 5, row % 2])

    def by_word(some):
        found = np.array(["good" in text for text in some], float)
        return np.stack([1 - found, found], axis=1)

    def by_number(some):
        return np.stack([some[:, 0] - 2, 2 - some[:, 0]], axis=1)

    pages = {}
    for name, model in (("texts", by_word), ("table", by_number)):
        pfungst.audit(model, str(tmp_path / f"{name}.csv"), out=tmp_path / name, only=("calibration",))
        view = application(View([tmp_path / name]), "token", 80)
        pages[name] = testclient.TestClient(view, headers={"host": "127.0.0.1:80"})
    rows = pages["texts"].get("/token/rows.json").json()["rows"]
    assert [row["text"] for row in rows] == texts
    assert "a good &lt;i&gt;film&lt;/i&gt;, number 3" in pages["texts"].get("/token/rows").text
    assert "a good &lt;i&gt;film&lt;/i&gt;, number 3" in pages["texts"].get("/token/row/3").text
    found = pages["table"].get("/token/rows.json", params={"where": "size > 4.5 order by size desc"}).json()
    assert [row["row"] for row in found["rows"]] == [39, 38, 37]
    assert "4.875" in pages["table"].get("/token/row/39").text


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="no browser test: playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no browser test: there is no chromium on the path")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, address):
    """Opens a page of the view in a mode; whatever it logs, or requests elsewhere, fails the test."""
    said, asked, contexts = [], [], []

    def open_(path="", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []


def follow(page, link):
    """Clicks, and goes on when the page behind it has loaded: a slow machine shows the old one until then."""
    with page.expect_navigation():
        link.click()


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_is_typed_a_row_is_opened_and_the_next_one_follows(opened, mode):
    page = opened("rows", **MODES[mode])
    field = page.get_by_label("Rows where")
    field.fill(CONFUSED)
    follow(page, page.get_by_role("button", name="Show"))
    shown = page.locator("a.row")
    names = shown.all_inner_texts()
    assert names
    assert page.get_by_label("Rows where").input_value() == CONFUSED
    picture = page.locator(".rows img").first
    page.wait_for_function("() => { const one = document.images[0]; return one.complete && one.naturalWidth }") if (
        mode != "no script"
    ) else picture.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    follow(page, shown.first)
    assert names[0] in page.locator("h1").inner_text()
    assert "wolf" in page.locator(".told").inner_text()
    page.locator(".original img").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if len(names) > 1:
        follow(page, page.get_by_role("link", name="next →"))
        assert names[1] in page.locator("h1").inner_text()


def test_keys_step_through_rows_and_reach_the_filter(opened):
    page = opened("rows?where=wrong")
    names = page.locator("a.row").all_inner_texts()
    for key, at in (("j", 0), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.innerText") == names[at]
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert names[0] in page.locator("h1").inner_text()
    with page.expect_navigation():
        page.keyboard.press("j")
    assert names[1] in page.locator("h1").inner_text()
    with page.expect_navigation(url="**/rows**"):
        page.keyboard.press("/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "filter"


def test_a_count_narrows_the_filter_and_shows_that_many_rows(opened):
    page = opened("rows?where=wrong")
    link = page.locator(".facets section").nth(1).locator("li").first
    site, many = link.locator("a").inner_text(), link.locator(".small").inner_text()
    follow(page, link.locator("a"))
    assert page.get_by_label("Rows where").input_value() == f"wrong and site = {site}"
    assert page.locator("h1").inner_text() == f"{many} of {VIEWED['ROWS']} rows"
    assert page.locator("a.row").count() == int(many)


def test_a_heading_sorts_and_pages_go_on(opened):
    page = opened("rows")
    follow(page, page.get_by_role("link", name="confidence").first)
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("confidence")
    lowest = float(page.locator("td.number").first.inner_text())
    follow(page, page.get_by_role("link", name="last"))
    assert page.locator("a.row").count() == VIEWED["ROWS"] % 100
    assert float(page.locator("td.number").first.inner_text()) > lowest


def test_two_runs_stand_side_by_side(opened):
    page = opened()
    assert "What is new from A to B?" in page.locator("h1").inner_text()
    follow(page, page.get_by_role("link", name="Answers that differ"))
    line = page.locator(".rows tbody tr").first
    cells = line.locator("td").all_inner_texts()
    assert cells[2].removesuffix(" ✗") != cells[4].removesuffix(" ✗")
    follow(page, line.locator("a.row"))
    told = page.locator(".told").inner_text()
    assert "A says" in told
    assert "B says" in told


def test_pictures_of_the_report_lead_to_their_rows(opened):
    page = opened("a")
    link = page.locator(".gallery a").first
    link.scroll_into_view_if_needed()
    follow(page, link)
    assert page.locator("#findings article").count() >= 1
    follow(page, page.locator("#findings article a").first)
    assert page.locator(":target").count() == 1 or "#" in page.url


@pytest.mark.parametrize("path", ["rows", "rows?where=lable", "row/7"])
def test_headings_names_and_colours_are_for_everybody(browser, address, path):
    page = browser.new_context().new_page()
    page.goto(address + path)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(one => +one.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("[style]").count() == 0
    assert page.locator("input:not([type=hidden]), select").evaluate_all("all => all.every(one => one.labels.length)")
    assert page.locator("img:not([alt])").count() == 0
    page.context.close()
