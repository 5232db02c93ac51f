"""Probes: one file a question of the audit.

Each can be had alone, with settings of its own, for ``pfungst.audit(model, data, probes=[...])``:

>>> import pfungst.probes
>>> pfungst.probes.calibration(tolerance=0.02).tolerance
0.02
"""

from pfungst.probes.calibration import Calibration
from pfungst.probes.mistakes import Mistakes
from pfungst.probes.shift import Shift
from pfungst.probes.shortcuts import Shortcuts
from pfungst.probes.unknowns import Unknowns

__all__ = ["calibration", "mistakes", "shift", "shortcuts", "unknowns"]

# The names of the files become the probes themselves: `pfungst.probes.shift()` reads as the chapter does.
calibration, mistakes, shift, shortcuts, unknowns = Calibration, Mistakes, Shift, Shortcuts, Unknowns
