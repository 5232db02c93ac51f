"""Classifiers in the layout of transformers: a folder with config.json, weights and its own preprocessing."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pfungst.errors import InputError, first_line
from pfungst.models.huggingface_pictures import picture_preprocessing
from pfungst.models.huggingface_texts import TokenModel, longest
from pfungst.models.preprocess import Wanted
from pfungst.models.preprocess_files import read_json
from pfungst.models.torch import Origin, TorchModel, import_torch, torch_model
from pfungst.models.torch_files import fitted
from pfungst.task import Task

_KINDS = {"ForSequenceClassification": "text", "ForImageClassification": "image"}
_TEXTUAL = ("*.json", "*.txt", "*.model", "*.jinja")
_PICKLED = (".bin", ".pt", ".pth")


def is_layout(folder: Path) -> bool:
    """Whether a folder holds a network as transformers saves it."""
    config = folder / "config.json"
    if not config.is_file() or not _weights(folder):
        return False
    return bool({"architectures", "model_type"} & set(read_json(config)))


def load_huggingface(
    source: str,
    task: Task,
    *,
    weights: Path | None = None,
    outputs: str | None = None,
    device: str = "auto",
    threads: int = 0,
    trust_pickle: bool = False,
) -> TorchModel:
    """An image or text classifier from a folder, or from the hub as ``hf:org/name[@revision]``.

    Code that comes with a model is never run, and weights are read from safetensors unless pickles are trusted.

    Raises:
        InputError: if transformers is not installed, nothing can be fetched, or it is no classifier of one label.
    """
    import_torch(source)
    transformers = import_transformers(source)
    folder = _local(source, trust_pickle=trust_pickle)
    with quiet(transformers):
        config = _config(transformers, folder, source)
        kind = _kind(config, source)
        module = _module(transformers, folder, source, kind, trust_pickle=trust_pickle).float()
        module, notes = (module, ()) if weights is None else fitted(module, weights)
        origin = Origin(source, folder, _identity(folder), portable=True, count=config.num_labels, notes=notes)
        if kind == "image":
            origin = _shown_pictures(transformers, origin, config, task)
            return torch_model(module, task, origin, outputs=outputs, device=device, threads=threads)
        tokenizer = _tokenizer(transformers, folder, source)
    made = torch_model(module, task, origin, outputs=outputs, device=device, threads=threads)
    offers = made.offers - {"gradients", "bounds"}
    held = {one.name: getattr(made, one.name) for one in fields(made)} | {"offers": offers}
    return TokenModel(**held, tokenizer=tokenizer, limit=longest(tokenizer, module))


def import_transformers(asked: str) -> Any:
    """The package transformers. Raises InputError if it is not installed."""
    try:
        import transformers  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            f"{asked} needs transformers, which is not installed; run `pip install pfungst[torch,hf]`"
        ) from None
    return transformers


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Its bars and warnings are not shown inside; what matters is said in sentences."""
    logging = transformers.utils.logging
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _local(source: str, *, trust_pickle: bool) -> Path:
    name = source.removeprefix("hf:")
    if Path(name).is_dir():
        return Path(name)
    repository, _, revision = name.partition("@")
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - comes with transformers

        patterns = [*_TEXTUAL, "*.safetensors", *(f"*{end}" for end in _PICKLED if trust_pickle)]
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=patterns))
    except Exception as error:
        raise InputError(
            f"{source} could not be fetched from the hub ({type(error).__name__}: {first_line(error)}); check the name "
            "and the network, or give the folder of a model that was downloaded before"
        ) from error


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", *_PICKLED})


def _config(transformers: Any, folder: Path, source: str) -> Any:
    try:
        return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        own = "auto_map" in (read_json(folder / "config.json") if (folder / "config.json").is_file() else {})
        why = "it brings its own code, which is never run" if own else first_line(error)
        raise InputError(
            f"{source} cannot be opened by transformers {transformers.__version__} ({why}); give file.py:factory with "
            "--weights, or an ONNX export"
        ) from error


def _kind(config: Any, source: str) -> str:
    named = ", ".join(config.architectures or ()) or "nothing"
    kind = next((kind for part, kind in _KINDS.items() if part in named), None)
    if kind is None:
        raise InputError(
            f"{source} is saved as {named}; an image classifier (...ForImageClassification) or a text classifier "
            "(...ForSequenceClassification) is needed"
        )
    if getattr(config, "problem_type", None) in {"multi_label_classification", "regression"} or config.num_labels < 2:
        what = config.problem_type or f"a model of {config.num_labels} score"
        raise InputError(f"{source} is declared as {what}; pfungst judges classifiers whose classes exclude each other")
    return kind


def _module(transformers: Any, folder: Path, source: str, kind: str, *, trust_pickle: bool) -> Any:
    if not trust_pickle and not any(path.suffix == ".safetensors" for path in _weights(folder)):
        held = ", ".join(path.name for path in _weights(folder)[:3]) or "no weights"
        raise InputError(
            f"{source} holds {held}; weights are read from .safetensors (save_pretrained writes them), and from "
            "pickles only with --trust-pickle"
        )
    auto = transformers.AutoModelForImageClassification if kind == "image" else (
        transformers.AutoModelForSequenceClassification
    )  # fmt: skip
    try:
        module, told = auto.from_pretrained(
            folder, output_loading_info=True, trust_remote_code=False, local_files_only=True,
            use_safetensors=None if trust_pickle else True,
        )  # fmt: skip
    except Exception as error:
        raise InputError(
            f"{source} could not be loaded by transformers {transformers.__version__}: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error
    absent = sorted(map(str, told["missing_keys"]))
    if absent:
        raise InputError(
            f"the weights of {source} lack {len(absent)} tensors ({', '.join(absent[:3])}), which would be drawn at "
            "random; give a model that was trained to classify"
        )
    return module


def _shown_pictures(transformers: Any, origin: Origin, config: Any, task: Task) -> Origin:
    assert origin.folder is not None, "a model of transformers has a folder"
    known = picture_preprocessing(transformers, origin.folder, origin.source)
    channels = getattr(config, "num_channels", None)
    if known is not None:
        return replace(origin, preprocess=replace(known, frame=replace(known.frame, channels=channels or 3)))
    if task.preprocess is not None:
        return origin
    size = getattr(config, "image_size", None)
    pair = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list | tuple) else None
    return replace(origin, wanted=Wanted("NCHW", channels or 3, pair))


def _tokenizer(transformers: Any, folder: Path, source: str) -> Any:
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise InputError(
            f"{source} classifies texts and its tokenizer could not be opened ({first_line(error)}); save it into the "
            "same folder with tokenizer.save_pretrained"
        ) from error


def _identity(folder: Path) -> str:
    """Hash of all files that say how the weights are used: configuration, preprocessing, vocabulary."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted({path for pattern in _TEXTUAL for path in folder.glob(pattern)}):
        if not path.name.endswith(".index.json"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
