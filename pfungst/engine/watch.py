"""Watch: notices that the model gives no answer, where it is asked in this process."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pfungst.errors import InputError
from pfungst.listening import Listener

TRIES, GRACE = 5, 1.0
"""How often a model that gives no answer is interrupted, and the seconds that it may take each time to come back.

Python drops an interrupt that meets it in a destructor or in the callback of a weak reference: one is not enough.
"""


@dataclass
class Watch:
    """Interrupts the main thread when one batch of one pass takes longer than ``patience`` seconds.

    What runs Python is interrupted. Native code that never comes back cannot be; then ``listen`` hears ``stuck``, and
    may end the process. In another thread than the main one nothing is watched.
    """

    patience: float
    listen: Listener
    at: str = ""
    since: float = float("inf")
    overdue: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def beat(self, at: str) -> None:
        """Say what is asked now."""
        self.at, self.since = at, time.monotonic()

    @property
    def sentence(self) -> str:
        """What happened, and what to do."""
        return (
            f"the model gave no answer within {self.patience:g} s to {self.at}; what is finished is kept: the same "
            "command goes on; with --workers 2, where model and data are files, it finds the rows on which the model "
            "hangs and leaves them out; where it is only slow, give a longer --batch-timeout"
        )

    @contextmanager
    def over(self) -> Iterator[None]:
        """Watch while the body runs.

        Raises:
            InputError: where the body was interrupted because it hung.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        thread = threading.Thread(target=self._look, name="watch", daemon=True)
        thread.start()
        try:
            yield
        except KeyboardInterrupt:
            if not self.overdue:
                raise
            raise InputError(self.sentence) from None
        finally:
            self.ended.set()
            thread.join()

    def _look(self) -> None:
        while not self.ended.wait(min(1.0, self.patience / 4)):
            if time.monotonic() - self.since > self.patience:
                self.overdue = True
                if not any(self._interrupted() for _ in range(TRIES)):
                    self.listen("stuck", {"why": self.sentence})
                return

    def _interrupted(self) -> bool:
        """Interrupt the main thread; whether it came back."""
        # A signal, not only a note to the interpreter: it ends a wait as well.
        if callable(signal.getsignal(signal.SIGINT)):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return self.ended.wait(GRACE)
