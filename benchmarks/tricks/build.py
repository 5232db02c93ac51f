"""Build the networks of the trick benchmark: each a model, its rows, and what is true of it.

    python benchmarks/tricks/build.py [--only 'image-*'] [--into build/tricks] [--seeds 3000]

A network counts as tricked only if it learned the trick: if its accuracy falls by more than 0.05 where the cue is drawn
by chance. One that is there and was built by the same code is left as it is, unless --again.
"""

import argparse
import hashlib
import json
import shutil
import time
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import catalogue
import images
import numpy as np
import tables
import texts
import torch
from recipe import Recipe

ROOT = Path(__file__).parents[2]
MODALITIES: dict[str, ModuleType] = {"image": images, "table": tables, "text": texts}
FALLS = 0.05
HERE = Path(__file__).parent
SOURCES = (
    *(HERE / f"{name}.py" for name in ("build", "images", "recipe", "scenes", "tables", "texts")),
    HERE.parent / "networks.py",
)


def made_by() -> str:
    """A hash of what builds the networks: what other code built is built anew."""
    return hashlib.blake2b(b"\0".join(file.read_bytes() for file in SOURCES), digest_size=8).hexdigest()


def ready(truth: Path) -> bool:
    """Whether a network is there and was built by this code."""
    return truth.is_file() and json.loads(truth.read_text(encoding="utf-8")).get("made_by") == made_by()


def built(recipe: Recipe, into: Path) -> dict[str, Any]:
    """Build one network below a folder; its truth, which is written last."""
    folder = into / recipe.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = MODALITIES[recipe.modality].build(recipe, folder)
    answers = made.pop("answers")
    np.savez_compressed(
        folder / "answers.npz",
        **{key: np.asarray(held, None if key == "probabilities" else str) for key, held in answers.items()},
    )
    truth = {
        "name": recipe.name, "modality": recipe.modality, "family": recipe.family, "trick": recipe.trick,
        "role": recipe.role, "agrees": recipe.agrees, "shown": recipe.agrees if recipe.shown is None else recipe.shown,
        "learned": made["accuracy"] - made["by_chance"] > FALLS and recipe.role in {"tricked", "power"}, **made,
        "made_by": made_by(),
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def main() -> None:
    """Build what is not there yet and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "tricks")
    parser.add_argument("--only", default="*", help="names of networks, with * and ?, separated by commas")
    parser.add_argument("--seeds", type=int, default=catalogue.SEEDS, help="added to every seed: other networks")
    parser.add_argument("--again", action="store_true", help="build anew what is there")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for recipe in catalogue.recipes(asked.seeds):
        if not any(fnmatch(recipe.name, one) for one in asked.only.split(",")) or (
            ready(asked.into / recipe.name / "truth.json") and not asked.again
        ):
            continue
        began = time.perf_counter()
        truth = built(recipe, asked.into)
        print(
            f"{recipe.name:46} {recipe.role:8} accuracy {truth['accuracy']:.3f}, by chance {truth['by_chance']:.3f}"
            f"{' (learned)' if truth['learned'] else ''} in {time.perf_counter() - began:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
