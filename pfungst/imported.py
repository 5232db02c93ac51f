"""Functions of the user's that are named in words: file.py:function or package.module:function."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfungst.errors import InputError, first_line


@dataclass(frozen=True)
class Imported:
    """A function, the folder of its file (None where there is none), and a hash of the file and the name."""

    function: Callable[..., Any]
    folder: Path | None
    hash: str


def needed(package: str, extra: str) -> Any:
    """A package that only one thing needs, imported when that is asked for.

    Raises:
        InputError: if it is not there; it says how to get it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f"this needs the package {package}, which cannot be imported ({first_line(error)}); "
            f"`pip install 'pfungst[{extra}]'` installs it"
        ) from None


@contextmanager
def imported(source: str) -> Iterator[Imported]:
    """Import a function; inside the block its file may import its neighbours, as it could when run as a script.

    Raises:
        InputError: if the file, the module or the function is not there, or the file raises.
    """
    where, _, name = source.rpartition(":")
    path = Path(where) if where.endswith(".py") else None
    if path is not None and not path.is_file():
        raise InputError(f"there is no file {path}; give file.py:function")
    with _neighbours(Path.cwd() if path is None else path.parent):
        module = _module(where, path)
        function = getattr(module, name, None)
        if not callable(function):
            listed = ", ".join(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
            raise InputError(f"{where} has no function {name!r}; it has {listed[:200] or 'none'}")
        file = getattr(module, "__file__", None)
        code = Path(file).read_bytes() if file else b""
        hashed = hashlib.blake2b(code, digest_size=16).hexdigest() + name
        yield Imported(function, Path(file).parent if file else None, hashed)


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _module(where: str, path: Path | None) -> Any:
    try:
        if path is None:
            return importlib.import_module(where)
        name = f"pfungst_factory_{hashlib.blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None, "a .py file always has a loader"
        assert spec.loader is not None, "a .py file always has a loader"
        module = importlib.util.module_from_spec(spec)
        # Dataclasses and pickles look their module up by name while the file is still running.
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{where} could not be imported: {type(error).__name__}: {first_line(error)}") from error
    return module
