"""audit.json: read back as written, described by its schema, refused in one sentence when damaged."""

import json as plain_json
import runpy
from importlib.resources import files
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.findings import RegionMap, Report
from pfungst.report import json

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "end_to_end" / "sample_report.py"))


@pytest.fixture(scope="module")
def report() -> Report:
    return SAMPLE["sample_report"]()


def test_what_was_written_is_read_back(report: Report) -> None:
    raw = json.encode(report)
    again = json.decode(raw)
    assert again.findings == report.findings
    assert again.skipped == report.skipped
    assert again.headline == report.headline
    assert json.encode(again) == raw


def test_the_order_of_free_dictionaries_does_not_change_the_bytes(report: Report) -> None:
    turned = msgspec.structs.replace(report, model=dict(reversed(list(report.model.items()))))
    assert json.encode(turned) == json.encode(report)


def test_numpy_scalars_and_paths_are_written_as_what_they_mean(report: Report) -> None:
    told = {"rows": np.int64(3), "mean": np.array([0.5]), "where": Path("a/b")}
    again = json.decode(json.encode(msgspec.structs.replace(report, data=told)))
    assert again.data == {"rows": 3, "mean": [0.5], "where": "a/b"}


def test_the_committed_schema_is_the_current_one() -> None:
    committed = (files("pfungst.report") / "audit.schema.json").read_text(encoding="utf-8")
    current = plain_json.dumps(json.schema(), indent=2) + "\n"
    assert committed == current, "write it anew: pfungst schema > pfungst/report/audit.schema.json"


def test_the_sample_follows_the_schema_and_a_damaged_one_does_not(report: Report) -> None:
    document = plain_json.loads(json.encode(report))
    validator = jsonschema.Draft202012Validator(json.schema())
    validator.validate(document)
    document["findings"][0]["status"] = "fine"
    assert not validator.is_valid(document)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_file_is_refused_in_one_sentence(report: Report, share: float) -> None:
    raw = json.encode(report)
    with pytest.raises(InputError, match=r"RUN/audit.json is no complete JSON .* command writes it again"):
        json.decode(raw[: int(share * len(raw))], "RUN/audit.json")


@pytest.mark.parametrize("raw", [b"{}", b"[]", b'"x"', b'{"schema": 3}'])
def test_json_that_is_no_audit_is_refused(raw: bytes) -> None:
    with pytest.raises(InputError, match="is not an audit"):
        json.decode(raw)


def test_another_schema_is_named(report: Report) -> None:
    raw = json.encode(report).replace(b"pfungst/audit/1", b"pfungst/audit/2")
    with pytest.raises(InputError, match=r"'pfungst/audit/2' and this version reads 'pfungst/audit/1'"):
        json.decode(raw)


def test_a_finding_without_its_interval_is_refused(report: Report) -> None:
    document = plain_json.loads(json.encode(report))
    del document["findings"][3]["effect"]["low"]
    with pytest.raises(InputError, match=r"missing required field `low` - at `\$.findings.3..effect`"):
        json.decode(plain_json.dumps(document).encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputError):
        json.decode(b'{"schema": "\xff"}')


def test_a_report_that_could_not_be_read_back_is_not_written(report: Report) -> None:
    hole = RegionMap(title="a hole", effects=((float("nan"),),))
    broken = msgspec.structs.replace(report.findings[0], evidence=(hole,))
    with pytest.raises(ValueError, match="cannot be read back"):
        json.encode(msgspec.structs.replace(report, findings=(broken,)))
