"""The page of a comparison: one self-contained file without a script, rendered from ``compare.json`` alone."""

from typing import Any

from pfungst.comparison import Comparison, Matched, Stand
from pfungst.report.comparison_words import answer, sentence, status, stood
from pfungst.report.forest import forest
from pfungst.report.html import environment, hashed, text_of
from pfungst.report.markup import Markup, clean, html, prose
from pfungst.report.numbers import count, interval, p_value
from pfungst.report.words import title

FLIPS = 200
VERDICTS = {"worse": "no", "new": "undecided", "nothing": "yes"}


def page(result: Comparison, nav: Markup | None = None) -> str:
    """The comparison as one HTML page that needs no script, no network and no other file; ``nav`` stands on top."""
    style = text_of("style.css")
    findings, churn = result.findings, result.churn
    return environment().get_template("comparison.html.jinja").render(
        nav=nav,
        result=result,
        answer=answer(result),
        verdict=VERDICTS[status(result)],
        sentence=sentence(result),
        tally=_tally(result),
        differences=_differences(result),
        sides=[{"name": one.name, "a": interval(one.a), "b": interval(one.b)} for one in result.changes],
        cards={
            "new": [_card(one, one.b) for one in findings.new],
            "fixed": [_card(one, one.a) for one in findings.fixed],
            "persisting": [_card(one, one.b) for one in findings.persisting],
        },
        flipped=forest([("any flip", churn.flipped), *((one.name, one) for one in churn.kinds)], what="flip",
                       quantity="share of rows"),
        flips=churn.rows[:FLIPS],
        flips_left=len(churn.rows) - FLIPS,
        paired=_paired(result),
        provenance={"a": _side(result.a), "b": _side(result.b)},
        count=count,
        title=title,
        clean=clean,
        prose=prose,
        style=Markup(style),
        style_hash=hashed(style),
    )  # fmt: skip


def _differences(result: Comparison) -> Markup:
    tested = ((one, "" if one.p_value is None else f" ({p_value(one.p_value)})") for one in result.changes)
    return forest(
        [(one.name + words, one.difference) for one, words in tested],
        what="measure", quantity="B less A", reference=0.0, reference_name="none",
    )  # fmt: skip


def _tally(result: Comparison) -> list[dict[str, Any]]:
    findings = result.findings
    lines = [
        {"many": len(findings.new), "word": "new", "to": "new"},
        {"many": len(findings.fixed), "word": "fixed", "to": "fixed"},
        {"many": len(findings.persisting), "word": "found in both", "to": "persisting"},
        {"many": len(findings.not_comparable), "word": "not comparable", "to": "not-comparable"},
        {"many": len(result.churn.rows), "word": "answers flipped", "to": "churn"},
    ]
    return [line for line in lines if line["many"] or line["to"] != "not-comparable"]


def _card(one: Matched, shown: Stand) -> dict[str, Any]:
    named = (("A", one.a), ("B", one.b))
    effects = [
        (f"{name}: {side.judged_as or stood(side)}", side.effect) for name, side in named if side.effect is not None
    ]
    drawn: Markup = html(None)
    if effects:
        drawn = forest(
            effects, what="audit", quantity="effect", reference=one.tolerance,
            reference_name="" if one.tolerance is None else "tolerated",
        )  # fmt: skip
    return {
        "anchor": one.id,
        "mark": shown.severity,
        "word": shown.severity if shown.severity != "none" else "within tolerance",
        "probe": one.probe,
        "kind": one.kind,
        "subject": one.subject,
        "title": title(one),
        "claim": shown.claim,
        "a": _standing(one.a),
        "b": _standing(one.b),
        "forest": drawn,
    }


def _standing(side: Stand) -> dict[str, str]:
    mark = side.severity if side.status == "found" else "skipped" if side.status == "not named" else side.status
    return {"mark": mark, "word": stood(side), "judged_as": side.judged_as}


def _paired(result: Comparison) -> list[tuple[str, str]]:
    shared = result.shared
    lines = [
        ("rows of both", f"{shared.rows:,}, {shared.labelled:,} with a label"),
        ("rows of A alone", f"{shared.only_a:,}"),
        ("rows of B alone", f"{shared.only_b:,}"),
    ]
    if shared.relabelled:
        lines.append(("labelled otherwise in B, left out", f"{shared.relabelled:,}"))
    return lines


def _side(side: Any) -> list[tuple[str, str]]:
    return [
        ("model", side.model), ("data", side.data), ("rows", f"{side.rows:,}"), ("created", side.created),
        ("verdict", side.sentence), ("model's hash", side.model_fingerprint), ("data's hash", side.data_fingerprint),
    ]  # fmt: skip
