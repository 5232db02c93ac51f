"""Places: the file that a finding is about, as viewers of findings want one."""

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from pfungst.findings import Finding, Report
from pfungst.report.markup import clean

OF_DATA = {
    "drift.prevalence", "drift.shifted", "mistakes.label-error", "selection.centred", "selection.leak",
    "selection.unrepresentative", "shortcuts.latent-cue", "sites.confounded", "sites.prevalence",
}  # fmt: skip
"""Findings about the rows; the others are about the model."""

REPORT = "audit.json"
"""What is named where model or data are no file, or must not be named."""

_FACTORY = re.compile(r"(.+\.py):[A-Za-z_][\w.]*")
_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:(?!\\)")
_FILE = re.compile(
    r".*([/\\]|\.(onnx|pt2?|pth|th|ckpt|skops|joblib|pkl|npz|csv|gz|parquet|jsonl|tar|zip|py)$)", re.DOTALL
)


def place(finding: Finding, report: Report) -> str:
    """The path of the model's file, or of the data's, as it was given; ``audit.json`` where there is none.

    A factory ``file.py:function`` stands in its file. Addresses and objects are no files.
    """
    about = report.data if f"{finding.probe}.{finding.kind}" in OF_DATA else report.model
    source = str(about.get("source") or "")
    factory = _FACTORY.fullmatch(source)
    source = factory[1] if factory else source
    return source if _FILE.match(source) and not _SCHEME.match(source) else REPORT


def uri(path: str) -> str:
    r"""A path as a URI reference: relative paths stay relative, absolute ones become ``file:``.

    >>> uri("models/my net.onnx"), uri("./a:b%.csv"), uri("C:\\nets\\a.onnx")
    ('models/my%20net.onnx', 'a%3Ab%25.csv', 'file:///C:/nets/a.onnx')
    """
    plain = clean(path, 1000).replace("\\", "/")
    drive = re.match(r"[A-Za-z]:/", plain)
    slash = "/" if plain.endswith("/") else ""
    spelled = quote(str(PurePosixPath(plain)), safe="/:" if drive else "/") + slash
    return f"file:///{spelled.lstrip('/')}" if drive or plain.startswith("/") else spelled
