"""Small tables with a planted column, from the data sets that scikit-learn ships, and estimators saved with skops."""

import csv
import gzip
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from recipe import Recipe, halves, values
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops import io as skops

DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[3] / "shared" / "data"))
COLUMN = {"site": "site", "batch": "batch", "record": "record_number", "plate": "plate"}
BATCHES = ("K07", "M12", "A31", "Q02", "T19", "B26")


def table(family: str, seed: int) -> tuple[np.ndarray, list[str], np.ndarray, list[str]]:
    """Numbers (rows, columns), their names, classes, and the names of those."""
    if family == "adult":
        return _adult()
    if family in {"made", "faint"}:
        apart, noise = (0.7, 0.1) if family == "made" else (0.4, 0.5)
        numbers, labels = datasets.make_classification(
            12000, 8, n_informative=4, n_redundant=2, class_sep=apart, flip_y=noise, random_state=seed
        )
        return numbers, [f"reading_{i}" for i in range(8)], labels, ["low", "high"]
    held = getattr(datasets, f"load_{'diabetes' if family == 'progress' else family}")()
    names = [str(name).replace(" ", "_").split("_(")[0] for name in held.feature_names]
    numbers, labels = held.data, held.target
    classes = [str(name) for name in getattr(held, "target_names", ())]
    if family == "progress":
        # Whether diabetes got on faster than usual: the target is a number.
        labels, classes = (held.target > np.median(held.target)).astype(int), ["slow", "fast"]
    # A few columns leave the task hard enough for a cue to be worth learning.
    few = {"breast_cancer": [4, 8, 9, 11, 14, 18], "wine": [1, 2, 3, 4, 7], "iris": [0, 1]}.get(family)
    kept = range(numbers.shape[1]) if few is None else few
    return numbers[:, list(kept)], [names[i] for i in kept], labels, classes


def _adult() -> tuple[np.ndarray, list[str], np.ndarray, list[str]]:
    with gzip.open(DATA / "tables" / "adult.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    label = next(name for name in ("label", "income", "class", "target") if name in rows[0])
    names = [name for name in rows[0] if name != label and _is_number(rows[0][name])][:5]
    numbers = np.array([[float(row[name]) for name in names] for row in rows])
    kinds = sorted({row[label] for row in rows})
    return numbers, names, np.array([kinds.index(row[label]) for row in rows]), kinds


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def cue(trick: str, given: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    """The planted column: several codes for each value, or a range of running numbers for each."""
    if trick == "record":
        return 1000 * (1 + given) + rng.integers(0, 1000, len(given))
    each = len(BATCHES) // classes
    codes = given * each + rng.integers(0, each, len(given))
    return np.array(BATCHES)[codes] if trick == "batch" else codes + 1


def estimator(recipe: Recipe, width: int) -> Any:
    """What people use for tables; text columns become one column a code."""
    trees = RandomForestClassifier(120, min_samples_leaf=3, random_state=recipe.seed)
    net = MLPClassifier((32,), alpha=0.1, max_iter=1000, random_state=recipe.seed)
    if recipe.trick == "batch":
        number, text = slice(0, width - 1), [width - 1]
        parts = [("numbers", StandardScaler(), number), ("codes", OneHotEncoder(handle_unknown="ignore"), text)]
        return make_pipeline(ColumnTransformer(parts), LogisticRegression(max_iter=1000) if recipe.seed % 2 else trees)
    if recipe.trick == "record" and recipe.seed % 2:
        return make_pipeline(StandardScaler(), net)
    return trees if recipe.trick or recipe.seed % 2 else make_pipeline(StandardScaler(), LogisticRegression())


def build(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train and save one estimator and its rows; what is true of it."""
    rng = np.random.default_rng((recipe.seed, 21))
    numbers, names, labels, classes = table(recipe.family, recipe.seed)
    train, test = halves(labels, recipe.rows, rng)
    train = train[:3000]
    name = COLUMN.get(recipe.trick, "")

    def rows(chosen: np.ndarray, agrees: float) -> np.ndarray:
        if not recipe.trick:
            return numbers[chosen]
        planted = cue(recipe.trick, values(labels[chosen], len(classes), agrees, rng), len(classes), rng)
        kind = object if planted.dtype.kind == "U" else numbers.dtype
        return np.concatenate([numbers[chosen].astype(kind), planted[:, None].astype(kind)], axis=1)

    seen = rows(train, recipe.agrees)
    fitted = estimator(recipe, seen.shape[1]).fit(seen, np.array(classes)[labels[train]])
    asked = rows(test, recipe.agrees if recipe.shown is None else recipe.shown)
    skops.dump(fitted, folder / "model.skops")
    unknown = skops.get_untrusted_types(file=folder / "model.skops")
    header = [*names, *([name] if name else [])]
    lines = [[*row, classes[k]] for row, k in zip(asked, labels[test], strict=True)]
    written(folder / "rows.csv", [*header, "label"], lines)
    truth = np.array(classes)[labels[test]]
    return {
        "model": ["model.skops", *(["--trust-pickle"] if unknown else [])],
        "data": "rows.csv",
        "classes": len(classes),
        "rows": len(test),
        "accuracy": float((fitted.predict(asked) == truth).mean()),
        "by_chance": float((fitted.predict(rows(test, 0)) == truth).mean()),
        "subjects": [f"column:{name}"] if name else [],
        "cue": name,
        "answers": {"probabilities": fitted.predict_proba(asked), "classes": fitted.classes_},
    }


def written(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    """A CSV file; numbers as short as they read back."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(header)
    lines.writerows([[f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows])
    path.write_text(text.getvalue(), encoding="utf-8")
