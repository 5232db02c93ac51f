"""Model card of the Hugging Face Hub: the accuracy as tested in its ``model-index``, and a section on the limits."""

import re
from pathlib import Path
from typing import Any

from pfungst.errors import InputError, damage, first_line
from pfungst.exporters.exporter import exporters
from pfungst.findings import Condition, Report
from pfungst.imported import needed
from pfungst.report.card import card
from pfungst.report.facts import source
from pfungst.report.files import written
from pfungst.report.markup import clean
from pfungst.report.numbers import count, percent, rows
from pfungst.runs.owned import OWN, is_run

CARD = "model-card.md"
BEGIN, END = "<!-- pfungst: begin -->", "<!-- pfungst: end -->"
OURS = "pfungst audit"
"""What stands in the name of a metric that an earlier export wrote, so that this one replaces it."""

TASKS = {"image": "image-classification", "text": "text-classification", "table": "tabular-classification"}
_FRONT = re.compile(r"\A---\n(.*?)^---[ \t]*\n?", re.DOTALL | re.MULTILINE)
_INDEX = re.compile(r"^model-index:.*\n(?:(?:[ \t-].*)?\n)*", re.MULTILINE)


@exporters
def model_card(report: Report, run: Path, to: str | None) -> str:
    """A model card: RUN/model-card.md, or the README.md that ``--to`` names, in which all else is left as it is.

    Needs no network and no package of the Hub's; the same export again changes nothing.
    """
    file = Path(to) if to else run / CARD
    file = file / "README.md" if file.is_dir() else file
    if file.name in OWN - {CARD} and is_run(file.parent):
        raise InputError(f"{file} is a file of the audit in {file.parent}; name a README.md with --to")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} for the model card; make it, or name another with --to")
    if file.exists() and not file.is_file():
        raise InputError(f"{file} is no file that holds a model card; name a README.md with --to")
    try:
        before = file.read_bytes().decode() if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the model card {file} cannot be read as text ({first_line(error)}); name another") from None
    after = inserted(before.replace("\r\n", "\n"), report, str(file))
    after = after.replace("\n", "\r\n") if "\r\n" in before else after
    written(file, after.encode("utf-8", "replace"))
    done = "is as it was" if after == before else "has the audit's section"
    return f"the model card {file} {done}; {count(len(report.findings), 'finding')} stand behind it"


def inserted(text: str, report: Report, where: str = "README.md") -> str:
    """A model card with the audit in its ``model-index`` and between its markers; lines end in a newline alone.

    Raises:
        InputError: if what is there cannot be read: markers without their other half, or a broken front matter.
    """
    front = _FRONT.match(text)
    if text.startswith("---\n") and front is None:
        raise InputError(f"the front matter of {where} begins with --- and never ends; close it with a line ---")
    facts, body = (front[1], text[front.end() :]) if front else ("", text)
    facts = _indexed(facts, report, where)
    head = f"---\n{facts}---\n" if facts else ""
    return head + _placed(body, f"{BEGIN}\n{card(report)}{END}\n", where)


def _placed(body: str, section: str, where: str) -> str:
    begins, ends = body.count(BEGIN), body.count(END)
    if (begins, ends) == (0, 0):
        apart = "" if not body or body.endswith("\n\n") else "\n" if body.endswith("\n") else "\n\n"
        return f"{body}{apart}{section}"
    first, last = body.find(BEGIN), body.find(END)
    if (begins, ends) != (1, 1) or last < first:
        raise InputError(
            f"{where} has {begins} times {BEGIN} and {ends} times {END}; leave one of each, in this order, or none"
        )
    rest = body[last + len(END) :]
    return body[:first] + section + rest.removeprefix("\n")


def _indexed(facts: str, report: Report, where: str) -> str:
    """The front matter with the accuracy as tested among the results; other people's lines and results stay."""
    yaml = needed("yaml", "model-card")
    block = _INDEX.search(facts)
    with damage(f"the front matter of {where} is no YAML", "mend it first"):
        whole = yaml.safe_load(facts) or {}
        index = yaml.safe_load(block[0])["model-index"] if block else []
    known = isinstance(whole, dict) and whole.get("model-index", []) == index
    if not (known and isinstance(index, list) and all(isinstance(one, dict) for one in index)):
        raise InputError(f"the model-index of {where} is no list of models with results; mend it first")
    for one in index:
        one["results"] = [result for result in one.get("results") or [] if not _ours(result)]
    tested = next((one for one in report.headline if one.condition == "as tested"), None)
    if tested is not None:
        index = index or [{"name": clean(source(report, "model"), 100), "results": []}]
        index[0]["results"].append(_result(report, tested))
    index = [one for one in index if one["results"]]
    spelled = yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True) if index else ""
    return facts[: block.start()] + spelled + facts[block.end() :] if block else facts + spelled


def _ours(result: Any) -> bool:
    measured = result.get("metrics") or [] if isinstance(result, dict) else []
    return any(isinstance(one, dict) and OURS in str(one.get("name")) for one in measured)


def _result(report: Report, tested: Condition) -> dict[str, Any]:
    accuracy = tested.accuracy
    bounds = f"[{accuracy.low:.3f}, {accuracy.high:.3f}]"
    said = f"Accuracy as tested ({percent(accuracy.level)} interval {bounds}, {rows(accuracy)}; {OURS})"
    name = clean(source(report, "data"), 100)
    return {
        "task": {"type": TASKS.get(str(report.data.get("modality")), "other")},
        "dataset": {"type": name, "name": name},
        "metrics": [{"type": "accuracy", "value": round(accuracy.value, 4), "name": said}],
    }
