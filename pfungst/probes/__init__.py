"""Probes: one file a question of the audit."""

from pfungst.probes.calibration import Calibration
from pfungst.probes.mistakes import Mistakes
from pfungst.probes.unknowns import Unknowns
