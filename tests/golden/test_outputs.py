"""Scores become answers by the book, and what are no scores of classes is refused in a sentence."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.outputs import Outputs, from_binary, from_logits, from_probabilities

PAIR = np.log(np.array([[0.2, 0.8], [0.9, 0.1]]))


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
@pytest.mark.parametrize("positive", [0, 1])
def test_one_probability_is_that_of_the_class_named(shape, positive):
    p = np.array([0.8, 0.1]).reshape(shape)
    other = from_binary(p, positive=positive).probabilities[:, 1 - positive]
    np.testing.assert_allclose(other, 1 - p.ravel(), atol=1e-6)


def test_a_single_logit_is_refused_because_it_names_no_class():
    with pytest.raises(InputError, match=r"shape \(2,\), one a row"):
        from_probabilities(np.array([0.3, 0.4]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: from_logits(np.zeros((2, 3, 4))), r"shape \(2, 3, 4\)"),
        (lambda: from_logits(np.array([["a", "b"]])), "numbers are needed"),
        (lambda: from_probabilities(np.zeros((2, 3, 4))), r"shape \(2, 3, 4\)"),
        (lambda: from_probabilities(np.array([["a", "b"]])), "numbers are needed"),
        (lambda: from_logits(np.zeros((2, 0))), r"shape \(2, 0\)"),
        (lambda: from_probabilities(np.zeros((2, 0))), r"shape \(2, 0\)"),
        (lambda: from_binary(np.zeros((2, 2)), positive=1), r"shape \(2, 2\)"),
        (lambda: from_binary(np.zeros(2), positive=2), "number 0 or number 1"),
    ],
)
def test_what_are_no_scores_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_answers_are_looked_up_by_row_and_rows_that_were_not_asked_are_an_error():
    outputs = Outputs(PAIR.astype(np.float32), rows=np.array([5, 2]))
    np.testing.assert_allclose(outputs.at(np.array([2, 5, 2])).probabilities[:, 0], [0.9, 0.2, 0.9], atol=1e-6)
    with pytest.raises(KeyError, match="not asked"):
        outputs.at(np.array([2, 3]))
