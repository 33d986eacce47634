"""Hugging Face DNA models as frozen encoders: how tokens are spread over bases, what is read, and what is refused."""

import importlib
import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.unit.models.huggingface_models import OWN_CODE, SPECIAL, all_models

from dnaspt.config import PAD_TOKEN
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.models import huggingface
from dnaspt.models.huggingface import (
    HuggingFaceEncoder,
    check_huggingface_model,
    load_huggingface_encoder,
    read_huggingface_config,
)
from dnaspt.security import OFFLINE, TRUST


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return all_models(tmp_path_factory.mktemp("huggingface"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    monkeypatch.delenv(TRUST, raising=False)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))


def encoder_of(models: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch) -> HuggingFaceEncoder:
    if name == "own_code":
        monkeypatch.setenv(TRUST, "1")
    return load_huggingface_encoder(read_huggingface_config(str(models[name])))


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
    model, tokenizer = encoder._frozen
    hidden = encoder(tokens_of(SEQUENCE))[0]
    tokens = tokenizer.tokenize(SEQUENCE)
    assert sum(tokens.widths) == len(SEQUENCE) and len(tokens.ids[tokens.inner]) == len(tokens.widths)
    assert widths is None or tokens.widths == widths
    with torch.no_grad():
        own = model(torch.tensor([tokens.ids]))[0][0][tokens.inner]
    at = 0
    for vector, width in zip(own, tokens.widths, strict=True):
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
    fresh = HuggingFaceEncoder(encoder.config, *encoder._frozen)
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
        load_huggingface_encoder(read_huggingface_config(str(folder)))
    save_file(
        tensors | {"encoder.LayerNorm.weight": torch.ones(16)}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(ConfigError, match=r"1 unexpected \(encoder.LayerNorm.weight"):
        load_huggingface_encoder(read_huggingface_config(str(folder)))
    spare = {
        "cls.predictions.bias": torch.ones(3),
        "pooler.extra.weight": torch.ones(3),
        "embeddings.position_ids": torch.arange(3),
    }
    save_file(tensors | spare, folder / "model.safetensors", metadata={"format": "pt"})
    load_huggingface_encoder(read_huggingface_config(str(folder)))
    text = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(text | {"pre_layer_norm": True}))
    with pytest.raises(ConfigError, match="pre_layer_norm"):
        read_huggingface_config(str(folder))


def test_logits_are_no_hidden_states(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUST, "1")
    folder = shutil.copytree(models["own_code"], tmp_path / "logits")
    code = (
        (folder / "own.py")
        .read_text()
        .replace("return (states +", "return (torch.cat([states, states], -1),) or (states +")
    )
    (folder / "own.py").write_text(code)
    encoder = load_huggingface_encoder(read_huggingface_config(str(folder)))
    with pytest.raises(ConfigError, match="gives 16 numbers a token, not hidden states of 8"):
        encoder(tokens_of(SEQUENCE))


def test_code_of_its_own_runs_only_where_a_person_allows_it(models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"brings its own code, which would run here; .* --trust-remote-code"):
        read_huggingface_config(str(models["own_code"]))
    marked = shutil.copytree(models["own_code"], tmp_path / "marked")
    trap = tmp_path / "ran"
    (marked / "own.py").write_text(f"open({str(trap)!r}, 'w').write('x')\n" + OWN_CODE)
    with pytest.raises(ConfigError):
        read_huggingface_config(str(marked))
    assert not trap.exists()


def test_code_of_another_repository_is_refused_even_where_code_is_allowed(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRUST, "1")
    folder = shutil.copytree(models["own_code"], tmp_path / "elsewhere")
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("own.OwnModel", "other/repository--own.OwnModel"))
    with pytest.raises(ConfigError, match="takes its code from another repository"):
        read_huggingface_config(str(folder))


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("backbone", "somebody/a-model", "backbone = 'somebody/a-model' names another repository"),
        ("attn_implementation", "somebody/kernels", "attn_implementation = 'somebody/kernels' names another"),
        ("text_config", {"_attn_implementation": "somebody/kernels@main"}, "_attn_implementation = 'somebody/kernels@"),
        ("layers", [{"x": {"backbone": "resnet50"}}], "backbone = 'resnet50' names another repository"),
    ],
)
def test_settings_that_name_another_repository_are_refused(
    setting: str, value: object, said: str, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(models["dnabert"], tmp_path / "elsewhere")
    config = read_huggingface_config(str(folder))
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"attn_implementation": "eager", "backbone": None}))
    read_huggingface_config(str(folder))
    (folder / "config.json").write_text(json.dumps(content | {setting: value}))
    for read in (read_huggingface_config, check_huggingface_model):
        with pytest.raises(ConfigError, match=said):
            read(str(folder))
    with pytest.raises(ConfigError, match=said):
        load_huggingface_encoder(config)
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/a-model"}')
    with pytest.raises(ConfigError, match=r"adapter_config\.json: an adapter of another model"):
        read_huggingface_config(str(folder))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hosts that are asked for while network is allowed; none answers."""
    hosts: list[str] = []

    def refuse(host: str, *_: object, **__: object) -> None:
        hosts.append(host)
        raise OSError("no network in this test")

    monkeypatch.delenv(OFFLINE)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: refuse(str(address)))
    return hosts


def test_a_local_model_is_read_without_network(
    models: dict[str, Path], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in models:
        encoder_of(models, name, monkeypatch)
    assert not asked


def test_a_checkpoint_that_names_a_model_of_the_hub_does_not_download_it(
    models: dict[str, Path], asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    config = read_huggingface_config(str(models["dnabert"])).model_copy(update={"path": "somebody/a-dna-model"})
    with pytest.raises(CheckpointError, match=r"a checkpoint downloads nothing; .* hf download somebody/a-dna-model$"):
        load_huggingface_encoder(config)
    with pytest.raises(CheckpointError, match=r"hf download somebody/a-dna-model --revision abc$"):
        load_huggingface_encoder(config.model_copy(update={"revision": "abc"}))
    assert not asked
    with pytest.raises(ConfigError, match=r"cannot be downloaded|was not found"):
        read_huggingface_config("somebody/a-dna-model")
    assert "huggingface.co" in asked


def test_while_a_folder_is_read_the_hub_is_not_asked_and_then_may_be_again(
    models: dict[str, Path], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = importlib.import_module("huggingface_hub")
    errors: list[Exception] = []

    class Asking:
        @staticmethod
        def from_pretrained(folder: Path, **_: object) -> Path:
            try:
                hub.HfApi().repo_exists("somebody/a-model")
            except Exception as error:
                errors.append(error)
            return folder

    huggingface._from_pretrained(Asking, models["dnabert"], own_code=False)
    assert not asked and "offline" in str(errors[0]).lower()
    Asking.from_pretrained(models["dnabert"])
    assert asked


def test_what_cannot_be_read_is_refused(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        read_huggingface_config(str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="no copy from the Hugging Face hub is here"):
        read_huggingface_config("somebody/a-dna-model")
    pickled = shutil.copytree(models["dnabert"], tmp_path / "pickled")
    torch.save({"embeddings.weight": torch.zeros(2)}, pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    config = read_huggingface_config(str(pickled))
    with pytest.raises(ConfigError, match="safetensors only"):
        load_huggingface_encoder(config)
    config = read_huggingface_config(str(models["dnabert"]))
    (changed := shutil.copytree(models["dnabert"], tmp_path / "changed") / "extra.txt").write_text("x")
    with pytest.raises(CheckpointError, match="its files have sha256"):
        load_huggingface_encoder(config.model_copy(update={"path": str(changed.parent)}))
    english = shutil.copytree(models["dnabert"], tmp_path / "english")
    for name in ("vocab.txt", "tokenizer.json"):
        (english / name).unlink(missing_ok=True)
    (english / "vocab.txt").write_text("\n".join([*SPECIAL, "the", "and"]) + "\n")
    with pytest.raises(ConfigError, match="expected a DNA language model"):
        read_huggingface_config(str(english))
    monkeypatch.setenv(TRUST, "1")
    monkeypatch.setattr("dnaspt.models.huggingface._find_folder", lambda path, revision: models["own_code"])
    with pytest.raises(ConfigError, match="pin it with --revision"):
        read_huggingface_config("somebody/a-dna-model", "main")


@pytest.mark.parametrize("rest", range(7))
def test_a_short_end_is_read_with_letters_of_the_chunk_before(
    models: dict[str, Path], rest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(models, "dnabert", monkeypatch)
    rows = torch.randint(0, 4, (1, 2 * encoder.config.chunk_bp + rest), dtype=torch.uint8)
    assert (encoder(rows)[0].abs().sum(1) > 0).all()
    short = encoder(rows[:, :rest])
    assert short.shape == (1, rest, 16) and (rest < 3) == (not short.any())


def test_where_transformers_is_missing_the_error_says_how_to_install_it(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"need transformers, which is not installed; pip install transformers$"):
        read_huggingface_config(str(models["dnabert"]))


def test_a_model_is_checked_before_its_weights_are_read(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_huggingface_model(str(models["dnabert"]))
    with pytest.raises(ConfigError, match="--trust-remote-code"):
        check_huggingface_model(str(models["own_code"]))
    with pytest.raises(ConfigError, match="no such folder"):
        check_huggingface_model(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("Connection refused"), r"cannot be downloaded from the Hugging Face hub \(ConnectionError\)"),
        (ValueError("404 not found\nand more"), r"was not found on the Hugging Face hub \(404 not found\)"),
    ],
)
def test_a_name_that_the_hub_does_not_give_is_told(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **options: object) -> None:
        assert options["local_files_only"] is False and options["revision"] == "abc"
        raise error

    monkeypatch.delenv(OFFLINE)
    monkeypatch.setattr(importlib.import_module("huggingface_hub"), "snapshot_download", fail)
    with pytest.raises(ConfigError, match=said):
        read_huggingface_config("somebody/a-dna-model", "abc")


def test_a_name_on_the_hub_is_read_from_its_copy(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    hub = importlib.import_module("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: str(models["dnabert"]))
    config = read_huggingface_config("somebody/dnabert")
    assert config.path == "somebody/dnabert"
    assert config.sha256 == read_huggingface_config(str(models["dnabert"])).sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1, 2]", "a list; expected a JSON object"),
        ("{", "cannot be read"),
        (None, "cannot be read"),
        ({"max_position_embeddings": 2}, "takes 2 tokens; expected three or more"),
    ],
)
def test_a_config_that_does_not_describe_a_model_is_refused(
    content: str | dict[str, object] | None, said: str, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(models["dnabert"], tmp_path / "copy")
    file = folder / "config.json"
    if isinstance(content, dict):
        content = json.dumps(json.loads(file.read_text()) | content)
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(ConfigError, match=said):
        read_huggingface_config(str(folder))


def test_vectors_beyond_the_cache_are_read_again(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of(models, "dnabert", monkeypatch)
    first, second = tokens_of(SEQUENCE), tokens_of(SEQUENCE[::-1])
    monkeypatch.setattr(huggingface, "CACHE_BYTES", 28 * 16 * 4)  # one sequence: 28 3-mers of 16 numbers
    expected = encoder(first), encoder(second)
    assert list(encoder._known) == [SEQUENCE]
    assert torch.equal(encoder(first), expected[0]) and torch.equal(encoder(second), expected[1])


def test_an_n_and_a_masked_base_are_both_read_as_n(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of(models, "gena_bert", monkeypatch)
    masked = tokens_of(SEQUENCE)
    masked[0, SEQUENCE.index("N")] = 5
    assert torch.equal(encoder(masked), encoder(tokens_of(SEQUENCE)))
