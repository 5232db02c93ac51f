"""Names of the answers: from ``config.json``, ``labels.txt`` or the task file."""

from collections import Counter
from pathlib import Path

from pfungst.errors import InputError, first_line
from pfungst.models.preprocess_files import read_json


def class_names(folder: Path | None) -> tuple[str, ...]:
    """Names written beside a model, in the order of its answers; empty where there are none.

    Raises:
        InputError: if ``id2label`` does not number its classes 0, 1, 2, ...
    """
    if folder is None:
        return ()
    config, listed = folder / "config.json", folder / "labels.txt"
    if config.is_file():
        names = read_json(config).get("id2label")
        if isinstance(names, dict) and names:
            ordered = _in_order(names, config)
            # transformers writes LABEL_0, LABEL_1 where nobody named the classes.
            generic = all(name == f"LABEL_{i}" for i, name in enumerate(ordered))
            return () if generic else distinct(ordered)
    if listed.is_file():
        try:
            lines = listed.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{listed} cannot be read ({first_line(error)}); write the classes in UTF-8") from None
        return distinct(tuple(line.strip() for line in lines if line.strip()))
    return ()


def _in_order(names: dict[str, object], path: Path) -> tuple[str, ...]:
    wanted = [str(i) for i in range(len(names))]
    missing = [key for key in wanted if key not in names]
    if missing:
        raise InputError(
            f"id2label in {path} has {len(names)} names but none for class {missing[0]}; number the classes from 0"
        )
    return tuple(str(names[key]) for key in wanted)


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that tell classes apart: a name that stands for two classes gets their numbers (ImageNet has two cranes).

    >>> distinct(("crane", "dog", "crane"))
    ('crane (0)', 'dog', 'crane (2)')
    """
    times = Counter(names)
    return tuple(f"{name} ({i})" if times[name] > 1 else name for i, name in enumerate(names))


def numbered(count: int) -> tuple[str, ...]:
    """Names of classes that nobody named."""
    return tuple(str(i) for i in range(count))


def settled(
    found: tuple[str, ...], task: tuple[str, ...], count: int | None, source: str
) -> tuple[tuple[str, ...], bool]:
    """Names of ``count`` classes, and whether they are names rather than numbers.

    Names beside the model win over the task file, unless they are only the numbers 0, 1, 2, ...

    Raises:
        InputError: if there are more or fewer names than answers.
    """
    names = task if task and found in {(), numbered(len(task))} else found
    if count is None and not names:
        return (), False
    if names and count is not None and len(names) != count:
        where = "the task file" if names == task else "config.json or labels.txt"
        raise InputError(
            f"{source} answers {count} classes and {where} names {len(names)}; give one name for each, in its order"
        )
    return (names, True) if names else (numbered(count or 0), False)
