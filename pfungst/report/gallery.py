"""Galleries: evidence rows as pictures, before and after side by side, with the model's answer under each."""

import base64
import io
from collections.abc import Callable, Mapping

from PIL import Image

from pfungst.findings import Examples, Shot
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import count, number

SHOWN = 12


class Pictures:
    """Thumbnails by name, and how many bytes of them a page may still hold."""

    def __init__(
        self,
        thumbnails: Mapping[str, bytes],
        pictures: int = 1500,
        size: int = 3_200_000,
        link: Callable[[Shot], str] | None = None,
    ) -> None:
        self._thumbnails = thumbnails
        self._link = link
        self._pictures = pictures
        self._size = size

    def take(self, name: str) -> bytes | None:
        """A picture, if there is one and it fits."""
        picture = self._thumbnails.get(name)
        if picture is None or self._pictures < 1 or len(picture) > self._size:
            return None
        self._pictures -= 1
        self._size -= len(picture)
        return picture

    def linked(self, shot: Shot, picture: Markup | None) -> Markup | None:
        """A picture that leads to its row, where pages of rows are served."""
        if self._link is None or picture is None:
            return picture
        return tag("a", picture, href=self._link(shot))


AS_IT_IS = "as it is"
"""The caption of a row to which nothing was done."""


def gallery(evidence: Examples, pictures: Pictures) -> Markup:
    """Up to 12 rows as pictures; what is left out is named."""
    shown = evidence.items[:SHOWN]
    more = len(evidence.items) - len(shown)
    rest = tag("p", f"+ {count(more, 'more row')} in ", tag("code", "audit.json"), class_="note") if more else None
    items = [tag("li", _shots(shots, pictures), class_="shots", title=_row(shots)) for shots in shown]
    title = tag("figcaption", clean(evidence.title, 300))
    return tag("figure", title, tag("ul", items, class_="gallery"), rest, class_="figure wide")


def _row(shots: tuple[Shot, ...]) -> str | None:
    return f"row {clean(shots[0].row, 120)}" if shots else None


def _shots(shots: tuple[Shot, ...], pictures: Pictures) -> list[Markup]:
    told = any(shot.answer == shot.label for shot in shots)
    return [_shot(shot, pictures, told=told, alone=len(shots) == 1) for shot in shots]


def _shot(shot: Shot, pictures: Pictures, *, told: bool, alone: bool) -> Markup:
    # A row shown once, as it is, is better told by its name, and by what else there is to say of it.
    plain = alone and not shot.shown
    named = f"row {shot.row[-28:]}" + (f" · {shot.caption}" if shot.caption != AS_IT_IS else "")
    said = named if plain else shot.caption
    picture = pictures.linked(shot, _picture(shot, pictures))
    caption = tag("small", tag("bdi", clean(said, 160)))
    if not shot.answer:
        return tag("span", picture, caption)
    answer = tag("b", tag("bdi", clean(shot.answer, 60)))
    return tag("span", picture, caption, answer, f" · {number(shot.probability, 2)}", _judged(shot, told))


def _judged(shot: Shot, told: bool) -> Markup | None:
    """Whether the answer is right; the label where no picture beside this one says it."""
    if not shot.label:
        return None
    if shot.answer == shot.label:
        return tag("i", " ✓", class_="right", title="right")
    label = None if told else html(("label ", tag("bdi", clean(shot.label, 60))))
    return html((tag("i", " ✗", title="wrong"), tag("small", label) if label else None))


def _picture(shot: Shot, pictures: Pictures) -> Markup | None:
    if not shot.picture:
        return tag("q", tag("bdi", clean(shot.text, 260))) if shot.text else None
    picture = pictures.take(shot.picture)
    if picture is None:
        return tag("span", f"in thumbnails.zip: {clean(shot.picture, 80)}", class_="missing")
    width, height = _size(picture)
    return tag(
        "img",
        src=f"data:image/webp;base64,{base64.b64encode(picture).decode()}",
        width=str(width),
        height=str(height),
        loading="lazy",
        decoding="async",
        alt=describe(shot),
    )


def describe(shot: Shot) -> str:
    """A picture in words: which row, under which condition, what the model said."""
    if not shot.answer:
        return f"row {clean(shot.row, 60)}, {clean(shot.caption, 80)}"
    label = f" {clean(shot.label, 60)}" if shot.label else ""
    said = f"taken for {clean(shot.answer, 60)}" if shot.label != shot.answer else "recognised"
    return f"row {clean(shot.row, 60)}, {clean(shot.caption, 80)}:{label} {said}, {number(shot.probability, 2)}"


def _size(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture)) as image:
        return image.size
