"""Properties: the registered cues of whole pictures that pictures of a kind have."""

from pfungst.methods import compression, grain, photometric, spectral
from pfungst.methods.cues import Property, cues

__all__ = ["compression", "cues", "grain", "photometric", "properties", "spectral"]


def properties(channels: int) -> tuple[Property, ...]:
    """The registered properties that pictures with so many channels have.

    >>> sorted({cue.name for cue in properties(3)} - {cue.name for cue in properties(1)})
    ['colour-cast', 'saturation']
    """
    return tuple(cue for name, cue in cues.items() if channels == 3 or name not in {"colour-cast", "saturation"})
