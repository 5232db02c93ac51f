"""Giskard's scan of tables and texts with all its default detectors; its second version has none for pictures.

An issue of any kind counts where it names the cue; where it does not, only a spurious correlation is a false alarm.
"""

import re
from typing import Any

import giskard

MODALITIES = ("table", "text")
TRANSFORMED = {
    "casing": ("uppercase", "lowercase", "title case"),
    "punctuation": ("punctuation",),
}


def flagged(case: Any) -> list[str]:
    """What each issue is about: the slice (columns, words, text properties) or the change that moved the answers."""
    frame, classes = case.table(), [str(name) for name in case.answers["classes"]]
    text = case.truth["modality"] == "text"
    columns = [name for name in frame.columns if name != "label"]
    written = {name: frame[name].dtype for name in columns}
    kinds = {name: "category" if frame[name].dtype == object else "numeric" for name in columns}
    # Codes are few whole numbers, which a user would declare to be categories.
    kinds |= {name: "category" for name in columns if name in {"site", "plate"}}

    def predict(rows: Any) -> Any:
        return case.answer(rows["text"].tolist() if text else rows.astype(written)[columns].to_numpy(object).tolist())

    model = giskard.Model(
        predict, model_type="classification", classification_labels=classes, feature_names=columns, name="audited"
    )
    data = giskard.Dataset(frame, target="label", column_types={"text": "text"} if text else kinds)
    issues = giskard.scan(model, data, verbose=False).issues
    return [f"{issue.group.name}: {_about(issue)}" for issue in issues]


def _about(issue: Any) -> str:
    about = issue.slicing_fn or issue.transformation_fn
    name = str(getattr(about, "name", "") or getattr(getattr(about, "meta", None), "name", "") or about)
    return " ".join(f"{name} [{', '.join(issue.features)}]".split())


def accuses(flag: str) -> bool:
    """Whether an issue says that something predicts the answer; the others count only where they name the cue."""
    return flag.startswith("Spurious Correlation")


def right(truth: dict[str, Any], flag: str) -> bool:
    """Whether an issue names the planted column, a planted word, or a property or change of texts that is the cue."""
    said = flag.lower()
    if truth["modality"] == "table":
        return bool(truth["cue"]) and re.search(rf"(?<!\w){re.escape(truth['cue'])}(?!\w)", said) is not None
    words = [subject.split(":")[1] for subject in truth["subjects"] if subject.startswith("token:")]
    named = any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said) for word in words if len(word) > 3)
    length = truth["trick"] in {"length", "footer"} and "length" in said
    return named or length or any(change in said for change in TRANSFORMED.get(truth["trick"], ()))
