"""Load a model, load data, and bring the two together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec.structs
import numpy as np

from pfungst.arrays import Array, array_of
from pfungst.datasets.bound import bind
from pfungst.datasets.columns import distinct
from pfungst.datasets.dataset import Dataset, Roles
from pfungst.datasets.folder import load_folder
from pfungst.datasets.huggingface import is_rows, is_saved, rows_in_memory
from pfungst.datasets.huggingface import load_huggingface as load_huggingface_rows
from pfungst.datasets.mapping import permutation
from pfungst.datasets.npz import from_arrays, load_npz
from pfungst.datasets.shards import named
from pfungst.datasets.table import from_columns, load_table, read_rows, table_in_archive
from pfungst.datasets.webdataset import is_shards, load_shards, only_shards
from pfungst.errors import InputError, NoLabels, damage
from pfungst.loaders import data_loaders, loader_of, model_loaders
from pfungst.models.endpoint import load_endpoint
from pfungst.models.function import FunctionModel, function_model
from pfungst.models.huggingface import is_layout, load_huggingface
from pfungst.models.model import Model
from pfungst.models.onnx import is_session, load_onnx, of_session
from pfungst.models.recorded import load_recorded
from pfungst.models.sklearn import load_sklearn, sklearn_model
from pfungst.models.timm import load_timm
from pfungst.models.torch import Origin, is_module, torch_model
from pfungst.models.torch_files import built, fitted, load_exported
from pfungst.models.torchscript import is_scripted, is_torchscript, torchscript
from pfungst.stored import Stored, is_stored, model_here
from pfungst.task import Columns, Task

__all__ = ["bind", "load_data", "load_model", "permutation"]

MODEL_FORMS = (
    "model.onnx, model.pt2, file.py:factory or pkg.module:factory, hf:org/name or a folder of transformers, timm:name, "
    "model.skops (.joblib, .pkl with --trust-pickle), http(s)://host/v2/models/NAME, or recorded answers (.parquet, "
    ".csv, .npz); files here or at s3://"
)
DATA_FORMS = (
    "a folder, a .zip of one, a table (.csv, .tsv, .parquet, .jsonl), an .npz file, .tar shards, all here or at s3://, "
    "or hf:name[:split]"
)
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet")
_PICKLES = (".skops", ".joblib", ".pkl", ".pickle")
_OWN = re.compile(
    r"(?:hf|timm|https?):.*|.*\.(?:onnx|pt2|npz|zip|tar|parquet|(?:csv|tsv|jsonl)(?:\.gz)?|skops|joblib|pkl|pickle)",
    re.IGNORECASE,
)
"""Forms that no other package's loader can take over."""
_FACTORY = re.compile(r"(?:.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*")
_FOREIGN = re.compile(r"(?:hf|timm|https?|file|s3|gs):")
_WEIGHTS = (".pt", ".pth", ".th", ".ckpt", ".safetensors", ".bin")


@dataclass(frozen=True)
class _Options:
    task: Task
    weights: Path | None
    input: str | None
    output: str | None
    outputs: str | None
    trust_pickle: bool
    device: str
    threads: int


def load_model(
    source: Any,
    *,
    task: Task = Task(),  # noqa: B008 - frozen
    weights: str | Path | None = None,
    input: str | None = None,  # noqa: A002 - the option's own name
    output: str | None = None,
    outputs: str | None = None,
    trust_pickle: bool = False,
    device: str = "auto",
    threads: int = 0,
) -> Model:
    """A model from a file, a factory or a Python object; see the contract's table MODEL.

    Raises:
        InputError: if there is no such file, its form is not read, or it is broken.
    """
    source, weights = model_here(source), model_here(weights)
    held = None if weights is None else Path(weights)
    asked = _Options(task, held, input, output, outputs, trust_pickle, device, threads)
    if not isinstance(source, str | Path):
        return _of_object(source, asked, Origin(type(source).__name__))
    other = None if _OWN.fullmatch(str(source)) else loader_of(model_loaders, str(source))
    if other is not None:
        read = _of_object(other(str(source), task), asked, Origin(str(source), portable=True))
        return replace(read, source=str(source), portable=True) if isinstance(read, FunctionModel) else read
    if _FACTORY.fullmatch(str(source)) and not _FOREIGN.match(str(source)) and not Path(source).exists():
        return _of_factory(str(source), asked)
    if str(source).startswith(("hf:", "timm:")):
        return _of_ecosystem(str(source), asked)
    if str(source).startswith(("http://", "https://")) and weights is None:
        return load_endpoint(str(source), asked.task, input=input, output=output, outputs=outputs)
    path = existing(str(source), "model", MODEL_FORMS)
    if path.is_dir() and is_layout(path) and not any(path.glob("*.onnx")):
        return _of_ecosystem(str(source), asked)
    if weights is not None:
        raise InputError(
            f"--weights {weights} goes with a factory (file.py:factory), hf: or timm:, and the model is {source}; "
            "drop it"
        )
    return _of_file(_inside(path) if path.is_dir() else path, asked)


def _of_ecosystem(source: str, asked: _Options) -> Model:
    given: dict[str, Any] = {
        "weights": asked.weights, "outputs": asked.outputs, "device": asked.device, "threads": asked.threads,
    }  # fmt: skip
    if source.startswith("timm:"):
        return load_timm(source, asked.task, **given)
    return load_huggingface(source, asked.task, trust_pickle=asked.trust_pickle, **given)


def _of_file(path: Path, asked: _Options) -> Model:
    name = path.name.lower()
    if name.endswith(".onnx"):
        return load_onnx(
            path, asked.task, input=asked.input, output=asked.output, outputs=asked.outputs, device=asked.device,
            threads=asked.threads,
        )  # fmt: skip
    if name.endswith(".pt2"):
        return load_exported(
            path,
            asked.task,
            outputs=asked.outputs,
            device=asked.device,
            threads=asked.threads,
            trust_pickle=asked.trust_pickle,
        )
    if name.endswith(_PICKLES):
        return load_sklearn(path, asked.task, outputs=asked.outputs, trust_pickle=asked.trust_pickle)
    if name.endswith((".npz", *_TABLES)):
        return load_recorded(path, asked.task, asked.outputs or asked.task.outputs)
    if is_torchscript(path):
        raise InputError(torchscript(str(path)))
    if name.endswith(_WEIGHTS):
        raise InputError(f"{path} holds weights and not the network; give file.py:factory with --weights {path.name}")
    raise InputError(f"{path} is in no form that is read as a model; give {MODEL_FORMS}")


def _of_factory(source: str, asked: _Options) -> Model:
    made, folder, identity = built(source)
    notes: tuple[str, ...] = ()
    if asked.weights is not None:
        if not is_module(made):
            raise InputError(f"{source} returns {type(made).__name__}, which takes no --weights; return a torch module")
        made, notes = fitted(made, asked.weights)
        folder = asked.weights.parent
    return _of_object(made, asked, Origin(source, folder, identity, portable=True, notes=notes))


def _of_object(thing: Any, asked: _Options, origin: Origin) -> Model:
    if all(hasattr(thing, name) for name in ("predict", "offers", "classes", "describe")):
        return thing  # type: ignore[no-any-return]
    if is_module(thing):
        if is_scripted(thing):
            raise InputError(torchscript(origin.source))
        return torch_model(
            thing, asked.task, origin, outputs=asked.outputs, device=asked.device, threads=asked.threads
        )  # fmt: skip
    if is_session(thing):
        return of_session(thing, asked.task, asked.outputs)
    if hasattr(thing, "predict") and hasattr(thing, "get_params"):
        return sklearn_model(thing, asked.task, origin.source, outputs=asked.outputs)
    if callable(thing):
        return function_model(thing, asked.task, outputs=asked.outputs)
    raise InputError(
        f"{type(thing).__name__} is no form that is read as a model; give {MODEL_FORMS}, or a torch module, an ONNX "
        "session, an estimator or a callable"
    )


def _inside(folder: Path) -> Path:
    found = sorted(path for kind in ("*.onnx", "*.pt2", "*.skops") for path in folder.glob(kind))
    weights = sorted(path for path in folder.iterdir() if path.name.endswith(_WEIGHTS))
    if not found and weights:
        raise InputError(
            f"the folder {folder} holds weights ({weights[0].name}) and no network; give file.py:factory with --weights"
        )
    if len(found) != 1:
        held = f"{len(found)} model files" if found else "no model.onnx, model.pt2 or model.skops"
        raise InputError(f"the folder {folder} holds {held}; name the file of the model")
    return found[0]


def load_data(source: Any, *, task: Task = Task(), name: str = "test", seed: int = 0) -> Dataset:  # noqa: B008 - frozen
    """Rows from a folder, an archive, a table, an ``.npz`` file or arrays; see the contract's table DATA.

    In memory: ``(inputs, labels)``, inputs alone, a mapping of arrays, or a data frame. A set named ``ood:NAME`` holds
    strangers, so whatever labels it has are dropped; one named ``shifted:NAME`` keeps its labels where it has any.

    Raises:
        InputError: if there is nothing to read, or it cannot be read as rows.
    """
    stranger = name.startswith("ood:")
    asked = task if name == "test" else _elsewhere(task, None if stranger else task.columns.label)
    read = _read_shifted if name.startswith("shifted:") else _read
    data = replace(source if isinstance(source, Dataset) else read(source, asked), name=name, seed=seed)
    if stranger:
        return replace(data, labels=None, label_counts=None, classes=(), named=False, columns=_with_own_class(data))
    return data if name == "test" else replace(data, roles=_present(task.columns, data))


def _read_shifted(source: Any, task: Task) -> Dataset:
    """Rows that need not carry labels: where the label column is not there, there are none."""
    try:
        return _read(source, task)
    except NoLabels:
        return _read(source, _elsewhere(task, None))


def _with_own_class(data: Dataset) -> Mapping[str, Array]:
    """The columns, and the names of the classes that strangers came with: one may be a class of the model."""
    if data.labels is None or not data.named:
        return data.columns
    names = np.array([*data.classes, ""], dtype=object)
    return {**data.columns, "own class": names[data.labels]}


def _elsewhere(task: Task, label: str | None) -> Task:
    """The task for another set than the test rows: columns that play a part need not be there."""
    return msgspec.structs.replace(task, columns=Columns(label=label))


def _present(asked: Columns, data: Dataset) -> Roles:
    have = data.columns
    site, group = (tuple(name for name in names if name in have) for names in (asked.site, asked.group))
    unit, time = (name if name in have else None for name in (asked.unit, asked.time))
    return Roles(site or data.roles.site, group, unit, time)


def _read(source: Any, task: Task) -> Dataset:
    if not isinstance(source, str | Path):
        return _in_memory(source, task)
    if is_stored(source):
        return replace(_of_store(Stored(source), task), source=source)
    if str(source).startswith("hf:"):
        return load_huggingface_rows(str(source), task)
    if is_shards(str(source)):
        return load_shards(str(source), task)
    other = None if _OWN.fullmatch(str(source)) else loader_of(data_loaders, str(source))
    if other is not None:
        return _given(other(str(source), task), task, str(source))
    path = existing(str(source), "data", DATA_FORMS)
    if path.is_dir() and is_saved(path):
        return load_huggingface_rows(str(path), task)
    if path.is_dir() and only_shards(path):
        return load_shards(f"{path}/*.tar", task)
    name = path.name.lower()
    if name.endswith(".zip") and (table := table_in_archive(path, task.limits.unpacked)) is not None:
        data, member = table
        return read_rows(data, member, task, source=f"{path}/{member}")
    if path.is_dir() or name.endswith(".zip"):
        return load_folder(path, task)
    if name.endswith(".npz"):
        return load_npz(path, task)
    if name.endswith(_TABLES):
        return load_table(path, task)
    raise InputError(f"{path} is in no form that is read as data; give {DATA_FORMS}")


def _of_store(stored: Stored, task: Task) -> Dataset:
    """Pictures one by one from an object store; one file, shards and saved sets as copies on this machine."""
    name = stored.name
    if is_shards(name):
        folder = Stored(stored.at("..").address, deep=False)
        return load_shards(f"{folder.copied(named(name, folder.names))}/{name}", task)
    if stored.is_file:
        folder = Stored(stored.at("..").address, deep=False)
        path = folder.copied([name]) / name
        return load_table(path, task, stored.at("..")) if name.lower().endswith(_TABLES) else _read(path, task)
    held = stored.names
    if {"dataset_dict.json", "state.json"} & set(held) or (held and all(is_shards(one) for one in held)):
        return _read(stored.copied(held), task)
    return load_folder(stored, task)


def _given(loaded: Any, task: Task, source: str) -> Dataset:
    """What another package's loader returned, under the name that the user wrote."""
    data = loaded if isinstance(loaded, Dataset) else _in_memory(loaded, task)
    return replace(data, source=source)


def _in_memory(source: Any, task: Task) -> Dataset:
    if isinstance(source, tuple) and len(source) == 2:
        return from_arrays(_arrays({"inputs": source[0], "labels": source[1]}), task, source="arrays")
    if isinstance(source, np.ndarray):
        return from_arrays({"inputs": source}, task, source="an array")
    if isinstance(source, Mapping) and "inputs" in source:
        return from_arrays(_arrays(source), task, source="arrays")
    if isinstance(source, Mapping) and source:
        return from_columns(_arrays(source), task, source="columns")
    if is_rows(source):
        return rows_in_memory(source, task)
    if hasattr(source, "columns") and hasattr(source, "to_numpy"):
        distinct([str(name) for name in source.columns], "the data frame")
        return from_columns({str(k): np.asarray(source[k]) for k in source.columns}, task, source="a data frame")
    raise InputError(
        f"data of type {type(source).__name__} are not read; give {DATA_FORMS}, (inputs, labels), or named arrays"
    )


def _arrays(given: Mapping[Any, Any]) -> dict[str, Array]:
    distinct([str(name) for name in given], "the data in memory")
    found = {}
    for name, values in given.items():
        with damage(f"`{name}` of the data in memory is no array and cannot be made one", "give a NumPy array"):
            found[str(name)] = array_of(values)
    return found


def existing(source: str, what: str, forms: str) -> Path:
    """A path that is there. Raises InputError if there is none."""
    path = Path(source)
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = False
    if there and not (path.is_file() or path.is_dir()):
        raise InputError(f"{source[:300]} is a device or pipe, which has no end to read to; give {forms}")
    if there:
        return path
    scheme = _FOREIGN.match(source)
    if scheme is not None:
        raise InputError(f"{what} {source[:300]}: the form {scheme[0]} is not read; give {forms}")
    raise InputError(f"there is no {what} {source[:300]}; give {forms}")
