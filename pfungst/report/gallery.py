"""Galleries: evidence rows as pictures, before and after side by side, with the model's answer under each."""

import base64
import io
from collections.abc import Callable, Mapping

from PIL import Image

from pfungst.findings import Examples, Shot
from pfungst.report.markup import Markup, clean, html, tag
from pfungst.report.numbers import count, number, plainly

SHOWN = 12
AT_ONCE = {1: 12, 2: 6}
"""Rows that are seen without a click, by pictures a row; four where a row has more pictures."""


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
        self.spent = 0

    def take(self, name: str) -> bytes | None:
        """A picture, if there is one and it fits."""
        picture = self._thumbnails.get(name)
        if picture is None or self._pictures < 1 or len(picture) > self._size:
            return None
        self._pictures -= 1
        self._size -= len(picture)
        self.spent += len(_coded(picture))
        return picture

    def __contains__(self, name: str) -> bool:
        """Whether there is such a picture."""
        return name in self._thumbnails

    def linked(self, shot: Shot, picture: Markup | None) -> Markup | None:
        """A picture that leads to its row, where pages of rows are served."""
        if self._link is None or picture is None:
            return picture
        return tag("a", picture, href=self._link(shot))


AS_IT_IS = "as it is"
"""The caption of a row to which nothing was done."""


def gallery(evidence: Examples, pictures: Pictures, most: int = SHOWN) -> Markup:
    """Up to 12 rows as pictures; what is left out is named. Maps laid over pictures can be taken off again."""
    shown = evidence.items[:most]
    more = len(evidence.items) - len(shown)
    rest = tag("p", f"+ {count(more, 'more row')}: ", tag("code", "pfungst view"), class_="note") if more else None
    items = [tag("li", shots(each, pictures), class_="shots", title=_row(each)) for each in shown]
    wide = max((len(each) for each in shown), default=1)
    kind = f"gallery of-{min(wide, 4)}"
    open_ = AT_ONCE.get(wide, 4)
    rows = [tag("ul", items[:open_], class_=kind)]
    if items[open_:]:
        words = count(len(items) - open_, "more row")
        rows.append(tag("details", tag("summary", words), tag("ul", items[open_:], class_=kind), class_="rows"))
    title = tag("figcaption", clean(evidence.title, 300))
    laid = any(shot.heat and _under(shot, each) in pictures for each in shown for shot in each)
    switch = tag("label", tag("input", type="checkbox", checked=""), " maps over the pictures", class_="maps")
    return tag("figure", title, switch if laid else None, rows, rest, class_="figure pictures")


def _row(item: tuple[Shot, ...]) -> str | None:
    return f"row {clean(item[0].row, 120)}" if item else None


def shots(item: tuple[Shot, ...], pictures: Pictures) -> list[Markup]:
    """The pictures of one row beside each other, with the answer under each."""
    told = any(shot.answer == shot.label for shot in item)
    return [_shot(shot, item, pictures, told=told) for shot in item]


def _under(shot: Shot, item: tuple[Shot, ...]) -> str:
    """The picture that a map lies over: the same row as it is."""
    return next((each.picture for each in item if not each.heat and not each.shown and each.row == shot.row), "")


def _shot(shot: Shot, item: tuple[Shot, ...], pictures: Pictures, *, told: bool) -> Markup:
    # A row shown once, as it is, is better told by its name, and by what else there is to say of it.
    plain = len(item) == 1 and not shot.shown
    named = f"row {shot.row[-28:]}" + (f" · {shot.caption}" if shot.caption != AS_IT_IS else "")
    said = named if plain else plainly(shot.caption)
    caption = tag("small", tag("bdi", clean(said, 160)))
    shown = _cells(shot, item) if shot.cells else _picture(shot, pictures)
    if shot.heat and shown is not None:
        under = pictures.take(_under(shot, item))
        bare = None if under is None else _image(under, "")
        shown = tag("span", bare, tag("span", shown, class_="heat"), class_="stack")
    if not shot.answer:
        return tag("span", pictures.linked(shot, shown), caption)
    answer = tag("b", tag("bdi", clean(shot.answer, 60)))
    told_of = (caption, answer, f" · {number(shot.probability, 2)}", _judged(shot, told))
    return tag("span", pictures.linked(shot, shown), *told_of)


def _judged(shot: Shot, told: bool) -> Markup | None:
    """Whether the answer is right; the label where no picture beside this one says it."""
    if not shot.label:
        return None
    if shot.answer == shot.label:
        return tag("i", " ✓", class_="right", title="right")
    label = None if told else html(("label ", tag("bdi", clean(shot.label, 60))))
    return html((tag("i", " ✗", title="wrong"), tag("small", label) if label else None))


def _cells(shot: Shot, item: tuple[Shot, ...]) -> Markup:
    """Columns of a table; what differs from the row as it is stands out."""
    before = dict(item[0].cells)
    told = []
    for name, value in shot.cells:
        said = tag("bdi", clean(value, 60))
        same = before.get(name, value) == value
        told.append(tag("span", tag("bdi", clean(name, 60)), " ", said if same else tag("b", said)))
    return tag("span", told, class_="cells")


def _picture(shot: Shot, pictures: Pictures) -> Markup | None:
    if not shot.picture:
        return tag("q", tag("bdi", clean(shot.text, 260))) if shot.text else None
    picture = pictures.take(shot.picture)
    if picture is None:
        return tag("span", f"in thumbnails.zip: {clean(shot.picture, 80)}", class_="missing")
    return _image(picture, describe(shot))


def _image(picture: bytes, words: str) -> Markup:
    width, height = _size(picture)
    source = f"data:image/webp;base64,{_coded(picture)}"
    return tag(
        "img", src=source, width=str(width), height=str(height), loading="lazy", decoding="async", alt=words
    )  # fmt: skip


def _coded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


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
