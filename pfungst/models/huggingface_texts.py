"""Text classifiers of transformers: texts become tokens here, by the model's own tokenizer."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.errors import InputError
from pfungst.models.blocks import parted
from pfungst.models.scores import outputs_of
from pfungst.models.torch import TorchModel
from pfungst.outputs import Outputs

BLOCK = 32
"""Texts asked at once; those of like length go together, so that little is padded."""
COUNTED = 256
"""Texts among which those that had to be cut are counted."""


@dataclass(eq=False)
class TokenModel(TorchModel):
    """A module that is given tokens of texts; ``limit`` is the number of tokens it can take (0: any).

    It offers no gradients and no bounds: a text has no numbers to derive by.
    """

    tokenizer: Any = None
    limit: int = 0
    lengths: list[int] = field(default_factory=list)

    def predict(self, inputs: Array) -> Outputs:
        """Answer texts.

        Raises:
            InputError: if the inputs are no texts, or the module cannot be run on them.
        """
        if inputs.ndim != 1:
            raise InputError(
                f"{self.source} classifies texts and the rows are of shape {inputs.shape[1:]}; give a table with a "
                "column `text`"
            )
        tokens = self._tokens([str(text) for text in inputs])
        block = BLOCK if self.tokenizer.pad_token_id is not None else 1
        order = np.argsort([len(each) for each in tokens["input_ids"]], kind="stable")
        answers = [self._asked(tokens, order[at : at + block]) for at in range(0, len(order), block)]
        # Back from the order of lengths into the order of the rows.
        values = np.concatenate(answers)[np.argsort(order, kind="stable")]
        if self.linear is None:
            return outputs_of(values, self.means, len(inputs), self.source, len(self.classes))
        scores, features = parted(values, self.linear.in_features)
        return replace(outputs_of(scores, self.means, len(inputs), self.source, len(self.classes)), features=features)

    def tensor(self, inputs: Array) -> Any:
        """Raises InputError: no one tensor stands for texts, so such a model is neither derived nor exported."""
        del inputs
        raise InputError(f"{self.source} is given tokens, not numbers: it cannot be exported for texts; fit last-layer")

    def _tokens(self, texts: list[str]) -> dict[str, Any]:
        tokens = self.tokenizer(texts, truncation=bool(self.limit), max_length=self.limit or None)
        if self.limit and len(self.lengths) < COUNTED:
            more = self.tokenizer(texts[: COUNTED - len(self.lengths)], truncation=False, verbose=False)
            self.lengths.extend(len(each) for each in more["input_ids"])
            cut = sum(length > self.limit for length in self.lengths)
            said = f"texts are cut after {self.limit} tokens, {cut} of the first {len(self.lengths)} are longer"
            self.notes = (*(note for note in self.notes if not note.startswith("texts are cut")), said)
        return dict(tokens)

    def _asked(self, tokens: Mapping[str, Any], rows: Array) -> Array:
        some = {name: [values[row] for row in rows] for name, values in tokens.items()}
        padded = self.tokenizer.pad(some, return_tensors="pt") if len(rows) > 1 else _one(some)
        given = {name: values.to(self.device) for name, values in padded.items()}
        asked = self.quick or self.module
        return self.answered(lambda: asked(**given), f"{len(rows)} texts of up to {given['input_ids'].shape[1]}")

    def describe(self) -> Mapping[str, Any]:
        """Kind, size and tokenizer."""
        about = {name: value for name, value in super().describe().items() if name != "preprocessing"}
        return {**about, "tokenizer": type(self.tokenizer).__name__, "most tokens": self.limit or "any"}


def longest(tokenizer: Any, module: Any) -> int:
    """How many tokens a module can take: the least of what tokenizer and configuration say; 0 where neither does."""
    said = [int(tokenizer.model_max_length)] if tokenizer.model_max_length < 1_000_000 else []
    places = getattr(module.config, "max_position_embeddings", None) or getattr(module.config, "n_positions", None)
    if isinstance(places, int) and places > 0:
        # RoBERTa and its kin count positions from behind their padding's.
        skipped = [
            layer.padding_idx + 1
            for name, layer in module.named_modules()
            if name.endswith("position_embeddings") and getattr(layer, "padding_idx", None) is not None
        ]
        said.append(places - max(skipped, default=0))
    return min(said, default=0)


def _one(tokens: Mapping[str, Any]) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - an extra, and loaded wherever a module is

    return {name: torch.tensor(values) for name, values in tokens.items()}
