"""pfungst answers one question about a trained network: does it generalize, or did it learn a trick?

>>> import pfungst
>>> sorted(pfungst.__all__)[:3]
['Audit', 'InputError', 'Recalibrator']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pfungst.audit_result import Audit, saved
    from pfungst.auditing import audit
    from pfungst.errors import InputError
    from pfungst.exporting import export
    from pfungst.load import load_data, load_model
    from pfungst.methods.calibration_summary import measure_calibration
    from pfungst.methods.recalibrator import Recalibrator
    from pfungst.remedying import remedy
    from pfungst.tables import answers

__version__ = "0.1.0"
__all__ = [
    "Audit", "InputError", "Recalibrator", "answers", "audit", "export", "load_data", "load_model",
    "measure_calibration", "remedy", "saved",
]  # fmt: skip

# Names are found on first use: `pfungst --help` must not wait for numpy.
_HOMES = {
    "Audit": "pfungst.audit_result",
    "InputError": "pfungst.errors",
    "Recalibrator": "pfungst.methods.recalibrator",
    "answers": "pfungst.tables",
    "audit": "pfungst.auditing",
    "export": "pfungst.exporting",
    "load_data": "pfungst.load",
    "load_model": "pfungst.load",
    "measure_calibration": "pfungst.methods.calibration_summary",
    "remedy": "pfungst.remedying",
    "saved": "pfungst.audit_result",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in {"commands", "feedback", "probes", "testing"}:
        return import_module(f"pfungst.{name}")
    raise AttributeError(f"module 'pfungst' has no attribute {name!r}")
