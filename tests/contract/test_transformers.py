"""Models as transformers saves them: small ones with random weights, built, saved and loaded here."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from pfungst.load import bind, load_data, load_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers", reason="transformers is not installed (pip install pfungst[hf])")
torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (6, 43, 53, 3), np.uint8)
NAMES = {0: "cat", 1: "dog", 2: "eel"}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "win", "money", "now", "see", "you", "home", "soon"]


@pytest.fixture(scope="module", autouse=True)
def calm():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def vit(folder, **more):
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        id2label=NAMES, **more,
    )  # fmt: skip
    module = transformers.ViTForImageClassification(config).eval()
    module.save_pretrained(folder)
    return module


def processed(folder, kind="ViTImageProcessor", **settings):
    processor = getattr(transformers, kind)(**settings)
    processor.save_pretrained(folder)
    return processor


def bert(folder, classes=2, positions=24, **more):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=positions, num_labels=classes, **more,
    )  # fmt: skip
    module = transformers.BertForSequenceClassification(config).eval()
    module.save_pretrained(folder)
    folder.joinpath("vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return module, tokenizer


def test_image_classifier_answers_as_transformers_does(tmp_path):
    module = vit(tmp_path)
    processor = processed(tmp_path, size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2] * 3)
    model = load_model(tmp_path)
    assert model.classes == ("cat", "dog", "eel")
    assert model.offers == {"new inputs", "features", "gradients", "bounds", "quicker"}
    assert model.portable
    assert model.frame.size == (32, 32)
    data = bind(model, load_data((PICTURES, np.arange(6) % 3)))
    batch, _ = data.batch(np.arange(6))
    given = processor(images=[Image.fromarray(picture) for picture in PICTURES], return_tensors="pt")
    with torch.no_grad():
        wanted = module(**given).logits.numpy()
    answers = model.predict(batch.inputs)
    np.testing.assert_allclose(answers.logits, wanted, atol=2e-3)
    weight, bias = model.last_layer()
    np.testing.assert_allclose(answers.features @ weight.T + bias, answers.logits, atol=1e-4)
    slope = model.gradient(batch.inputs.astype(np.float32) / 255).gradient
    assert slope.shape == batch.inputs.shape
    assert np.abs(slope).max() > 0


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ViTImageProcessor", {"size": {"height": 32, "width": 32}, "do_normalize": False}),
        ("ViTImageProcessor", {"size": {"height": 24, "width": 32}, "resample": 3, "rescale_factor": 1 / 127.5}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
        ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
        ("CLIPImageProcessor", {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}),
        ("DeiTImageProcessor", {"size": {"height": 36, "width": 36}, "crop_size": {"height": 32, "width": 32}}),
        ("LevitImageProcessor", {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}),
        ("MobileViTImageProcessor", {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}),
        ("EfficientNetImageProcessor", {"size": {"height": 32, "width": 32}}),
        ("BeitImageProcessor", {"size": {"height": 32, "width": 32}}),
    ],
)
def test_image_processors_are_said_in_our_terms(tmp_path, kind, settings):
    from dataclasses import replace

    from pfungst.models.huggingface_pictures import picture_preprocessing

    processor = processed(tmp_path, kind, **settings)
    known = picture_preprocessing(transformers, tmp_path, "m")
    picture = PICTURES[0]
    wanted = np.asarray(processor(images=Image.fromarray(picture), return_tensors="pt")["pixel_values"][0])
    ours = known(replace(known.frame, channels=3)(picture)[None])[0]
    assert ours.shape == wanted.shape
    assert np.abs(ours - wanted).mean() < 0.02 * np.ptp(wanted)


def test_a_processor_that_does_something_else_is_refused(refused, tmp_path):
    vit(tmp_path)
    processed(tmp_path, "EfficientNetImageProcessor", size={"height": 32, "width": 32}, rescale_offset=True)
    refused(lambda: load_model(tmp_path), "EfficientNetImageProcessor", "pfungst does not")


def test_without_a_processor_the_size_is_the_configuration_s(tmp_path):
    vit(tmp_path)
    model = load_model(tmp_path)
    assert model.frame.size == (32, 32)
    assert any("no preprocessing was given" in note for note in model.notes)


def test_text_classifier_answers_as_transformers_does_in_any_order(refused, tmp_path):
    module, tokenizer = bert(tmp_path)
    model = load_model(tmp_path)
    texts = np.array(["win money now", "see you", "", "home soon see you home", "win"] * 9, dtype=object)
    with torch.no_grad():
        wanted = module(**tokenizer(list(texts), padding=True, return_tensors="pt")).logits.numpy()
    answers = model.predict(texts)
    np.testing.assert_allclose(answers.logits, wanted, atol=1e-5)
    assert model.offers == {"new inputs", "features", "quicker"}
    weight, bias = model.last_layer()
    np.testing.assert_allclose(answers.features @ weight.T + bias, answers.logits, atol=1e-5)
    np.testing.assert_allclose(model.predict(texts[::-1]).logits[::-1], wanted, atol=1e-5)
    refused(lambda: model.predict(PICTURES), "classifies texts", "column `text`")


def test_long_texts_are_cut_and_the_notes_say_so(tmp_path):
    bert(tmp_path, positions=12)
    model = load_model(tmp_path)
    long = np.array(["win " * 40, "see you"], dtype=object)
    assert model.predict(long).logits.shape == (2, 2)
    assert "texts are cut after 12 tokens, 1 of the first 2 are longer" in model.notes


def test_positions_behind_the_padding_are_not_used_by_roberta(tmp_path):
    from pfungst.models.huggingface_texts import longest

    _, tokenizer = bert(tmp_path)
    config = transformers.RobertaConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=14, pad_token_id=1,
    )  # fmt: skip
    module = transformers.RobertaForSequenceClassification(config).eval()
    assert longest(tokenizer, module) == 12
    module(input_ids=torch.full((1, 12), 5))


def test_a_tokenizer_without_padding_is_asked_text_by_text(tmp_path):
    bert(tmp_path)
    model = load_model(tmp_path)
    texts = np.array(["win money now", "see you", "home"], dtype=object)
    wanted = model.predict(texts).logits
    model.tokenizer.pad_token = None
    np.testing.assert_allclose(model.predict(texts).logits, wanted, atol=1e-5)


def test_fingerprints_follow_weights_vocabulary_and_processor(tmp_path):
    bert(tmp_path / "a")
    first = load_model(tmp_path / "a").fingerprint
    assert load_model(f"hf:{tmp_path / 'a'}").fingerprint == first
    raw = json.loads((tmp_path / "a" / "tokenizer.json").read_text())
    raw["model"]["vocab"]["win"], raw["model"]["vocab"]["soon"] = 11, 5
    (tmp_path / "a" / "tokenizer.json").write_text(json.dumps(raw))
    assert load_model(tmp_path / "a").fingerprint != first


def test_other_weights_go_with_the_layout(tmp_path):
    from safetensors.torch import save_file

    module = vit(tmp_path)
    plain = load_model(tmp_path)
    state = {name: tensor * 0.5 for name, tensor in module.state_dict().items()}
    save_file(state, tmp_path.parent / "half.safetensors")
    half = load_model(tmp_path, weights=tmp_path.parent / "half.safetensors")
    assert half.fingerprint != plain.fingerprint
    weight, _ = half.last_layer()
    np.testing.assert_allclose(weight, module.classifier.weight.detach() * 0.5)


def test_what_is_no_trained_classifier_is_refused(refused, tmp_path):
    vit(tmp_path / "a").vit.save_pretrained(tmp_path / "body")
    refused(lambda: load_model(tmp_path / "body"), "ViTModel", "ForImageClassification")
    config = json.loads((tmp_path / "body" / "config.json").read_text())
    config["architectures"] = ["ViTForImageClassification"]
    (tmp_path / "body" / "config.json").write_text(json.dumps(config))
    refused(lambda: load_model(tmp_path / "body"), "classifier.weight", "at random")
    bert(tmp_path / "r", classes=1)
    refused(lambda: load_model(tmp_path / "r"), "1 score")
    bert(tmp_path / "m", problem_type="multi_label_classification")
    refused(lambda: load_model(tmp_path / "m"), "multi_label_classification")


def test_code_and_pickles_are_not_run(refused, tmp_path):
    module = vit(tmp_path / "p")
    (tmp_path / "p" / "model.safetensors").unlink()
    torch.save(module.state_dict(), tmp_path / "p" / "pytorch_model.bin")
    refused(lambda: load_model(tmp_path / "p"), "pytorch_model.bin", "--trust-pickle")
    trusted = load_model(tmp_path / "p", trust_pickle=True)
    assert trusted.classes == ("cat", "dog", "eel")
    vit(tmp_path / "c")
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.Strange"}}
    (tmp_path / "c" / "config.json").write_text(json.dumps(config))
    (tmp_path / "c" / "code.py").write_text("raise SystemExit('run')")
    refused(lambda: load_model(tmp_path / "c"), "its own code", "never run")


def test_a_hub_that_is_not_reached_is_one_sentence(refused, monkeypatch):
    import huggingface_hub

    def gone(*_, **__):
        raise OSError("no route to host\nsecond line")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", gone)
    refused(lambda: load_model("hf:org/name"), "could not be fetched", "no route to host", "folder")


def test_the_hub_s_snapshot_is_read_like_a_folder(tmp_path, monkeypatch):
    import huggingface_hub

    bert(tmp_path)
    asked = {}

    def fetched(name, **more):
        asked.update(name=name, **more)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    model = load_model("hf:org/name@v2")
    assert model.source == "hf:org/name@v2"
    assert (asked["name"], asked["revision"]) == ("org/name", "v2")
    assert not any(pattern.endswith((".bin", ".py")) for pattern in asked["allow_patterns"])
