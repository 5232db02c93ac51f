"""Markup: the one place where words from outside become HTML, escaped, with control characters made visible."""

import unicodedata
from collections.abc import Iterable
from html import escape
from typing import TypeAlias


class Markup(str):
    """Text that is HTML already; everything else is escaped when it enters a page."""

    __slots__ = ()

    def __html__(self) -> "Markup":
        """What template engines ask for before they escape."""
        return self


Child: TypeAlias = "str | float | Iterable[Child] | None"

# A line of text cannot be turned around, ended or hidden by what it quotes; joiners stay, emoji and scripts need them.
_JOINERS = "\u200c\u200d"
_NOT_XML = "\ufffe\uffff"


def clean(text: str, limit: int | None = None) -> str:
    r"""Text from outside with control, direction and surrogate characters spelled out, cut at ``limit`` characters.

    >>> clean("a\x00b\u202ec")
    'a\\u0000b\\u202ec'
    >>> clean("a long name", 7)
    'a long…'
    """
    plain = text.isascii() and text.isprintable()
    # Nobody reads beyond the limit; a hostile megabyte is not spelled out first.
    shown = text if limit is None else text[: limit + 1]
    shown = shown if plain else "".join(_spelled(character) for character in shown)
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def _spelled(character: str) -> str:
    if character in "\n\t" or character in _JOINERS:
        return character
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in _NOT_XML
    return f"\\u{ord(character):04x}" if hidden else character


def html(value: Child) -> Markup:
    """HTML of a value: markup stays, text is cleaned and escaped, numbers are rounded to a tenth, parts are joined.

    >>> html(["<b>", Markup("<i></i>"), 0.25])
    '&lt;b&gt;<i></i>0.2'
    """
    if value is None:
        return Markup()
    if hasattr(value, "__html__"):
        return Markup(value.__html__())
    if isinstance(value, str):
        return Markup(escape(clean(value)))
    if isinstance(value, int | float):
        return Markup(f"{round(value, 1) + 0.0:.1f}".removesuffix(".0"))
    return Markup("".join(html(part) for part in value))


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """An element; attributes are escaped, ``class_`` is ``class``, other underscores become hyphens, None is left out.

    >>> tag("th", "a & b", scope="row", aria_label="<")
    '<th scope="row" aria-label="&lt;">a &amp; b</th>'
    """
    assert name != "style", "the page's policy allows one style block"
    inside = html(children)
    spelled = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not inside and name in _EMPTY:
        return Markup(f"<{name}{spelled}/>")
    return Markup(f"<{name}{spelled}>{inside}</{name}>")


def prose(text: str, limit: int = 1200) -> Markup:
    """A sentence of a report; what stands between backquotes is set as code.

    >>> prose("run `pfungst show` <now>")
    'run <code>pfungst show</code> &lt;now&gt;'
    """
    parts = clean(text, limit).replace("``", "`").split("`")
    if len(parts) % 2 == 0:
        return html("`".join(parts))
    return html([tag("code", part) if index % 2 else part for index, part in enumerate(parts)])


_EMPTY = frozenset({"line", "rect", "circle", "path", "use", "img", "br", "polyline", "col"})
