"""Exported models in transformers: the same hidden states and logits as ours, the same ids, and nothing random or silent."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import dnaspt
from dnaspt import transformers as ours
from dnaspt.checkpoint import build_model, load_model, save_checkpoint
from dnaspt.checkpoint_config import CheckpointConfig, MemberConfig
from dnaspt.config import BASELINE_ENCODERS, PAD_TOKEN, EncoderConfig
from dnaspt.errors import CheckpointError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import GENE_STATES

transformers: Any = pytest.importorskip("transformers")

ENCODER = EncoderConfig(hidden_size=16, n_layers=8)
LANGUAGE = CheckpointConfig(kind="language", encoder=ENCODER, provenance={"settings": {"seed": 0}})
GENES = CheckpointConfig(kind="task", encoder=ENCODER, task="genes", head="crf", labels=GENE_STATES.names)
SEQUENCES = ["ACGTNACGTTGCA" * 20, "ggcatnnRyu", "A"]


def saved(folder: Path, config: CheckpointConfig = LANGUAGE, architecture: str = "DnasptForMaskedLM") -> Path:
    torch.manual_seed(0)
    tokenizer = {"tokenizer_config.json": json.dumps({"tokenizer_class": "DnasptTokenizer"})}
    save_checkpoint(folder, build_model(config), config, tokenizer, [architecture])
    return folder


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "language")


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "genes", GENES, "DnasptModel")


def batch_of(folder: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(folder)(SEQUENCES, padding=True, return_tensors="pt")


@pytest.mark.parametrize("kind", ["language", "genes"])
def test_auto_model_gives_the_hidden_states_of_our_own_loader(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    model, report = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert type(model) is ours.DnasptModel and not model.training and not report["missing_keys"]
    with torch.no_grad():
        states = model(**batch_of(folder)).last_hidden_state
    own = dnaspt.load(folder, accelerator="cpu").embed(SEQUENCES, pool=None)
    for row, letters, expected in zip(states, SEQUENCES, own, strict=True):
        torch.testing.assert_close(row[: len(letters)], torch.from_numpy(expected), rtol=0, atol=1e-6)
        assert not row[len(letters) :].any()


def test_padding_by_mask_by_token_and_on_either_side_changes_nothing(language: Path) -> None:
    model, batch = transformers.AutoModel.from_pretrained(language), batch_of(language)
    left = transformers.AutoTokenizer.from_pretrained(language, padding_side="left")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
        no_mask = model(batch["input_ids"]).last_hidden_state
        other_letters = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 2)
        by_mask = model(other_letters, attention_mask=batch["attention_mask"]).last_hidden_state
        by_left = model(**left(SEQUENCES, padding=True, return_tensors="pt")).last_hidden_state
        (as_tuple,) = model(**batch, return_dict=False)
    assert torch.equal(states, no_mask) and torch.equal(states, by_mask) and torch.equal(states, as_tuple)
    n = len(SEQUENCES[1])
    torch.testing.assert_close(by_left[1, -n:], states[1, :n], rtol=0, atol=1e-4)  # by other kernels


def test_masked_lm_gives_our_logits_and_a_mean_loss_of_scored_bases(language: Path) -> None:
    model = transformers.AutoModelForMaskedLM.from_pretrained(language)
    own, _ = load_model(language)
    tokens = torch.tensor([[0, 1, 5, 3, 2, 5], [3, 3, 5, 1, 6, 6]])
    labels = torch.tensor([[-100, -100, 2, -100, -100, 0], [-100, -100, 1, -100, -100, -100]])
    with torch.no_grad():
        output, expected = model(tokens, labels=labels), own(tokens)
    torch.testing.assert_close(output.logits, expected, rtol=0, atol=1e-6)
    nats = -expected.log_softmax(-1)[[0, 0, 1], [2, 5, 2], [2, 0, 1]]
    torch.testing.assert_close(output.loss, nats.mean())
    loss = model.train()(tokens, labels=labels).loss
    loss.backward()
    assert model.encoder.layers[0].conv.weight.grad.abs().sum() > 0


def test_a_model_that_knows_a_masked_base_as_t_reads_the_mask_token_so(tmp_path: Path) -> None:
    published = LANGUAGE.model_copy(update={"provenance": {"settings": {"masking": "as-published"}}})
    model = transformers.AutoModelForMaskedLM.from_pretrained(saved(tmp_path / "published", published))
    with torch.no_grad():
        logits = [model(torch.tensor([[0, token, 2]])).logits for token in (5, 3)]
    assert torch.equal(*logits)


def test_ids_are_those_of_our_own_alphabet(language: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(language)
    letters = "ACGTNURYSWKMBDHV"
    letters += letters.lower()
    ids = tokenizer(letters)
    assert ids["input_ids"] == alphabet.tokens(alphabet.encode(letters)).tolist()
    assert ids["attention_mask"] == [1] * len(letters) and set(ids) == {"input_ids", "attention_mask"}
    assert tokenizer("")["input_ids"] == [] and len(tokenizer) == tokenizer.vocab_size == 7
    assert (tokenizer.mask_token_id, tokenizer.pad_token_id) == (5, PAD_TOKEN)
    assert tokenizer("AC[MASK]GT")["input_ids"] == [0, 1, 5, 2, 3]
    assert tokenizer.decode([0, 1, 5, 2, 3, 6]) == "AC[MASK]GT[PAD]"
    assert tokenizer.decode([0, 1, 5, 2, 3, 6], skip_special_tokens=True) == "ACGT"
    assert tokenizer("ACGTACGT", truncation=True, max_length=3)["input_ids"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "said"), [("AC GT", "' ' at position 3"), ("ACG-", "'-' at position 4"), ("é", "'é' at")]
)
def test_what_is_no_nucleotide_is_an_error_and_never_an_n(text: str, said: str, language: Path) -> None:
    with pytest.raises(InputError, match=said):
        transformers.AutoTokenizer.from_pretrained(language)(text)
    with pytest.raises(InputError, match="a pair of sequences; expected one sequence at a time"):
        transformers.AutoTokenizer.from_pretrained(language)("ACG", "ACG")


def test_what_transformers_saves_is_a_checkpoint_again(language: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(language)
    model = transformers.AutoModelForMaskedLM.from_pretrained(language)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (before, config), (after, described) = load_model(language), load_model(tmp_path)
    assert config == described == LANGUAGE
    weights = before.state_dict(), after.state_dict()
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert transformers.AutoTokenizer.from_pretrained(tmp_path)(SEQUENCES) == tokenizer(SEQUENCES)
    assert torch.equal(
        transformers.AutoModel.from_pretrained(tmp_path)(**batch_of(tmp_path)).last_hidden_state,
        transformers.AutoModel.from_pretrained(language)(**batch_of(language)).last_hidden_state,
    )


def test_a_config_tells_transformers_its_sizes(language: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(language)
    assert (type(config), config.hidden_size, config.vocab_size, config.pad_token_id) == (ours.DnasptConfig, 16, 7, 6)
    fresh = transformers.AutoModel.from_config(config)
    assert fresh.encoder.channels.tolist() == list(ENCODER.channels)
    half = transformers.AutoModel.from_pretrained(language, torch_dtype=torch.bfloat16)
    assert half(**batch_of(language)).last_hidden_state.dtype == torch.bfloat16


@pytest.mark.parametrize("kind", ["onehot", "ensemble", "basset"])
def test_what_has_no_hidden_states_is_refused_with_a_reason(kind: str, tmp_path: Path) -> None:
    windows = CheckpointConfig(kind="task", encoder=ENCODER, task="regions", head="sigmoid", labels=("a",))
    member = MemberConfig(encoder=ENCODER)
    update = {"members": (member, member)} if kind == "ensemble" else {"encoder": BASELINE_ENCODERS[kind]}
    folder = saved(tmp_path / kind, windows.model_copy(update=update), "DnasptModel")
    with pytest.raises(CheckpointError, match="no encoder with hidden states, or an ensemble"):
        transformers.AutoModel.from_pretrained(folder)


def test_a_fine_tuned_model_has_no_masked_lm_head(genes: Path) -> None:
    with pytest.raises(CheckpointError, match="a model fine-tuned for genes, without a masked-LM head; use AutoModel"):
        transformers.AutoModelForMaskedLM.from_pretrained(genes)


def test_weights_that_are_missing_or_of_another_shape_are_never_random(tmp_path: Path) -> None:
    file = saved(tmp_path / "holes") / "model.safetensors"
    tensors = load_file(file)
    save_file({name: own for name, own in tensors.items() if "layers.3.conv." not in name}, file, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"holes: 2 missing tensors \(encoder\.layers\.3\.conv\.bias \.\.\.\)"):
        transformers.AutoModel.from_pretrained(file.parent)
    save_file(tensors | {"encoder.layers.3.conv.bias": torch.zeros(3)}, file, {"format": "pt"})
    with pytest.raises((CheckpointError, RuntimeError), match="mismatch"):
        transformers.AutoModel.from_pretrained(file.parent)
    with pytest.raises(CheckpointError, match="1 mismatched tensors"):
        transformers.AutoModel.from_pretrained(file.parent, ignore_mismatched_sizes=True)


def test_what_the_encoder_does_not_know_is_an_error(language: Path) -> None:
    model = transformers.AutoModel.from_pretrained(language)
    ids = torch.tensor([[0, 1]])
    for options, said in (
        ({"output_hidden_states": True}, "output_hidden_states: not known here"),
        ({"inputs_embeds": torch.zeros(1, 2, 16)}, "inputs_embeds: not known here"),
        ({"attention_mask": torch.ones(2)}, r"input_ids \(1, 2\) and attention_mask \(2,\)"),
    ):
        with pytest.raises(InputError, match=said):
            model(ids, **options)
    for wrong in ([[0, 7]], [[-1, 0]]):
        with pytest.raises(InputError, match=r"an id that is not in 0\.\.6"):
            model(torch.tensor(wrong))
    with pytest.raises(InputError, match=r"input_ids \(2,\)"):
        model(torch.tensor([0, 1]))
    assert model(torch.zeros((2, 0), dtype=torch.long)).last_hidden_state.shape == (2, 0, 16)


def test_heads_are_left_out_in_silence(genes: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("transformers").propagate = True
    with caplog.at_level(logging.WARNING):
        transformers.AutoModel.from_pretrained(genes)
    assert "head." not in caplog.text


@pytest.mark.slow
def test_without_transformers_the_import_is_an_error_that_names_it() -> None:
    code = "import sys; sys.modules['transformers'] = None; import dnaspt.transformers"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = "dnaspt.errors.ConfigError: AutoModel and AutoTokenizer need transformers, which is not installed"
    assert done.returncode == 1 and said in done.stderr.splitlines()[-1]


def test_the_package_alone_imports_no_transformers() -> None:
    code = (
        "import sys, dnaspt; dnaspt.load; print([n for n in ('transformers', 'huggingface_hub') if n in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
