"""Evidently's presets on tables and texts, with the tests they make by default: the second half against the first.

They describe columns and compare two sets of rows; none of them compares a column with the label. A column that is
said to have drifted counts as a flag where it is the cue, and never as a false alarm.
"""

import re
from typing import Any

from evidently import BinaryClassification, DataDefinition, Dataset, MulticlassClassification, Report
from evidently.descriptors import NonLetterCharacterPercentage, SentenceCount, TextLength, WordCount
from evidently.presets import ClassificationPreset, DataDriftPreset, DataSummaryPreset, TextEvals

MODALITIES = ("table", "text")
PROPERTIES = {
    "length": {"length", "sentences", "words"},
    "footer": {"length", "sentences", "words"},
    "punctuation": {"non-letters"},
    "token": {"words"},
}


def flagged(case: Any) -> list[str]:
    """Columns, or properties of texts, that a failed test names."""
    frame = case.table()
    classes = [str(name) for name in case.answers["classes"]]
    frame["label"] = frame["label"].astype(str)
    frame["prediction"] = [classes[k] for k in case.answers["probabilities"].argmax(axis=1)]
    task = BinaryClassification if len(classes) == 2 else MulticlassClassification
    options = {"pos_label": classes[1]} if len(classes) == 2 else {}
    text = case.truth["modality"] == "text"
    columns = [name for name in frame.columns if name not in {"label", "prediction"}]
    numbers = [name for name in columns if frame[name].dtype.kind in "fiu"]
    definition = DataDefinition(
        classification=[task(target="label", prediction_labels="prediction", **options)],
        numerical_columns=[] if text else numbers,
        categorical_columns=[name for name in frame.columns if name not in {*numbers, "text"}],
        text_columns=["text"] if text else [],
    )
    descriptors = [
        TextLength("text", alias="length"), SentenceCount("text", alias="sentences"), WordCount("text", alias="words"),
        NonLetterCharacterPercentage("text", alias="non-letters"),
    ] if text else []  # fmt: skip
    half = len(frame) // 2
    reference, current = (
        Dataset.from_pandas(part.reset_index(drop=True), data_definition=definition, descriptors=descriptors)
        for part in (frame[:half], frame[half:])
    )
    presets = [DataSummaryPreset(), DataDriftPreset(), ClassificationPreset(), *([TextEvals()] if text else [])]
    # Its other default tests compare minima and means with the first half's and name nearly every column of any rows.
    presets = [DataSummaryPreset(), ClassificationPreset(), *([TextEvals()] if text else [])]
    Report(presets, include_tests=True).run(current, reference)
    tests = Report([DataDriftPreset()], include_tests=True).run(current, reference).dict()["tests"]
    names = ["length", "sentences", "words", "non-letters"] if text else columns
    failed = [str(test["name"]) for test in tests if str(test["status"]).upper().endswith("FAIL")]
    return [name for name in names if any(name in re.findall(r"[\w-]+", test) for test in failed)]


def accuses(flag: str) -> bool:
    """Whether a flag says that something predicts the label: none does, so none is a false alarm."""
    return not flag


def right(truth: dict[str, Any], flag: str) -> bool:
    """Whether the column is the planted one, or the property one that the trick moves."""
    return flag == truth["cue"] or flag in PROPERTIES.get(truth["trick"], set())
