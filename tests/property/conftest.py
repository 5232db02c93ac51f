"""Hypothesis: no deadline (a loaded machine is no defect), the same examples everywhere (a failure must repeat)."""

from hypothesis import settings

settings.register_profile("pfungst", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("pfungst")
