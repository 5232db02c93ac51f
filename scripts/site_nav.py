"""The site's order of pages, for mkdocs: those named in mkdocs.yml that are there, and the others under "More"."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


def on_config(config: Any) -> Any:
    """Called by mkdocs once its settings are read."""
    folder = Path(config["docs_dir"])
    config["nav"] = arranged(config["nav"], sorted(page.name for page in folder.glob("*.md")))
    return config


def arranged(nav: list[Entry], pages: list[str]) -> list[Entry]:
    """The named pages among ``pages`` in their order, sections without any left out, and the rest at the end.

    >>> arranged([{"Start": [{"One": "a.md"}, {"Gone": "b.md"}]}, {"Empty": [{"Gone": "c.md"}]}], ["a.md", "z.md"])
    [{'Start': [{'One': 'a.md'}]}, {'More': ['z.md']}]
    """
    kept = [
        {title: there}
        for section in nav
        for title, entries in section.items()
        if (there := [entry for entry in entries if set(entry.values()) <= set(pages)])
    ]
    more = sorted(set(pages) - set(named(nav)))
    return [*kept, {"More": more}] if more else kept


def named(nav: list[Entry]) -> Iterator[str]:
    """The pages that a nav names."""
    for section in nav:
        for entries in section.values():
            for entry in entries:
                yield from entry.values()
