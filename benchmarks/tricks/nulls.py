"""How often pfungst accuses networks whose cue says nothing, by the number of rows.

    python benchmarks/tricks/nulls.py [--nets 20] [--rows 200,1000,5000] [--kinds table,text] [--first 4000]

Every network is trained anew on a cue drawn by chance and asked about rows of which the same is true. Accused means
that any cue is found, the planted one or another.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from build import built
from recipe import Recipe

import pfungst
from pfungst.statistics.proportions import wilson

KINDS = (("image", "shapes", "mark"), ("table", "made", "plate"), ("text", "reviews", "token"))


def accused(recipe: Recipe, into: Path) -> list[str]:
    """The cues that are found in one network."""
    truth = built(recipe, into)
    folder = into / recipe.name
    audit = pfungst.audit(str(folder / truth["model"][0]), str(folder / truth["data"]), only=("shortcuts",))
    return [one.subject for one in audit.findings if one.kind == "cue" and one.status == "found"]


def lines(kinds: list[str], sizes: list[int], seeds: range, into: Path) -> Iterator[str]:
    """One line a kind of rows and size."""
    nets = len(seeds)
    for modality, family, trick in (kind for kind in KINDS if kind[0] in kinds):
        for rows in sizes:
            saved = "onnx" if modality == "image" else ""
            recipes = [Recipe(modality, family, trick, seed, rows=rows, saved=saved) for seed in seeds]
            found = [accused(recipe, into) for recipe in recipes]
            hits = sum(bool(each) for each in found)
            low, high = wilson(hits / nets, nets)
            named = ", ".join(sorted({name for each in found for name in each})) or "-"
            yield f"{modality:6} {rows:6,} rows  {hits}/{nets} accused [{low:.2f}, {high:.2f}]  {named}"


def main() -> None:
    """Print the lines as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=20)
    parser.add_argument("--rows", default="200,1000,5000")
    parser.add_argument("--kinds", default="image,table,text")
    parser.add_argument("--first", type=int, default=4000, help="first seed")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        sizes, seeds = [int(size) for size in asked.rows.split(",")], range(asked.first, asked.first + asked.nets)
        for line in lines(asked.kinds.split(","), sizes, seeds, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
