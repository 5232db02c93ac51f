"""What several of these files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def poisonous():
    """The module of the model that fails, which workers and actors import by its name: its folder is known to both."""
    folder = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        patched.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import poisonous

        yield poisonous
