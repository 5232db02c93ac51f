"""Odd masks, columns, classes, pictures, texts and tables: what the audit says of tricks is right, or says why not."""

import numpy as np
import pytest

import pfungst
from pfungst.errors import InputError

CHAPTERS = ("shortcuts", "attribution", "mistakes")
ROWS = 160
SIDE = 12
MIDDLE = np.s_[:, 3:9, 3:9]
WORDS = ("alpha", "beta", "gamma", "delta", "eps", "zeta")


def audited(model, data, only=CHAPTERS, **options):
    """An audit in which no chapter broke."""
    said = pfungst.audit(model, data, only=only, images=False, **options)
    assert not [entry for entry in said.skipped if "broke" in entry.reason]
    return said


def named(said, probe="shortcuts", kind="cue", status="found"):
    return {one.subject for one in said.findings if (one.probe, one.kind, one.status) == (probe, kind, status)}


def told(said):
    """Names of all that was found in the chapter on tricks, relied upon or only there to be."""
    return named(said) | named(said, kind="latent-cue")


def reasons(said, probe):
    return [entry.reason for entry in said.skipped if entry.probe == probe]


def margin(values):
    return np.stack([-values, values], axis=1)


def shade(pictures):
    """Scores by the mean brightness of the whole picture."""
    return margin(20 * (pictures.reshape(len(pictures), -1).mean(axis=1) / 255 - 0.5))


def thing(pictures):
    """Scores by the brightness of the middle, where the object lies."""
    return margin(20 * (pictures[MIDDLE].mean(axis=(1, 2, 3)) / 255 - 0.5))


def ground(pictures):
    """Scores by which side of the top and of the bottom is brighter."""
    rows = np.concatenate([pictures[:, :2], pictures[:, -2:]], axis=1).astype(float)
    left, right = rows[:, :, : SIDE // 2], rows[:, :, SIDE // 2 :]
    return margin((left - right).mean(axis=(1, 2, 3)) / 10)


def scene(rows=ROWS, agrees=0.5, slope=25, seed=0):
    """Grey pictures of a thing whose shade is its class, on a ground whose brighter side agrees; labels; masks."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    around = np.where(rng.random(rows) < agrees, labels, 1 - labels)
    ramp = np.where(np.arange(SIDE) < SIDE // 2, slope, -slope)[None, None, :, None]
    pictures = rng.normal(128, 12, (rows, SIDE, SIDE, 1)) + (around * 2 - 1)[:, None, None, None] * ramp
    pictures[MIDDLE] = rng.normal(128, 12, pictures[MIDDLE].shape) + (labels * 80 - 40)[:, None, None, None]
    masks = np.zeros((rows, SIDE, SIDE), bool)
    masks[MIDDLE] = True
    return pictures.clip(0, 255).astype(np.uint8), labels, masks


def lit(height=8, width=8, channels=1, *, second=None, rows=ROWS, seed=0):
    """Grey or coloured noise, lit brighter for the second class; labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2 if second is None else rng.permutation((np.arange(rows) < second).astype(int))
    pictures = rng.normal(128, 20, (rows, height, width, channels)) + (labels * 60 - 30)[:, None, None, None]
    return pictures.clip(0, 255).astype(np.uint8), labels


# masks


@pytest.mark.parametrize("shape", [(9, 7), (SIDE, SIDE - 1), (SIDE,), (SIDE, SIDE, 1), ()])
def test_masks_of_another_size_are_refused_with_both_sizes(shape):
    pictures, labels, _ = scene(40)
    with pytest.raises(InputError) as caught:
        pfungst.audit(shade, {"inputs": pictures, "labels": labels, "masks": np.ones((40, *shape), bool)})
    for words in ("`masks`", str((40, *shape)), f"{SIDE} x {SIDE}"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_masks_of_another_size_in_a_file_name_the_file(tmp_path):
    pictures, labels, masks = scene(40)
    np.savez(tmp_path / "d.npz", inputs=pictures, labels=labels, masks=masks[:, 1:])
    with pytest.raises(InputError, match=r"d\.npz has shape \(40, 11, 12\) and its pictures are 12 x 12"):
        pfungst.audit(shade, str(tmp_path / "d.npz"))


@pytest.mark.parametrize(("marked", "words"), [(False, "no pixel"), (True, "every pixel")])
def test_masks_that_tell_no_object_from_its_ground_accuse_no_background_and_are_left_out_in_words(marked, words):
    pictures, labels, masks = scene(slope=0)
    said = audited(thing, {"inputs": pictures, "labels": labels, "masks": np.full_like(masks, marked)})
    assert not told(said) & {"background", "position"}
    assert any(f"mark {words} of any picture" in note for note in said.report.data["notes"])
    assert any(f"mark {words} of any picture" in note for note in said.report.settings["assumed"])


def test_masks_that_do_tell_them_apart_find_the_model_of_the_ground_and_clear_that_of_the_thing():
    pictures, labels, masks = scene(240, agrees=0.95)
    data = {"inputs": pictures, "labels": labels, "masks": masks}
    only = ("shortcuts",)
    assert "background" in named(audited(ground, data, only))
    cleared = audited(thing, data, only)
    assert "background" not in named(cleared)
    assert "background" in named(cleared, status="absent")


# columns of metadata


def metadata(labels, seed=1):
    rng = np.random.default_rng(seed)
    rows = len(labels)
    mixed = (1, "x", None, float("nan"), 2.5)
    code = np.where(rng.random(rows) < 0.95, labels, 1 - labels)
    return {
        "constant": np.full(rows, "one"),
        "zero": np.zeros(rows),
        "serial": np.array([f"u{row}" for row in range(rows)]),
        "number": rng.permutation(rows),
        "holes": np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)),
        "void": np.full(rows, np.nan),
        "nothing": np.full(rows, None, object),
        "mixed": np.array([mixed[int(at)] for at in rng.integers(0, 5, rows)], object),
        "code": np.array([None if row % 9 == 0 else "ab"[shown] for row, shown in enumerate(code)], object),
        "dose": np.where(np.arange(rows) % 7 == 0, np.nan, code + rng.normal(0, 0.2, rows)),
    }


@pytest.mark.parametrize("role", ["", "site", "group"])
def test_of_odd_columns_only_those_that_tell_the_label_are_named(role):
    pictures, labels, _ = scene()
    columns = metadata(labels)
    task = {"columns": {role: list(columns)}} if role else None
    said = audited(thing, {"inputs": pictures, "labels": labels, **columns}, ("shortcuts", "mistakes"), task=task)
    found = [one for one in said.findings if one.status == "found"]
    assert {one.subject for one in found if one.subject.startswith("column:")} == {"column:code", "column:dose"}
    assert all(one.kind == "latent-cue" for one in found if one.subject.startswith("column:"))
    assert all("the model is not shown it" in one.claim for one in found if one.subject.startswith("column:"))
    others = set(columns) - {"code", "dose"}
    assert not [one.subject for one in found if any(name in one.subject for name in others)]


def test_a_unit_of_one_row_each_is_as_no_unit_and_a_unit_of_all_rows_leaves_nothing_to_compare():
    pictures, labels = lit()
    data = {"inputs": pictures, "labels": labels, **metadata(labels)}
    each, whole = (
        audited(shade, data, ("shortcuts",), task={"columns": {"unit": unit}}) for unit in ("serial", "constant")
    )
    assert "brightness" in named(each)
    assert not [one for one in whole.findings if one.probe == "shortcuts"]
    assert reasons(whole, "shortcuts")[0].startswith("0 labelled rows in a half; 30 are")
    assert whole.verdict.generalizes != "yes"


# few rows


@pytest.mark.parametrize("second", [1, 2, 5, 10, 20, 29])
def test_a_class_of_fewer_than_thirty_rows_leaves_tricks_undecided_and_says_how_many_there_were(second):
    said = audited(shade, lit(second=second, rows=240), ("shortcuts",))
    assert not [one for one in said.findings if one.probe == "shortcuts"]
    (reason,) = reasons(said, "shortcuts")
    number, *rest = reason.split(" ")
    assert 0 <= int(number) <= second // 2
    assert " ".join(rest).startswith("rows in a half are not of its commonest class; 15 are the least")
    assert said.verdict.generalizes != "yes"


@pytest.mark.parametrize("rows", [2, 20, 58])
def test_fewer_rows_than_thirty_a_half_leave_tricks_undecided_and_say_how_many_there_were(rows):
    said = audited(shade, lit(rows=rows), ("shortcuts",))
    assert not [one for one in said.findings if one.probe == "shortcuts"]
    (reason,) = reasons(said, "shortcuts")
    assert int(reason.split(" ")[0]) <= rows // 2
    assert "labelled rows in a half; 30 are the least" in reason
    assert said.verdict.generalizes != "yes"


def test_fifty_rows_of_a_class_are_enough():
    assert "brightness" in named(audited(shade, lit(second=50, rows=240), ("shortcuts",)))


# pictures of a few pixels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (3, 5), (1, 8)])
def test_pictures_smaller_than_any_grid_are_audited_and_no_place_is_accused(height, width, channels):
    said = audited(shade, lit(height, width, channels))
    assert named(said) == {"brightness"}
    assert not named(said, "attribution", "outside-object")
    about = {one.subject for one in said.findings if (one.probe, one.kind) == ("shortcuts", "cue")} | {
        entry.subject for entry in said.skipped if entry.probe == "shortcuts"
    }
    assert "border" in about
    assert any(name.startswith("region") for name in about)


def test_a_ring_that_is_the_whole_picture_is_not_accused():
    labels = np.arange(ROWS) % 2
    checks = np.array([[30, -30], [-30, 30]])[None, :, :, None]
    noise = np.random.default_rng(0).normal(128, 15, (ROWS, 2, 2, 1))
    pictures = (noise + (labels * 2 - 1)[:, None, None, None] * checks).clip(0, 255).astype(np.uint8)

    def diagonal(shown):
        return margin((shown[..., 0] * np.array([[1.0, -1.0], [-1.0, 1.0]])).sum(axis=(1, 2)) / 20)

    said = audited(diagonal, (pictures, labels), ("shortcuts",))
    assert named(said) == set()
    (reason,) = (entry.reason for entry in said.skipped if entry.subject == "border")
    assert "it belongs to what the rows show" in reason


def test_a_network_shown_a_few_pixels_gets_maps_by_gradients_too():
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([-20.0, 20.0])[:, None, None, None]
        net[0].bias[:] = torch.tensor([10.0, -10.0])
    said = audited(net, lit(3, 5))
    assert named(said) == {"brightness"}
    assert not reasons(said, "attribution")
    assert any("gradient-x-input" in record.name for record in said.passes)


# models without gradients


def test_a_plain_function_gets_no_maps_by_gradients_and_black_box_maps_all_the_same():
    without_gradients(audited(thing, scene()[:2]))


def test_an_onnx_network_gets_no_maps_by_gradients_and_black_box_maps_all_the_same(onnx_classifier):
    middle = np.zeros((SIDE, SIDE))
    middle[MIDDLE[1:]] = 20 / 36
    path = onnx_classifier(margin(middle.ravel()), (1, SIDE, SIDE), bias=np.array([10.0, -10.0]))
    without_gradients(audited(str(path), scene()[:2]))


def without_gradients(said):
    (reason,) = reasons(said, "attribution")
    assert "gradients, which this model does not offer" in reason
    assert any("gradients" in entry.reason for entry in said.skipped if entry.probe == "shortcuts")
    asked = " ".join(record.name for record in said.passes)
    assert "occlusion" in asked
    assert "gradient" not in asked
    (border,) = (one for one in said.findings if (one.kind, one.subject) == ("outside-object", "border"))
    assert border.status == "absent"
    (cost,) = (piece for piece in border.evidence if getattr(piece, "title", "") == "What the maps cost")
    assert "occlusion" in {row[0] for row in cost.rows}
    assert not {"gradient-x-input", "integrated-gradients", "grad-cam"} & {row[0] for row in cost.rows}
    assert not [one for one in said.findings if one.kind == "unfaithful"]


# texts


def texts(kind, seed=0):
    """Texts of three words, or of six for the second class; all or a quarter of them of zero length or only blanks."""
    rng = np.random.default_rng(seed)
    labels = np.arange(ROWS) % 2
    given = np.array([" ".join(rng.choice(WORDS, 3 + 3 * label)) for label in labels], object)
    blanks = {"empty": ("",), "blank": (" ", "  \t", "\n  ", "\u00a0")}
    much, _, which = kind.rpartition(" ")
    for row in range(0, ROWS, 1 if much == "all" else 4):
        given[row] = blanks[which][row // 4 % len(blanks[which])]
    return given, labels


def counted(given):
    """Scores by the number of words."""
    return margin(np.array([len(str(text).split()) for text in given]) - 4.5)


@pytest.mark.parametrize("kind", ["all empty", "all blank"])
def test_texts_that_say_nothing_carry_no_trick(kind):
    given, labels = texts(kind)
    said = audited(counted, {"text": given, "label": labels})
    assert told(said) == set()
    assert not [one for one in said.findings if one.subject.startswith("token")]
    assert said.verdict.generalizes == "no"
    assert "always giving the commonest label" in said.verdict.sentence


@pytest.mark.parametrize("kind", ["some empty", "some blank"])
def test_a_model_that_counts_words_is_found_among_texts_some_of_which_are_empty(kind):
    said = audited(counted, texts(kind))
    assert named(said) == {"length"}
    assert not reasons(said, "attribution")


def test_texts_of_one_word_name_the_word_and_not_the_length():
    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % 2
    given = np.array([WORDS[label] if rng.random() < 0.95 else WORDS[2] for label in labels], object)
    said = audited(lambda texts: margin(6.0 * np.array(["beta" in str(text) for text in texts]) - 3), (given, labels))
    found = named(said)
    assert found
    assert found <= {"token:alpha", "token:beta"}
    assert "length" in named(said, status="absent")


def record(seed=1):
    """Numbers, codes, anything and nothing, all in columns of objects with values missing; and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(ROWS) % 2
    missing = (None, float("nan"))
    anything = (1, "x", None, float("nan"), 2.5, -3, True, "", "1.5")
    shown = np.where(rng.random(ROWS) < 0.9, labels, 1 - labels)
    dose = [missing[row % 2] if row % 5 == 0 else float(rng.normal(2 * labels[row] - 1)) for row in range(ROWS)]
    code = [missing[row % 2] if row % 9 == 0 else 7 if row % 13 == 0 else f"K{shown[row]}" for row in range(ROWS)]
    return {
        "dose": np.array(dose, object),
        "code": np.array(code, object),
        "noise": np.array([anything[int(at)] for at in rng.integers(0, 9, ROWS)], object),
        "nothing": np.full(ROWS, None, object),
    }, labels


def meant(*columns):
    """A task in which these columns must not matter."""
    return {"must_not_matter": {f"column:{name}": 0.05 for name in columns}}


def by_dose(rows):
    return margin(np.array([row[0] if isinstance(row[0], float) and row[0] == row[0] else 0.0 for row in rows]))


def by_code(rows):
    return margin(np.array([{"K0": -2.0, "K1": 2.0}.get(row[1], 0.0) for row in rows]))


@pytest.mark.parametrize(("model", "column", "other"), [(by_dose, "dose", "code"), (by_code, "code", "dose")])
def test_tables_of_mixed_types_and_missing_values_name_the_column_that_is_read(model, column, other):
    columns, labels = record()
    said = audited(model, {**columns, "label": labels}, task=meant("dose", "code"))
    assert named(said) == {f"column:{column}"}
    assert named(said, kind="latent-cue") == {f"column:{other}"}
    assert not reasons(said, "attribution")
    unsaid = audited(model, {**columns, "label": labels})
    assert not told(unsaid)
    assert "is yours to say" in next(one.reason for one in unsaid.skipped if one.subject == f"column:{column}")


def test_a_matrix_of_objects_is_read_like_its_columns():
    columns, labels = record()
    said = audited(by_code, (np.stack(list(columns.values()), axis=1), labels), task=meant("column 1"))
    assert named(said) == {"column:column 1"}


def test_missing_and_infinite_numbers_carry_no_trick_by_themselves():
    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % 2
    rows = rng.normal(size=(ROWS, 3))
    rows[:, 0] += 4 * labels - 2
    rows[::7, 1], rows[::9, 2] = np.nan, np.inf
    said = audited(lambda shown: margin(shown[:, 0].astype(float)), (rows, labels), task=meant("column 0"))
    assert told(said) == {"column:column 0"}
    open_ = [one for one in said.findings if one.kind == "cue" and one.status == "inconclusive"]
    latent = [one for one in said.findings if one.kind == "latent-cue"]
    assert not [one for one in latent if open_ and "does not rest on it" in one.claim]


def test_rows_without_a_label_among_mixed_columns_are_left_out_of_what_is_counted():
    columns, labels = record()
    some = np.array([None if row % 10 == 0 else "ab"[label] for row, label in enumerate(labels)], object)
    said = audited(by_dose, {**columns, "label": some}, task=meant("dose"))
    assert named(said) == {"column:dose"}
    assert said.headline[0].accuracy.rows == ROWS - ROWS // 10


# one class, two rows, rows again and again


def test_one_class_is_said_and_leaves_tricks_undecided():
    pictures, labels, _ = scene()
    said = audited(shade, (pictures, np.zeros_like(labels)))
    assert not [one for one in said.findings if one.probe == "shortcuts"]
    assert reasons(said, "shortcuts") == ["all labelled rows are of one class, so no row has a donor of another"]
    assert said.verdict.generalizes == "undecided"
    assert "shortcuts" in said.verdict.sentence


@pytest.mark.parametrize("rows", [1, 2])
def test_one_row_or_two_settle_nothing(rows):
    said = audited(shade, lit(rows=rows))
    assert {one.status for one in said.findings} <= {"inconclusive"}
    assert reasons(said, "shortcuts") == ["0 labelled rows in a half; 30 are the least that say anything"]
    assert said.verdict.generalizes != "yes"


def test_rows_that_stand_twice_change_no_name():
    pictures, labels = lit()
    assert named(audited(shade, (pictures, labels), ("shortcuts",))) == {"brightness"}
    assert named(audited(shade, (np.repeat(pictures[:80], 2, axis=0), np.repeat(labels[:80], 2)))) == {"brightness"}


def test_rows_that_stand_twice_under_two_labels_carry_no_trick():
    pictures, _, _ = scene()
    said = audited(shade, (np.repeat(pictures[:80], 2, axis=0), np.arange(ROWS) % 2))
    assert told(said) == set()
    assert said.verdict.generalizes == "no"


def test_one_picture_under_two_labels_carries_no_trick():
    pictures, labels, _ = scene()
    said = audited(shade, (np.repeat(pictures[:1], ROWS, axis=0), labels))
    assert told(said) == set()
    assert said.headline[0].accuracy.value == pytest.approx(0.5)
