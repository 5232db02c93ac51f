"""A view answers one browser on this machine, reads only, and takes nothing that it is told for code."""

import runpy
import socket
from pathlib import Path

import pyarrow as pa
import pytest

pytest.importorskip("duckdb", reason="no view: duckdb is not installed")
pytest.importorskip("uvicorn", reason="no view: uvicorn is not installed")
testclient = pytest.importorskip("starlette.testclient", reason="no view: starlette is not installed")

from pfungst.cli import main  # noqa: E402 - after what may skip it
from pfungst.errors import InputError  # noqa: E402
from pfungst.viewing.queries import Queries, TooSlow, database  # noqa: E402
from pfungst.viewing.rows import Rows  # noqa: E402
from pfungst.viewing.run import opened  # noqa: E402
from pfungst.viewing.server import application  # noqa: E402
from pfungst.viewing.view import View  # noqa: E402

VIEWED = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "viewed_run.py"))
HERE = "127.0.0.1:8077"
INJECTIONS = (
    "label = wolf; drop table rows",
    "label = 'wolf' or 1=1 --",
    "1=1 union select * from read_csv('/etc/passwd')",
    "id = '' or true",
    'site = "x\' or 1=1; --"',
    "confidence > 0) or (1=1",
    'column("site"" or 1=1 --") = A',
    "order by confidence; attach 'x.db'",
    "order by (select 1)",
    "$1 = c0",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return VIEWED["write"](tmp_path_factory.mktemp("runs [1] 100% it's"))


@pytest.fixture(scope="module")
def view(files):
    return View([files["a"], files["b"]])


@pytest.fixture(scope="module")
def client(view):
    return testclient.TestClient(
        application(view, "secret", 8077), base_url=f"http://{HERE}", headers={"host": HERE}, follow_redirects=False
    )


def test_every_page_answers_with_its_headers(client):
    for path in ("/", "/a", "/b", "/rows", "/rows.json", "/row/3", "/row/3.json", "/audit.json", "/compare.json",
                 "/original/3", "/thumbnail/3", "/no/such/page", "/rows?where=lable=1"):  # fmt: skip
        answer = client.get(f"/secret{path}")
        told = answer.headers
        assert answer.status_code in {200, 400, 404}, path
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        assert told["cache-control"] == "no-store"
        assert told["x-frame-options"] == "DENY"
        assert told["cross-origin-resource-policy"] == "same-origin"
        assert told["content-security-policy"].startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in told["content-security-policy"]
        assert "unsafe" not in told["content-security-policy"]
        assert "access-control-allow-origin" not in told


@pytest.mark.parametrize(
    "path", ["/", "/rows", "/secre/rows", "/secrets/rows", "/SECRET/rows", "/row/3", "/?token=secret", ""]
)
def test_without_the_token_nothing_is_told(client, path):
    answer = client.get(path)
    assert answer.status_code == 403
    assert "token" in answer.text
    assert "secret" not in answer.text
    assert "husky" not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8077", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8077.evil.example", ""]
)
def test_another_host_is_refused(client, host):
    assert client.get("/secret/rows", headers={"host": host}).status_code == 403


def test_localhost_is_this_host(client):
    assert client.get("/secret/rows", headers={"host": "localhost:8077"}).status_code == 200


@pytest.mark.parametrize(
    "told",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "https://127.0.0.1:8077"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_origin_is_refused(client, told):
    answer = client.get("/secret/rows.json", headers=told)
    assert answer.status_code == 403
    assert "husky" not in answer.text


def test_its_own_origin_passes(client):
    told = {"origin": f"http://{HERE}", "sec-fetch-site": "same-origin"}
    assert client.get("/secret/rows.json", headers=told).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_only_get_is_answered(client, method):
    answer = client.request(method, "/secret/rows")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "path",
    ["../../../etc/passwd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e%5c%2e%2e%5cboot.ini",
     "row/..%2f..%2faudit", "thumbnail/../../audit.json", "original/%2e%2e%2f%2e%2e%2fdata%2fmetadata.csv",
     "row/3%00.json", "/etc/passwd", "answers/", "row/-1", "row/999999999999999999999999", "original/1e3",
     "data/metadata.csv", "events.jsonl", "static/../rows.parquet"],
)  # fmt: skip
def test_no_path_leads_out_of_the_pages(client, path):
    answer = client.get(f"/secret/{path}")
    assert answer.status_code in {403, 404}
    assert "root:" not in answer.text
    assert "file_name" not in answer.text


@pytest.mark.parametrize("words", INJECTIONS)
@pytest.mark.parametrize("name", ["where", "order", "under", "on", "page"])
def test_what_is_typed_is_never_run(client, name, words):
    answer = client.get("/secret/rows.json", params={name: words})
    assert answer.status_code in {200, 400, 404}
    if answer.status_code == 200:
        assert name == "where", "a value that looks like SQL is a value that no row has"
        assert answer.json()["count"] == 0
    else:
        assert answer.json()["error"]
    assert client.get("/secret/rows.json").json()["count"] == VIEWED["ROWS"]


def test_hostile_names_are_words_on_the_page(client):
    for path in ("/rows", "/row/3", "/rows?where=wrong", "/rows?where=%3Cscript%3Ealert(1)%3C/script%3E",
                 "/rows?where=label%3D%22%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22"):  # fmt: skip
        page = client.get(f"/secret{path}").text
        assert page.count("<script") == 1
        assert "<b>'é" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;" in client.get("/secret/rows").text


def test_a_value_in_its_own_words_is_found(client):
    for where, field in (
        ('label = "<script>alert(""1"")</script>"', "label"),
        (f"column({VIEWED['ODD']!r}) is missing", ""),
    ):
        spelled = where.replace(repr(VIEWED["ODD"]), '"' + VIEWED["ODD"].replace('"', '""') + '"')
        page = client.get("/secret/rows.json", params={"where": spelled}).json()
        assert page["count"] == (0 if not field else sum(one["rows"] for one in page["facets"][1]["values"]))
        assert all(row[field] == VIEWED["CLASSES"][2] for row in page["rows"] if field)


def test_the_database_reads_and_writes_no_file(tmp_path, files):
    kept = database()
    parquet = next((files["a"] / "answers").glob("*.parquet"))
    duckdb = pytest.importorskip("duckdb")
    for statement in (
        f"select * from read_parquet('{str(parquet).replace(chr(39), chr(39) * 2)}')", "select * from '/etc/passwd'",
        "select * from read_text('/etc/passwd')", f"attach '{tmp_path}/x.db'", f"copy (select 1) to '{tmp_path}/x.csv'",
        "install httpfs", "load httpfs", "set enable_external_access = true", "set lock_configuration = false",
    ):  # fmt: skip
        with pytest.raises(duckdb.Error):
            kept.cursor().execute(statement)
    assert not list(tmp_path.iterdir())


def test_a_query_that_takes_too_long_is_stopped(files):
    queries = Queries(Rows(opened(files["a"]), "test"), patience=0.3)
    queries._database.execute("create table slow as select range from range(100000)")
    statement = "select sum(a.range * b.range % 7) from slow a, slow b"
    with pytest.raises(TooSlow, match="took longer"), queries._asked(pa.table({"c0": [1]}), (), statement) as answer:
        answer.fetchall()


def test_long_addresses_and_filters_are_refused(client):
    assert client.get("/secret/rows.json", params={"where": "x" * 9000}).status_code == 414
    answer = client.get("/secret/rows.json", params={"where": "(" * 2500})
    assert answer.status_code == 400
    assert "at most" in answer.json()["error"]


def test_viewing_changes_nothing_in_the_folders(files, client):
    before = {path: path.stat().st_mtime_ns for name in ("a", "b", "data") for path in files[name].rglob("*")}
    for path in ("/rows?where=wrong", "/row/3", "/original/3", "/thumbnail/3", "/"):
        assert client.get(f"/secret{path}").status_code == 200
    assert {path: path.stat().st_mtime_ns for name in ("a", "b", "data") for path in files[name].rglob("*")} == before


def test_what_cannot_be_viewed_is_one_sentence_and_exit_2(files, tmp_path, capsys):
    broken = tmp_path / "broken"
    (broken / "answers").mkdir(parents=True)
    (broken / "audit.json").write_bytes((files["a"] / "audit.json").read_bytes())
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "audit.json").write_text('{"schema": "pfungst/audit/1"')
    damaged = tmp_path / "damaged"
    (damaged / "answers").mkdir(parents=True)
    (damaged / "audit.json").write_bytes((files["a"] / "audit.json").read_bytes())
    for file in (files["a"] / "answers").glob("*.parquet"):
        (damaged / "answers" / file.name).write_bytes(file.read_bytes()[:200])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for words, said in (
            ([str(tmp_path / "nowhere")], "there is no audit"), ([str(broken)], "keeps no answers"),
            ([str(tmp_path / "cut")], "no complete JSON"), ([str(damaged)], "holds no answers that can be read"),
            ([str(files["a"]), "--port", port], "cannot be used"),
            ([str(files["a"]), "--port", "70000"], "--port is 70000"),
            ([str(files["a"])] * 3, "3 runs were given"),
        ):  # fmt: skip
            assert main(["view", *words]) == 2
            out, err = capsys.readouterr()
            assert out == ""
            assert err.count("\n") == 1
            assert said in err, (words, err)


def test_runs_without_shared_rows_are_refused(files, tmp_path):
    import numpy as np

    import pfungst

    np.savez(tmp_path / "x.npz", logits=np.eye(3)[np.arange(30) % 3], labels=np.arange(30) % 3, ids=np.arange(30) + 900)
    pfungst.audit(str(tmp_path / "x.npz"), out=tmp_path / "x", only=("calibration",))
    with pytest.raises(InputError, match="share no rows"):
        View([files["a"], tmp_path / "x"])


def test_a_run_of_an_older_version_opens_and_says_what_it_lacks(files, tmp_path):
    import shutil

    old = tmp_path / "old"
    shutil.copytree(files["a"], old)
    (old / "rows.parquet").unlink()
    client = testclient.TestClient(application(View([old]), "secret", 8077), headers={"host": HERE})
    assert "older version and kept no metadata" in client.get("/secret/rows").text
    assert client.get("/secret/rows.json", params={"where": "wrong"}).json()["count"] > 0
    assert "did not note how its rows were read" in client.get("/secret/row/3").text


def test_missing_packages_are_named(monkeypatch, files):
    import sys

    for package in ("duckdb", "starlette.applications", "uvicorn"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, package, None)
            assert main(["view", str(files["a"])]) == 2
