"""What several rooms of tests share: the folder of real data, and small ONNX classifiers."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which can be held back once it is there
from threadpoolctl import threadpool_limits

from pfungst.errors import InputError

# As an audit does: on small matrices the threads of two test processes wait for each other more than they work.
threadpool_limits(1, user_api="blas")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data and networks; tests that need it are skipped where it is absent."""
    path = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real data at {path}; set PFUNGST_DATA")
    return path


@pytest.fixture
def onnx_classifier(tmp_path: Path) -> Callable[..., Path]:
    """Writes a linear ONNX classifier on flattened inputs: ``write(weights, shape)`` gives its path.

    ``weights`` is (numbers, classes), ``shape`` that of one input as the graph takes it. ``batch`` None is dynamic,
    ``last`` an operation applied to the scores, ``kind`` the input's type, ``reshape`` the output's shape a row.
    """

    def write(
        weights: np.ndarray,
        shape: Sequence[int],
        *,
        bias: np.ndarray | None = None,
        batch: int | None = None,
        last: str | None = None,
        kind: str = "float32",
        folder: Path | None = None,
        name: str = "model.onnx",
        reshape: Sequence[int] | None = None,
    ) -> Path:
        onnx = pytest.importorskip("onnx")
        helper, numpy_helper = onnx.helper, onnx.numpy_helper
        types = {"float32": onnx.TensorProto.FLOAT, "uint8": onnx.TensorProto.UINT8, "int64": onnx.TensorProto.INT64}
        classes = weights.shape[1]
        offset = np.zeros(classes, np.float32) if bias is None else bias.astype(np.float32)
        nodes = [
            helper.make_node("Cast", ["input"], ["numbers"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Flatten", ["numbers"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores" if last or reshape else "logits"]),
        ]
        held = [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(offset, "bias"),
        ]
        if last:
            nodes.append(helper.make_node(last, ["scores"], ["logits"]))
        if reshape:
            held.append(numpy_helper.from_array(np.array([0, *reshape], np.int64), "target"))
            nodes.append(helper.make_node("Reshape", ["scores", "target"], ["logits"]))
        rows: int | str = "n" if batch is None else batch
        graph = helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("input", types[kind], [rows, *shape])],
            [helper.make_tensor_value_info("logits", types["float32"], [rows, *(reshape or [classes])])],
            held,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = (folder or tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))
        return path

    return write


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """``refused(call, *words)``: the call is refused in one short sentence that holds the words; gives the sentence."""

    def sentence_of(call: Callable[[], object], *words: str) -> str:
        with pytest.raises(InputError) as caught:
            call()
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert len(sentence) < 700
        for word in words:
            assert word in sentence, sentence
        return sentence

    return sentence_of
