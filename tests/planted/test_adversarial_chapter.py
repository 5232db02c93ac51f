"""The adversarial chapter: what it says of a network whose distances are known, and what it refuses to say."""

import numpy as np
import pytest

import pfungst
from pfungst.errors import InputError

torch = pytest.importorskip("torch")
SIDE = 8


def network(scale=1.0, stepped=False):
    """Two classes, told by the mean grey of the halves."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2))
    half = torch.ones(SIDE, SIDE)
    half[:, SIDE // 2 :] = -1
    with torch.no_grad():
        net[1].weight[0], net[1].weight[1] = scale * half.ravel(), -scale * half.ravel()
        net[1].bias.zero_()
    return torch.nn.Sequential(Steps(), net) if stepped else net


class Steps(torch.nn.Module):
    """Inputs in whole quarters."""

    def forward(self, x):
        return torch.round(x * 4) / 4


def data(rows=300, contrast=0.1, seed=0):
    """Pictures whose halves differ by ``contrast`` either way: half of it, over the whole picture, turns the answer."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    images = np.full((rows, SIDE, SIDE, 1), 0.5)
    images[:, :, : SIDE // 2] += (contrast * (1 - 2 * labels)).reshape(-1, 1, 1, 1) / 2
    images[:, :, SIDE // 2 :] -= (contrast * (1 - 2 * labels)).reshape(-1, 1, 1, 1) / 2
    return np.clip(images * 255 + rng.normal(0, 1, images.shape), 0, 255).astype(np.uint8), labels


def found(model, rows, **adversarial):
    task = {"adversarial": adversarial} if adversarial else None
    audit = pfungst.audit(model, rows, task=task, only=("adversarial",))
    return {(one.kind, one.subject): one for one in audit.findings}, audit


def test_budgets_are_written_as_the_user_wrote_them():
    known, audit = found(network(), data(rows=120), linf=["4/255", 0.031, 0.2])
    assert {"linf:4/255", "linf:0.031", "linf:0.2"} <= {subject for _, subject in known}
    assert "attacked within linf:0.031" in [one.condition for one in audit.report.headline]


def test_what_was_named_weighs_what_it_weighs_and_what_was_not_is_medium_at_most():
    named, _ = found(network(), data(), linf=[0.1])
    assert named["fragile", "linf:0.1"].severity == "critical"
    usual, _ = found(network(), data())
    assert usual["fragile", "linf:0.1"].status == "found"
    assert usual["fragile", "linf:0.1"].severity == "medium"


def test_a_search_that_fails_proves_nothing_where_no_proof_can_be_had():
    unreadable = torch.nn.Sequential(*network(), torch.nn.Hardtanh(-1e9, 1e9))
    known, _ = found(unreadable, data(contrast=0.5), linf=["2/255"])
    one = known["fragile", "linf:2/255"]
    assert one.effect.value == 0
    assert one.status == "inconclusive"
    assert "proves nothing" in one.claim


def test_a_proof_of_all_rows_may_say_absent():
    known, _ = found(network(), data(contrast=0.5), linf=["2/255"])
    one = known["fragile", "linf:2/255"]
    assert one.status == "absent"
    assert "A proof covers 256 of the rows" in one.claim
    assert "proves nothing" not in one.claim


def test_a_grid_that_was_searched_through_may_say_absent():
    known, _ = found(network(), data(contrast=0.9), linf=["1/255"], rotation=2, translation=0.01)
    assert known["fragile", "rotation-translation"].status == "absent"


def test_hidden_gradients_are_said():
    known, _ = found(network(stepped=True), data(contrast=0.4), linf=[0.35])
    one = known["masked-gradients", ""]
    assert one.status == "found"
    assert "zero everywhere" in one.claim
    assert known["fragile", "linf:0.35"].effect.value > 0.9
    honest, _ = found(network(), data(contrast=0.4), linf=[0.35])
    assert honest["masked-gradients", ""].status == "absent"


def test_passes_count_what_the_model_was_asked():
    """Rows shown and derived, as counted around the model itself."""
    net = network()
    asked = {"forward": 0, "backward": 0}
    net.register_forward_hook(lambda _, taken, __: asked.__setitem__("forward", asked["forward"] + len(taken[0])))
    _, audit = found(net, data(rows=100), linf=[0.03])
    counted = sum(one.forwards for one in audit.report.passes)
    # Batches are filled up, and the derivative is looked for once a batch.
    assert counted >= 0.5 * asked["forward"]


def test_examples_show_the_row_the_change_and_the_end():
    known, _ = found(network(), data(), linf=[0.1])
    gallery = known["fragile", "linf:0.1"].evidence[-1]
    before, change, after = gallery.items[0]
    assert before.picture
    assert change.picture not in {"", before.picture, after.picture}
    assert before.answer == before.label
    assert after.answer != after.label


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"linf": [8]}, "did you mean '8/255'"),
        ({"linf": ["eight"]}, "'eight'"),
        ({"l2": [-1.0]}, "at least 0"),
        ({"patch": 3.0}, "patch is 3.0"),
        ({"linf": ["1/0"]}, "'1/0'"),
    ],
)
def test_budgets_that_are_none_are_refused(asked, words):
    with pytest.raises(InputError, match=words):
        found(network(), data(rows=60), **asked)


@pytest.mark.parametrize("norm", ["l2", "l1", "l0"])
def test_other_norms_break_it_too(norm):
    size = {"l2": 1.0, "l1": 8.0, "l0": 40}[norm]
    known, _ = found(network(), data(), **{norm: [size]})
    assert known["fragile", f"{norm}:{size:g}"].effect.value > 0.5


def test_recorded_answers_are_left_out_with_a_reason(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "answers.npz", logits=rng.normal(0, 1, (200, 2)), labels=rng.integers(0, 2, 200))
    audit = pfungst.audit(tmp_path / "answers.npz", only=("adversarial",))
    assert any("recorded answers" in entry.reason for entry in audit.report.skipped)
