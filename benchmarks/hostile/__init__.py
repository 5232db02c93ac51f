"""Bad inputs, built by small functions, and what must happen to each."""

from hostile import arrays, networks, photos, pickles, runs, servers, tables, words
from hostile.case import Case


def every() -> list[Case]:
    """All cases."""
    groups = (arrays, tables, photos, words, networks, pickles, servers, runs)
    return [case for group in groups for case in group.cases()]
