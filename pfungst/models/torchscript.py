"""TorchScript: recognised, so that what to give instead can be said."""

import sys
import zipfile
from pathlib import Path
from typing import Any


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: a zip file with a folder of code and constants."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # noqa: BLE001 - what is wrong with it is said where it is read
        return False
    return any(name.endswith("constants.pkl") for name in names) and any("/code/" in name for name in names)


def is_scripted(module: Any) -> bool:
    """Whether a PyTorch module was scripted or traced."""
    jit = getattr(sys.modules.get("torch"), "jit", None)
    return jit is not None and isinstance(module, jit.ScriptModule)


def torchscript(source: str) -> str:
    """The sentence that refuses it.

    >>> torchscript("m.pt")[:23]
    'm.pt is TorchScript, a '
    """
    return (
        f"{source} is TorchScript, a form that PyTorch has given up and that runs code of its own; export the network "
        "anew with torch.export.save(torch.export.export(net, (example,)), 'model.pt2') or with torch.onnx.export, or "
        "give file.py:factory with --weights FILE"
    )
