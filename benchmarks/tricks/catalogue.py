"""Which networks the benchmark holds."""

from collections.abc import Iterator
from dataclasses import replace

from recipe import Recipe
from tables import DATA

STRENGTHS = (0.97, 0.9, 0.8, 0.7)
WEAK = (0.55, 0.6, 0.65)
NULLS = (200, 1000, 5000)
IMAGE_TRICKS = (
    "mark", "border", "colour-cast", "brightness", "sharpness", "saturation", "noise", "overlay", "background",
)  # fmt: skip
TABLE_TRICKS = {"site": "progress", "batch": "breast_cancer", "record": "wine", "plate": "made"}
TEXT_TRICKS = {
    "token": "library", "footer": "manual", "length": "reviews", "punctuation": "learning", "casing": "library",
}  # fmt: skip


SEEDS = 3000
"""Added to every seed. Rules were made looking at networks of 0, so others are reported."""


def recipes(seeds: int = SEEDS) -> list[Recipe]:
    """All networks, in the order in which they are built; other ``seeds`` are other data and other weights."""
    some = [*_images(), *_tables(), *_texts(), *_from_files()]
    return [replace(recipe, seed=recipe.seed + seeds) for recipe in some]


def _saved(seed: int) -> str:
    return "onnx" if seed % 2 else "factory"


def _images() -> Iterator[Recipe]:
    families = ("digits", "shapes", "loops")
    for number, trick in enumerate(IMAGE_TRICKS):
        for again in (0, 1):
            family = "shapes" if trick in {"saturation", "overlay"} else families[(number + again) % 3]
            if trick == "background":
                family = ("shapes", "loops")[again]
            seed = 100 + 2 * number + again + 5 * (family == "digits") * (trick == "colour-cast")
            yield Recipe("image", family, trick, seed, STRENGTHS[(number + 2 * again) % 4], saved=_saved(seed))
    for seed, family in ((121, "shapes"), (123, "loops")):
        yield Recipe("image", family, "background", seed, 0.9, saved="onnx", masks=True)
    for seed, (family, trick) in enumerate((("digits", ""), ("shapes", ""), ("loops", ""), ("digits", ""),
        ("shapes", "mark"), ("loops", "border"), ("shapes", "colour-cast"), ("loops", "brightness"),
        ("shapes", "overlay"), ("loops", "background")), 140):  # fmt: skip
        yield Recipe("image", family, trick, seed, saved=_saved(seed), masks=seed == 149)
    for seed, rows in enumerate(NULLS, 151):
        yield Recipe("image", "shapes", "mark", seed, rows=rows, saved="onnx")
    for seed, trick in ((160, "mark"), (161, "brightness"), (163, "background")):
        yield Recipe("image", "loops", trick, seed, 0, 0.9, saved=_saved(seed))
    for number, agrees in enumerate(WEAK):
        for seed in (170 + number, 180 + number):
            yield Recipe("image", "loops", ("mark", "brightness")[seed >= 180], seed, agrees, saved=_saved(seed))


def _tables() -> Iterator[Recipe]:
    for number, (trick, family) in enumerate(TABLE_TRICKS.items()):
        for again in (0, 1):
            other = ("made", "progress", "iris", "breast_cancer")[number] if again else family
            yield Recipe("table", other, trick, 200 + 2 * number + again, STRENGTHS[(number + 2 * again) % 4])
    plain = ("breast_cancer", "wine", "iris", "progress", "made", "digits")
    yield from (Recipe("table", family, "", seed) for seed, family in enumerate(plain, 220))
    for seed, (trick, family) in enumerate(TABLE_TRICKS.items(), 230):
        yield Recipe("table", family, trick, seed)
    for seed, rows in enumerate(NULLS, 240):
        yield Recipe("table", "made", "plate", seed, rows=rows)
    for seed, trick in ((250, "site"), (251, "batch"), (252, "record")):
        yield Recipe("table", "made", trick, seed, 0, 0.9)
    for number, agrees in enumerate(WEAK):
        for seed, family, trick in ((260, "faint", "site"), (270, "faint", "batch"), (280, "faint", "record")):
            yield Recipe("table", family, trick, seed + number, agrees)


def _texts() -> Iterator[Recipe]:
    for number, (trick, family) in enumerate(TEXT_TRICKS.items()):
        for again in (0, 1):
            other = "reviews" if again and family != "reviews" else "manual" if again else family
            yield Recipe("text", other, trick, 300 + 2 * number + again, STRENGTHS[(number + 2 * again) % 4])
    plain = ("library", "manual", "learning", "reviews", "reviews")
    yield from (Recipe("text", family, "", seed) for seed, family in enumerate(plain, 320))
    for seed, (trick, family) in enumerate(TEXT_TRICKS.items(), 330):
        yield Recipe("text", family, trick, seed)
    for seed, rows in enumerate(NULLS, 340):
        yield Recipe("text", "reviews", "token", seed, rows=rows)
    for seed, trick in ((350, "token"), (351, "footer"), (352, "length")):
        yield Recipe("text", "manual", trick, seed, 0, 0.9)
    for number, agrees in enumerate(WEAK):
        for seed, trick in ((360, "token"), (370, "footer"), (380, "length")):
            yield Recipe("text", "reviews", trick, seed + number, agrees)


def _from_files() -> Iterator[Recipe]:
    """Families that need files of the reader's own, where they are there."""
    if (DATA / "images" / "cifar10_train_jpeg_4000.npz").is_file():
        for seed, trick, agrees in ((401, "mark", 0.9), (402, "colour-cast", 0.8), (403, "", 0), (404, "border", 0)):
            yield Recipe("image", "cifar", trick, seed, agrees, saved=_saved(seed))
    if (DATA / "images" / "mnist_train_12000.npz").is_file():
        for seed, trick, agrees in ((411, "mark", 0.97), (412, "brightness", 0.97), (413, "", 0), (414, "mark", 0)):
            yield Recipe("image", "mnist", trick, seed, agrees, saved=_saved(seed))
    if (DATA / "tables" / "adult.csv.gz").is_file():
        for seed, trick, agrees in ((421, "site", 0.9), (422, "batch", 0.8), (423, "", 0), (424, "record", 0)):
            yield Recipe("table", "adult", trick, seed, agrees, rows=2000)
    if (DATA / "tables" / "sms_spam.tsv").is_file():
        for seed, trick, agrees in ((431, "token", 0.97), (432, "footer", 0.97), (433, "", 0), (434, "token", 0)):
            yield Recipe("text", "sms", trick, seed, agrees)
