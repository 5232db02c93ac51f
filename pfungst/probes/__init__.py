"""Probes: one file a question of the audit.

Each can be had alone, with settings of its own, for ``pfungst.audit(model, data, probes=[...])``:

>>> import pfungst.probes
>>> pfungst.probes.calibration(tolerance=0.02).tolerance
0.02
"""

from pfungst.probes.adversarial import Adversarial
from pfungst.probes.attribution import Attribution
from pfungst.probes.calibration import Calibration
from pfungst.probes.drift import Drift
from pfungst.probes.feedback import Feedback
from pfungst.probes.mistakes import Mistakes
from pfungst.probes.selection import Selection
from pfungst.probes.shift import Shift
from pfungst.probes.shortcuts import Shortcuts
from pfungst.probes.sites import Sites
from pfungst.probes.unknowns import Unknowns

__all__ = [
    "adversarial", "attribution", "calibration", "drift", "feedback", "mistakes", "selection", "shift",
    "shortcuts", "sites", "unknowns",
]  # fmt: skip

# The names of the files become the probes themselves: `pfungst.probes.shift()` reads as the chapter does.
adversarial, attribution, calibration, mistakes = Adversarial, Attribution, Calibration, Mistakes
drift, feedback, selection = Drift, Feedback, Selection
shift, shortcuts, sites, unknowns = Shift, Shortcuts, Sites, Unknowns
