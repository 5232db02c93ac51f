"""Beside: what is done again and again while something else is at work."""

import threading
from collections.abc import Callable
from typing import Self


class Beside:
    """Calls ``what`` in a thread of its own after every ``pause`` seconds until it is stopped or fails.

    >>> with Beside(print, pause=lambda: 60.0) as printing:
    ...     printing.check()
    """

    def __init__(self, what: Callable[[], None], pause: Callable[[], float]) -> None:
        self._what, self._pause = what, pause
        self._failed: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise what it failed with, if it did."""
        if self._failed is not None:
            raise self._failed

    def _repeat(self) -> None:
        try:
            while not self._over.wait(self._pause()):
                self._what()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who check are to end with it
            self._failed = error
