"""A model behind an address: a server of the Open Inference Protocol with an ONNX network in it, and faults."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime
import pytest

from pfungst.load import bind, load_data, load_model
from pfungst.models.endpoint_tensors import TYPES
from pfungst.outputs import NotFinite
from pfungst.task import Endpoint, Question, Task
from pfungst.task import Preprocess as Section

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 3), np.uint8)
WEIGHTS = RNG.normal(size=(48, 3)).astype(np.float32)
LENGTH = "Inference-Header-Content-Length"
QUICK = Task(endpoint=Endpoint(timeout=5.0, retries=2, wait=0.01, rows=5))


class Speaker(BaseHTTPRequestHandler):
    """Speaks the protocol; ``server.fault`` may take over an inference, ``server.seen`` keeps what came in."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing is printed."""

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers), b""))
        told = {"/v2": self.server.about, "/v2/models/net": self.server.metadata}.get(self.path)
        if told is None:
            self.give(404, json.dumps({"error": f"no model at {self.path}"}).encode())
        else:
            self.give(200, told if isinstance(told, bytes) else json.dumps(told).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))
        with self.server.lock:
            self.server.open += 1
            self.server.most = max(self.server.most, self.server.open)
        try:
            self.handled(body)
        except OSError:
            self.close_connection = True  # whoever asked has gone
        finally:
            with self.server.lock:
                self.server.open -= 1

    def handled(self, body):
        time.sleep(self.server.pause)
        fault = self.server.fault.pop(0) if self.server.fault else None
        if fault is None:
            values, binary = self.taken(body)
            self.infer(values, binary=binary)
        else:
            fault(self)

    def taken(self, body):
        cut = int(self.headers.get(LENGTH, len(body)))
        told = json.loads(body[:cut])["inputs"][0]
        if LENGTH in self.headers:
            raw = body[cut : cut + told["parameters"]["binary_data_size"]]
            return np.frombuffer(raw, TYPES[told["datatype"]]).reshape(told["shape"]), True
        return np.array(told["data"], TYPES[told["datatype"]]).reshape(told["shape"]), False

    def infer(self, values, *, binary):
        scores = self.server.session.run(None, {"input": values})[0]
        head = {"name": "logits", "datatype": "FP32", "shape": list(scores.shape)}
        if binary:
            head["parameters"] = {"binary_data_size": scores.nbytes}
            text = json.dumps({"model_name": "net", "outputs": [head]}).encode()
            self.give(200, text + scores.tobytes(), {LENGTH: str(len(text))})
        else:
            head["data"] = scores.ravel().tolist()
            self.give(200, json.dumps({"model_name": "net", "outputs": [head]}).encode())

    def give(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def serve(onnx_classifier):
    running = []

    def start(shape=(3, 4, 4), weights=WEIGHTS, *, binary=False, kind="float32"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
        server.session = onnxruntime.InferenceSession(str(onnx_classifier(weights, shape, kind=kind)))
        server.about = {"name": "speaker", "version": "1.0", "extensions": ["binary_tensor_data"] if binary else []}
        datatype = {"float32": "FP32", "uint8": "UINT8"}[kind]
        server.metadata = {
            "name": "net", "versions": ["1", "2"], "platform": "onnxruntime_onnx",
            "inputs": [{"name": "input", "datatype": datatype, "shape": [-1, *shape]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, weights.shape[1]]}],
        }  # fmt: skip
        server.seen, server.fault, server.pause = [], [], 0.0
        server.lock, server.open, server.most = threading.Lock(), 0, 0
        server.daemon_threads = True
        server.address = f"http://127.0.0.1:{server.server_address[1]}/v2/models/net"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def shown(model, images=IMAGES):
    data = bind(model, load_data((images, np.arange(len(images)) % 3)))
    return data.batch(np.arange(len(images)))[0].inputs


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("shape", "kind"), [((3, 4, 4), "float32"), ((4, 4, 3), "float32"), ((4, 4, 3), "uint8")])
def test_answers_are_those_of_the_network_behind_it(serve, onnx_classifier, binary, shape, kind):
    server = serve(shape, binary=binary, kind=kind)
    model = load_model(server.address, task=QUICK)
    local = load_model(onnx_classifier(WEIGHTS, shape, kind=kind))
    assert model.classes == ("0", "1", "2")
    assert model.portable
    assert model.offers == {"new inputs"}
    inputs = shown(model)
    np.testing.assert_allclose(model.predict(inputs).logits, local.predict(inputs).logits, rtol=1e-5, atol=1e-6)
    sizes = [len(body) for path, _, body in server.seen if path.endswith("/infer")]
    assert len(sizes) == 1 + 3, "one sample, and twelve rows in requests of five"
    assert "binary" in model.describe()["tensors"] if binary else model.describe()["tensors"] == "JSON"


def test_tables_and_declared_preprocessing(refused, serve):
    server = serve((48,))
    model = load_model(server.address, task=QUICK)
    assert model.width == 48
    rows = RNG.normal(size=(7, 48)).astype(np.float32)
    np.testing.assert_allclose(model.predict(rows).logits, rows @ WEIGHTS, rtol=1e-4, atol=1e-5)
    refused(lambda: model.predict(rows[:, :5]), "(-1, 48)", "(5,)")
    scaled = Task(
        endpoint=QUICK.endpoint, preprocess=Section(mean=(0.5,), std=(0.5,)), task=Question(classes=("a", "b", "c"))
    )
    pictures = load_model(serve().address, task=scaled)
    assert pictures.classes == ("a", "b", "c")
    assert pictures.preprocess.mean == (0.5,)


def test_several_requests_are_in_flight_but_no_more_than_asked(serve):
    server = serve()
    task = Task(endpoint=Endpoint(rows=1, in_flight=3))
    model = load_model(server.address, task=task)
    server.pause = 0.02
    model.predict(shown(model))
    assert 1 < server.most <= 3


def test_headers_of_a_file_are_sent_and_not_shown(refused, serve, tmp_path):
    (tmp_path / "secret").write_text("Authorization: Bearer s3cret\n\nX-Team: audits\n")
    server = serve()
    task = Task(endpoint=Endpoint(headers=str(tmp_path / "secret")))
    model = load_model(server.address, task=task)
    assert all(headers["Authorization"] == "Bearer s3cret" for _, headers, _ in server.seen)
    assert "s3cret" not in json.dumps([model.describe(), model.notes, model.fingerprint])
    (tmp_path / "secret").write_text("no header")
    refused(lambda: load_model(server.address, task=task), "line 1", "no header")
    gone = Task(endpoint=Endpoint(headers=str(tmp_path / "gone")))
    refused(lambda: load_model(server.address, task=gone), "cannot be read")


def test_fingerprints_follow_versions_and_answers(serve):
    server = serve()
    first = load_model(server.address, task=QUICK).fingerprint
    assert load_model(server.address, task=QUICK).fingerprint == first
    other = serve(weights=WEIGHTS + 0.1)
    server.session = other.session
    second = load_model(server.address, task=QUICK).fingerprint
    server.metadata["versions"] = ["3"]
    assert len({first, second, load_model(server.address, task=QUICK).fingerprint}) == 3


# faults: each takes over one inference


def status(code, body=b'{"error": "the network is\\n not loaded"}', **headers):
    def fault(speaker):
        speaker.give(code, body, headers)

    return fault


def dropped(speaker):
    speaker.close_connection = True
    speaker.connection.close()


def answered(told):
    return status(200, told if isinstance(told, bytes) else json.dumps(told).encode())


def scores(**other):
    whole = {"name": "logits", "datatype": "FP32", "shape": [5, 3], "data": [0.5] * 15}
    return answered({"outputs": [whole | other]})


def test_failures_that_pass_are_repeated(serve):
    server = serve()
    model = load_model(server.address, task=QUICK)
    inputs = shown(model)
    wanted = model.predict(inputs).logits
    for faults in ([status(500), status(503)], [dropped], [status(429)]):
        server.fault = list(faults)
        np.testing.assert_array_equal(model.predict(inputs).logits, wanted)


def test_failures_that_stay_are_one_sentence(refused, serve):
    server = serve()
    model = load_model(server.address, task=QUICK)
    one = shown(model)[:5]
    server.fault = [status(500)] * 3
    refused(lambda: model.predict(one), "asked 3 times", "500", "the network is not loaded")
    server.fault = [status(400)]
    refused(lambda: model.predict(one), "answers 400", "not loaded")
    assert not server.fault, "a request that is wrong is not repeated"


def test_a_server_that_stalls_is_left(refused, serve):
    server = serve()
    task = Task(endpoint=Endpoint(timeout=0.1, retries=1, wait=0.01))
    model = load_model(server.address, task=task)
    inputs = shown(model)[:5]
    server.pause = 0.3
    refused(lambda: model.predict(inputs), "asked 2 times", "within 0.1 s", "[endpoint] timeout")
    while server.open:  # those that were left are still being answered
        time.sleep(0.01)
    server.pause = 0.0

    def drip(speaker):
        speaker.send_response(200)
        speaker.send_header("Content-Length", "1000")
        speaker.end_headers()
        for _ in range(12):
            speaker.wfile.write(b"x")
            speaker.wfile.flush()
            time.sleep(0.03)
        speaker.close_connection = True

    server.fault = [drip, drip]
    refused(lambda: model.predict(inputs), "within 0.1 s")


def test_nothing_is_sent_to_where_a_server_points(refused, serve):
    elsewhere, server = serve(), serve()
    model = load_model(server.address, task=QUICK)
    server.fault = [status(307, b"", Location=f"{elsewhere.address}/infer")]
    refused(lambda: model.predict(shown(model)[:5]), "sends on to", "nothing is sent")
    assert not elsewhere.seen


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (answered(b"<html>hello"), ("no JSON", "<html>")),
        (answered([1, 2]), ("no object",)),
        (answered({"error": "?"}), ("without `outputs`",)),
        (answered({"outputs": [{"name": "other"}]}), ("'logits'", "other")),
        (scores(shape=[4, 3], data=[0.5] * 12), ("(4, 3)", "5 rows")),
        (scores(shape=[5, 4]), ("15 numbers", "[5, 4]")),
        (scores(shape=[5, 2], data=[0.5] * 10), ("2 classes",)),
        (scores(shape="wide"), ("shape",)),
        (scores(data=["a"] * 15), ("no numbers",)),
        (scores(data=None), ("numbers",)),
        (scores(datatype="INT64"), ("INT64", "--output")),
        (answered(b'{"a":' + b"[" * 100_000), ("no JSON",)),
    ],
)
def test_answers_that_are_none_are_one_sentence(refused, serve, fault, words):
    server = serve()
    model = load_model(server.address, task=QUICK)
    server.fault = [fault]
    refused(lambda: model.predict(shown(model)[:5]), *words)


def test_numbers_that_are_none_are_told_by_row(serve):
    server = serve()
    model = load_model(server.address, task=QUICK)
    values = [0.5] * 15
    values[7] = float("nan")
    server.fault = [scores(data=values)]
    with pytest.raises(NotFinite) as caught:
        model.predict(shown(model)[:5])
    assert "2" in str(caught.value)


def test_answers_that_are_too_long_are_not_read(refused, serve):
    server = serve()
    model = load_model(server.address, task=Task(endpoint=Endpoint(timeout=5.0, rows=5, answer_bytes=3000)))
    server.fault = [answered(b" " * 5000)]
    refused(lambda: model.predict(shown(model)[:5]), "longer than 3,000 bytes")


def test_metadata_that_say_no_classifier(refused, serve):
    server = serve()
    whole = dict(server.metadata)
    for change, words in [
        ({"inputs": []}, ("name no inputs", "settings on the server")),
        ({"inputs": [{"name": "input"}]}, ("without name, datatype and shape",)),
        ({"inputs": whole["inputs"] * 2}, ("takes 2 inputs",)),
        ({"outputs": [{"name": "l", "datatype": "INT64", "shape": [-1]}]}, ("INT64", "--output")),
        ({"inputs": [{"name": "i", "datatype": "BF16", "shape": [-1, 3]}]}, ("BF16",)),
    ]:
        server.metadata = whole | change
        refused(lambda: load_model(server.address, task=QUICK), *words)
    server.metadata = b"<html>"
    refused(lambda: load_model(server.address, task=QUICK), "no JSON")
    server.metadata = whole
    refused(lambda: load_model(server.address, task=QUICK, output="probs"), "no output 'probs'", "logits")
    refused(lambda: load_model(server.address.replace("net", "other"), task=QUICK), "404", "no model at")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1/models/net", ("/v2/models/NAME",)),
        ("http://user:word@127.0.0.1/v2/models/net", ("[endpoint] headers",)),
        ("http://127.0.0.1:99999/v2/models/net", ("no address",)),
        ("http://127.0.0.1:9/v2/models/net", ("asked 3 times", "refused")),
        ("http://127.0.0.1/v2/models/net?key=1", ("/v2/models/NAME",)),
    ],
)
def test_addresses_that_are_none(refused, address, words):
    refused(lambda: load_model(address, task=QUICK), *words)
