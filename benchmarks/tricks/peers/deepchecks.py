"""Deepchecks' suites: data integrity and model evaluation on tables, data integrity on pictures and texts.

A column or property counts as flagged where a default condition on its correlation with the label fails. On pictures
the suite states that correlation without a condition; the check's own condition, as it is by default, decides. Weak
segments and frequent substrings count where they name the cue and are no false alarm where they do not. Properties
and checks of texts that need a download are left out.
"""

import re
from typing import Any
from unittest.mock import MagicMock

import nltk
import numpy as np
import pandas as pd
import torch
from deepchecks.nlp import TextData
from deepchecks.nlp.suites import data_integrity as text_integrity
from deepchecks.nlp.utils.text_properties import DEFAULT_PROPERTIES
from deepchecks.tabular import Dataset
from deepchecks.tabular.suites import data_integrity, model_evaluation

# It asks for a list of stop words at every text; nothing is downloaded here.
nltk.download = lambda *_, **__: False
MODALITIES = ("image", "table", "text")
CORRELATIONS = {"PropertyLabelCorrelation", "FeatureLabelCorrelation", "IdentifierLabelCorrelation"}
ALONE = {
    "Text Length", "Average Word Length", "Max Word Length", "% Special Characters", "% Punctuation", "Sentiment",
    "Subjectivity",
}  # fmt: skip
COLOURS = {"Mean Red Relative Intensity", "Mean Green Relative Intensity", "Mean Blue Relative Intensity"}
PROPERTIES = {
    "brightness": {"Brightness", "RMS Contrast"},
    "sharpness": {"RMS Contrast"},
    "noise": {"RMS Contrast"},
    "saturation": COLOURS,
    "colour-cast": COLOURS,
    "border": {"Brightness", "RMS Contrast"},
    "background": {"Brightness", "RMS Contrast", *COLOURS},
    "length": {"Text Length"},
    "footer": {"Text Length"},
    "punctuation": {"% Punctuation", "% Special Characters"},
}


def flagged(case: Any) -> list[str]:
    """Columns or properties whose default condition on the correlation with the label fails."""
    modality = case.truth["modality"]
    if modality == "image":
        return _pictures(case)
    return _texts(case) if modality == "text" else _table(case)


def _table(case: Any) -> list[str]:
    frame, probabilities = case.table(), case.answers["probabilities"]
    classes = [str(name) for name in case.answers["classes"]]
    codes = [name for name in frame.columns.drop("label") if frame[name].dtype == object or name in {"site", "plate"}]
    data = Dataset(frame, label="label", cat_features=codes)
    said = np.array(classes)[probabilities.argmax(axis=1)]
    integrity = data_integrity().run(data)
    evaluated = model_evaluation().run(
        data, data, model_classes=classes, y_pred_train=said, y_proba_train=probabilities, y_pred_test=said,
        y_proba_test=probabilities,
    )  # fmt: skip
    weak = [one.value["weak_segments_list"].iloc[0] for one in _failed(evaluated, {"WeakSegmentsPerformance"})]
    segments = [f"weak segment: {row[name]}" for row in weak for name in ("Feature1", "Feature2") if row[name]]
    return [*_named(_failed(integrity, CORRELATIONS)), *segments]


def _texts(case: Any) -> list[str]:
    frame = case.table()
    texts = frame["text"].astype(str).tolist()
    data = TextData(texts, label=frame["label"].astype(str).tolist(), task_type="text_classification")
    # All at once they ask for a language model that has to be downloaded, whichever are wanted.
    known = {one["name"]: [one["method"](text) for text in texts] for one in DEFAULT_PROPERTIES if one["name"] in ALONE}
    data.set_properties(pd.DataFrame(known), categorical_properties=[])
    # One check asks for a tokenizer that has to be downloaded, and the suite ends where there is none: it gets one that
    # is none, and is left out.
    suite = text_integrity(tokenizer=MagicMock())
    suite.remove(next(at for at, check in suite.checks.items() if type(check).__name__ == "UnknownTokens"))
    found = suite.run(data)
    frequent = _failed(found, {"FrequentSubstrings"})
    substrings = [f"frequent substring: {text}" for one in frequent for text in one.value.get("Text", {}).values()]
    return [*_named(_failed(found, CORRELATIONS)), *substrings]


def _pictures(case: Any) -> list[str]:
    # torchvision is imported and none of its operators is used; beside a CPU build of PyTorch they are not there.
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from deepchecks.vision import VisionData  # noqa: PLC0415 - as above
    from deepchecks.vision.checks import PropertyLabelCorrelation  # noqa: PLC0415 - as above
    from deepchecks.vision.suites import data_integrity as integrity  # noqa: PLC0415 - as above

    images, labels = case.images()
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    classes = {index: str(name) for index, name in enumerate(case.answers["classes"])}
    step = 200

    def batches() -> Any:
        for at in range(0, len(images), step):
            part = slice(at, at + step)
            probabilities = case.answers["probabilities"][part]
            yield {"images": list(images[part]), "labels": labels[part].tolist(), "predictions": list(probabilities)}

    integrity().run(VisionData(batches(), task_type="classification", label_map=classes, reshuffle_data=False))
    check = PropertyLabelCorrelation().add_condition_property_pps_less_than()
    data = VisionData(batches(), task_type="classification", label_map=classes, reshuffle_data=False)
    (condition,) = check.run(data).conditions_results
    return [] if condition.is_pass() else re.findall(r"'([^']+)':", condition.details)


def _failed(found: Any, checks: set[str]) -> list[Any]:
    """Results of these checks that failed a condition or warn."""
    return [one for one in found.get_not_passed_checks(fail_if_warning=True) if type(one.check).__name__ in checks]


def _named(results: list[Any]) -> list[str]:
    """What the failed conditions list by name."""
    said = [
        str(condition.details) for one in results for condition in one.conditions_results if not condition.is_pass()
    ]
    return [name for text in said for name in re.findall(r"'([^']+)':", text)]


def accuses(flag: str) -> bool:
    """Whether a flag says that something predicts the label; the others count only where they name the cue."""
    # What reviews are about is no cue.
    return not flag.startswith(("weak segment", "frequent substring", "Sentiment", "Subjectivity"))


def right(truth: dict[str, Any], flag: str) -> bool:
    """Whether a flag is the planted column, a weak segment that names it, or a property that the trick moves."""
    if truth["modality"] == "table":
        return bool(truth["cue"]) and truth["cue"] in flag
    planted = {subject.split(":")[1] for subject in truth["subjects"] if subject.startswith("token:")}
    words = flag.lower().partition("frequent substring: ")[2].split()
    return flag in PROPERTIES.get(truth["trick"], set()) or any(word in planted for word in words if len(word) > 3)
