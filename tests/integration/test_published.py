"""Frozen published language models as encoders: how tokens are spread over bases, what is refused, and a run to its end."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.integration import published
from tests.integration.in_process import dnaspt

from dnaspt.checkpoint import load_model
from dnaspt.config import PAD_TOKEN
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.inference.emissions import ContigSlice, predict_both_strands, predict_sequences
from dnaspt.models.heads import SoftmaxHead
from dnaspt.models.huggingface import PublishedEncoder, describe_published, load_published
from dnaspt.models.task_model import TaskModel
from dnaspt.policy import OFFLINE, TRUST
from dnaspt.tasks import GENE_STATES


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("published")
    return {
        "dnabert": published.dnabert(root / "dnabert"),
        "dnabert6": published.dnabert(root / "dnabert6", k=6),
        "gena_bert": published.gena_lm(root / "gena_bert", big_bird=False),
        "gena_bigbird": published.gena_lm(root / "gena_bigbird", big_bird=True),
        "nucleotide_transformer": published.nucleotide_transformer(root / "nucleotide_transformer"),
        "own_code": published.own_code(root / "own_code"),
    }


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    monkeypatch.delenv(TRUST, raising=False)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))


def encoder_of(models: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch) -> PublishedEncoder:
    if name == "own_code":
        monkeypatch.setenv(TRUST, "1")
    return load_published(describe_published(str(models[name])))


def tokens_of(letters: str) -> torch.Tensor:
    return torch.tensor([["ACGTN".index(letter) for letter in letters]], dtype=torch.uint8)


SEQUENCE = "ACGTTTAACCGGTACGATCGNACGTTTAAC"


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("dnabert", [2, *[1] * 26, 2]),
        ("dnabert6", [3, *[1] * 23, 4]),
        ("gena_bert", None),
        ("nucleotide_transformer", [6, 6, 6, 1, 1, 1, 6, 1, 1, 1]),
        ("own_code", [1] * 30),
    ],
)
def test_a_token_s_vector_is_repeated_over_its_bases(
    models: dict[str, Path], name: str, widths: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(models, name, monkeypatch)
    model, tokenizer = encoder._held
    hidden = encoder(tokens_of(SEQUENCE))[0]
    cut = tokenizer.cut(SEQUENCE)
    assert sum(cut.widths) == len(SEQUENCE) and len(cut.ids[cut.inner]) == len(cut.widths)
    assert widths is None or cut.widths == widths
    with torch.no_grad():
        own = model(torch.tensor([cut.ids]))[0][0][cut.inner]
    at = 0
    for vector, width in zip(own, cut.widths, strict=True):
        torch.testing.assert_close(hidden[at : at + width], vector.expand(width, -1), rtol=0, atol=1e-6)
        at += width


@pytest.mark.parametrize("name", ["dnabert", "gena_bert", "gena_bigbird", "nucleotide_transformer", "own_code"])
def test_vectors_do_not_depend_on_the_batch_and_long_sequences_are_read_in_chunks(
    models: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(models, name, monkeypatch)
    size = encoder.config.chunk_bp
    rows = torch.randint(0, 4, (3, size + 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rows[1, 90:] = PAD_TOKEN
    together = encoder(rows)
    assert not together[1, 90:].any() and together[1, :90].abs().sum() > 0
    fresh = PublishedEncoder(encoder.config, *encoder._held)
    torch.testing.assert_close(fresh(rows[1:2, :90])[0], together[1, :90], rtol=0, atol=1e-5)
    torch.testing.assert_close(fresh(rows[:1, size:])[0], together[0, size:], rtol=0, atol=1e-5)
    torch.testing.assert_close(encoder(rows), together, rtol=0, atol=0)  # from the cache
    assert not list(encoder.parameters()) and not encoder.state_dict()


def test_a_chunk_with_more_tokens_than_the_model_takes_is_halved(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(models, "gena_bert", monkeypatch)
    letters = "AN" * 100  # 200 tokens; the model takes 128
    hidden = encoder(tokens_of(letters))[0]
    halves = torch.cat([encoder(tokens_of(letters[:100]))[0], encoder(tokens_of(letters[100:]))[0]])
    torch.testing.assert_close(hidden, halves, rtol=0, atol=1e-6)


def test_as_much_is_read_at_once_as_the_model_takes(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens without the two that begin and end: 62 3-mers that overlap, 126 letters or more, and 6-mers side by side."""
    sizes = {
        name: encoder_of(models, name, monkeypatch).config.chunk_bp
        for name in ("dnabert", "gena_bert", "nucleotide_transformer")
    }
    assert sizes == {"dnabert": 64, "gena_bert": 126 * 6, "nucleotide_transformer": 126 * 6}


def test_weights_that_are_not_the_architecture_s_are_refused(models: dict[str, Path], tmp_path: Path) -> None:
    """What is missing would be random, and other at every load."""
    folder = shutil.copytree(models["gena_bert"], tmp_path / "holes")
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "layer.1.attention" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"its weights are not those of the architecture it names: \d+ missing"):
        load_published(describe_published(str(folder)))
    save_file(
        tensors | {"encoder.LayerNorm.weight": torch.ones(16)}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(ConfigError, match=r"1 unexpected \(encoder.LayerNorm.weight"):
        load_published(describe_published(str(folder)))
    spare = {
        "cls.predictions.bias": torch.ones(3),
        "pooler.extra.weight": torch.ones(3),
        "embeddings.position_ids": torch.arange(3),
    }
    save_file(tensors | spare, folder / "model.safetensors", metadata={"format": "pt"})
    load_published(describe_published(str(folder)))
    text = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(text | {"pre_layer_norm": True}))
    with pytest.raises(ConfigError, match="pre_layer_norm"):
        describe_published(str(folder))


def test_logits_are_no_hidden_states(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUST, "1")
    folder = shutil.copytree(models["own_code"], tmp_path / "logits")
    code = (
        (folder / "own.py")
        .read_text()
        .replace("return (states +", "return (torch.cat([states, states], -1),) or (states +")
    )
    (folder / "own.py").write_text(code)
    encoder = load_published(describe_published(str(folder)))
    with pytest.raises(ConfigError, match="gives 16 numbers a token, not hidden states of 8"):
        encoder(tokens_of(SEQUENCE))


def test_code_of_its_own_runs_only_where_a_person_allows_it(models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"brings its own code, which would run here; .* --trust-remote-code"):
        describe_published(str(models["own_code"]))
    marked = shutil.copytree(models["own_code"], tmp_path / "marked")
    trap = tmp_path / "ran"
    (marked / "own.py").write_text(f"open({str(trap)!r}, 'w').write('x')\n" + published.OWN_CODE)
    with pytest.raises(ConfigError):
        describe_published(str(marked))
    assert not trap.exists()


def test_code_of_another_repository_is_refused_even_where_code_is_allowed(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUST, "1")
    folder = shutil.copytree(models["own_code"], tmp_path / "elsewhere")
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("own.OwnModel", "other/repository--own.OwnModel"))
    with pytest.raises(ConfigError, match="takes its code from another repository"):
        describe_published(str(folder))


def test_what_cannot_be_read_is_refused(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        describe_published(str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="no copy from the Hugging Face hub is here"):
        describe_published("somebody/a-dna-model")
    pickled = shutil.copytree(models["dnabert"], tmp_path / "pickled")
    torch.save({"embeddings.weight": torch.zeros(2)}, pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    config = describe_published(str(pickled))
    with pytest.raises(ConfigError, match="safetensors only"):
        load_published(config)
    config = describe_published(str(models["dnabert"]))
    (changed := shutil.copytree(models["dnabert"], tmp_path / "changed") / "extra.txt").write_text("x")
    with pytest.raises(CheckpointError, match="its files have sha256"):
        load_published(config.model_copy(update={"path": str(changed.parent)}))
    english = shutil.copytree(models["dnabert"], tmp_path / "english")
    for name in ("vocab.txt", "tokenizer.json"):
        (english / name).unlink(missing_ok=True)
    (english / "vocab.txt").write_text("\n".join([*published.SPECIAL, "the", "and"]) + "\n")
    with pytest.raises(ConfigError, match="expected a DNA language model"):
        describe_published(str(english))
    monkeypatch.setenv(TRUST, "1")
    monkeypatch.setattr("dnaspt.models.huggingface._folder", lambda path, revision: models["own_code"])
    with pytest.raises(ConfigError, match="pin it with --revision"):
        describe_published("somebody/a-dna-model", "main")


def test_a_head_is_trained_on_it_and_evaluated(models: dict[str, Path], windows: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ("--embeddings", models["nucleotide_transformer"], "--steps", "4", "--batch-bp", "4096")
    ran = dnaspt("finetune", windows, "--out", run, *options)
    assert ran.code == 0, ran.errors
    ran = dnaspt("evaluate", run, "--data", windows)
    assert ran.code == 0, ran.errors
    model, config = load_model(run)
    assert set(model.state_dict()) == {name for name in model.state_dict() if name.startswith("head.")}
    assert config.encoder.architecture == "published"
    described = json.loads((next((run / "best").iterdir()) / "config.json").read_text())
    assert described["encoder"]["sha256"] and described["encoder"]["path"] == str(models["nucleotide_transformer"])
    ran = dnaspt("finetune", windows, "--out", tmp_path / "two", *options, "--preset", "tiny")
    assert ran.code == 2 and "takes the place of" in " ".join(ran.errors)


def test_own_code_is_asked_for_again_by_whoever_reads_the_checkpoint(
    models: dict[str, Path], windows: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--embeddings", models["own_code"], "--steps", "2", "--batch-bp", "4096")
    ran = dnaspt("finetune", windows, "--out", run, *options)
    assert ran.code == 2 and "--trust-remote-code" in " ".join(ran.errors)
    assert dnaspt("finetune", windows, "--out", run, *options, "--trust-remote-code").code == 0
    os.environ.pop(TRUST)
    ran = dnaspt("evaluate", run, "--data", windows)
    assert ran.code == 2 and "--trust-remote-code" in " ".join(ran.errors)
    assert dnaspt("evaluate", run, "--data", windows, "--trust-remote-code").code == 0


@pytest.mark.parametrize("rest", range(7))
def test_a_short_end_is_read_with_letters_of_the_chunk_before(
    models: dict[str, Path], rest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(models, "dnabert", monkeypatch)
    rows = torch.randint(0, 4, (1, 2 * encoder.config.chunk_bp + rest), dtype=torch.uint8)
    assert (encoder(rows)[0].abs().sum(1) > 0).all()
    short = encoder(rows[:, :rest])
    assert short.shape == (1, rest, 16) and (rest < 3) == (not short.any())


@pytest.mark.parametrize("name", ["dnabert", "gena_bert", "nucleotide_transformer"])
def test_a_tiled_prediction_of_genes_equals_the_untiled_one(
    models: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(models, name, monkeypatch)
    torch.manual_seed(0)
    model = TaskModel(encoder, SoftmaxHead(16, GENE_STATES)).eval()
    size = encoder.config.chunk_bp
    codes = np.random.default_rng(0).integers(0, 4, 7 * size + 2, dtype=np.uint8)
    (whole,) = predict_sequences(model, [ContigSlice.whole(codes)], tile_bp=100 * size)
    (tiled,) = predict_sequences(model, [ContigSlice.whole(codes)], tile_bp=2 * size)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    part = ContigSlice(codes, size + 7, 4 * size + 1)
    (inner,) = predict_sequences(model, [part], tile_bp=size // 2)
    np.testing.assert_allclose(inner, whole[part.start : part.end], atol=1e-5)
    (both,) = predict_both_strands(model, [ContigSlice.whole(codes)], GENE_STATES.complement)
    (of_part,) = predict_both_strands(model, [part], GENE_STATES.complement)
    np.testing.assert_allclose(of_part, both[part.start : part.end], atol=1e-5)
