"""cleanlab's Datalab on pictures: labels, predicted probabilities, and the correlations of image properties it finds.

Its checks of tables and texts name rows, no column and no word, so they cannot name a cue.
"""

from typing import Any

from cleanlab import Datalab
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow

MODALITIES = ("image",)
PROPERTIES = {
    "brightness": {"dark", "light"},
    "sharpness": {"blurry"},
    "noise": {"blurry", "low_information"},
    "saturation": {"grayscale"},
    "colour-cast": {"grayscale"},
    "border": {"dark", "light"},
    "background": {"dark", "light", "low_information", "blurry"},
}


def flagged(case: Any) -> list[str]:
    """Image properties that its report calls spuriously correlated with the labels."""
    images, labels = case.images()
    pictures = [Pillow.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in images]
    rows = {"image": pictures, "label": [int(label) for label in labels]}
    data = Dataset.from_dict(rows, features=Features({"image": Image(), "label": Value("int64")}))
    lab = Datalab(data=data, label_name="label", image_key="image", verbosity=0)
    lab.find_issues(
        pred_probs=case.answers["probabilities"], features=images.reshape(len(images), -1).astype("float32")
    )
    found = lab.get_info("spurious_correlations")
    scores = found["correlations_df"]
    return [str(name) for name in scores[scores["score"] < found["threshold"]]["property"]]


def accuses(flag: str) -> bool:
    """Whether a flag says that something predicts the label: all do."""
    return bool(flag)


def right(truth: dict[str, Any], flag: str) -> bool:
    """Whether a property is one that the trick moves."""
    return flag.removesuffix("_score") in PROPERTIES.get(truth["trick"], set())
