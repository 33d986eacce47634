"""Where a checkpoint is found, and what its config.json says, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dnaspt.checkpoint_config import (
    CheckpointConfig,
    MemberConfig,
    find_checkpoint,
    has_hidden_states,
    mask_token_of,
    read_config,
)
from dnaspt.config import MASK_TOKEN, BassetConfig, EncoderConfig
from dnaspt.errors import CheckpointError
from dnaspt.genome.alphabet import T
from dnaspt.genome.gene_states import GENE_STATES

TASK = CheckpointConfig(kind="task", encoder=EncoderConfig(), task="genes", head="crf", labels=GENE_STATES.names)


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (folder / "config.json").write_text(text)
    return folder


def test_a_run_means_its_best_checkpoint(tmp_path: Path) -> None:
    last = write(tmp_path / "last" / "step-00000009", "{}")
    assert find_checkpoint(tmp_path) == last
    best = write(tmp_path / "best" / "step-00000003", "{}")
    assert find_checkpoint(str(tmp_path)) == best
    assert find_checkpoint(last) == last


def test_what_is_no_checkpoint_is_told_with_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, problem in (("", "has no checkpoint in it"), ("file", "is a file"), ("no", "no such folder")):
        with pytest.raises(CheckpointError, match=f"{problem}; expected a run of 'dnaspt pretrain'"):
            find_checkpoint(tmp_path / name)


def test_a_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_config(write(tmp_path / "run", TASK.model_dump_json())) == TASK


@pytest.mark.parametrize(("shortest_bp", "min_bp"), [(None, 10), (6, 10), (60, 60)])
def test_predicted_introns_are_as_long_as_those_of_the_training_and_of_10_bp_at_least(
    tmp_path: Path, shortest_bp: int | None, min_bp: int
) -> None:
    config = TASK.model_copy(update={"shortest_intron_bp": shortest_bp})
    assert read_config(write(tmp_path / "run", config.model_dump_json())).min_intron_bp == min_bp
    content = json.loads(config.model_dump_json())
    del content["shortest_intron_bp"]  # as checkpoints of earlier versions
    assert read_config(write(tmp_path / "old", json.dumps(content))).min_intron_bp == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 9}, "format version 9; expected 1"),
        ({"task": "folding"}, "task 'folding'; expected genes"),
        ({"head": "sigmoid"}, "head 'sigmoid' does not fit task 'genes'; expected gene-model or crf"),
        ({"kind": 3}, "not a description of a checkpoint"),
        ({"kind": "else"}, "kind 'else'; expected language or task"),
        ({"provenance": {"encoder": "runs/pre"}}, "not a description of a checkpoint .*settings or encoder"),
        ({"provenance": {"encoder": {"provenance": {"read_splits": 0.5}}}}, ".*read_splits is no list of splits"),
        ({"provenance": {"settings": {"masking": 1}}}, ".*the masking is no text"),
        ({"provenance": {"step": "many"}}, ".*a step or a score is no number"),
        ({"encoder": {"n_layers": 10**7}}, "not a description of a checkpoint"),
        ({"network": {"encoder": {}, "head": "crf"}}, "has a network that no 'crf' head can have"),
        (
            {"head": "gene-model", "network": {"encoder": {}, "head": "gene-model"}},
            "has a network that no 'gene-model' h",
        ),
        ({"head": "gene-model", "network": {"encoder": {}, "head": "sigmoid"}}, "has a network that no 'gene-model' h"),
        ({"head": "gene-model", "network": {"head": "crf"}}, "not a description of a checkpoint"),
        ({"provenance": {"network": {"provenance": []}}}, "not a description of a checkpoint .*network are no JSON"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    content = json.loads(TASK.model_dump_json()) | change
    with pytest.raises(CheckpointError, match=rf"config\.json: {message}"):
        read_config(write(tmp_path / "run", json.dumps(content)))


def test_what_stands_there_for_transformers_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    content = json.loads(TASK.model_dump_json())
    named = {"model_type": "dnaspt", "architectures": ["DnasptModel"], "dtype": "float32", "transformers_version": "5"}
    assert read_config(write(tmp_path / "exported", json.dumps(content | named))) == TASK
    for name, added in (("later", named | {"bias_of_a_later_version": 1}), ("other", {"architectures": ["Bert"]})):
        with pytest.raises(CheckpointError, match="not a description of a checkpoint"):
            read_config(write(tmp_path / name, json.dumps(content | added)))


@pytest.mark.parametrize(
    ("change", "is_there"),
    [
        ({}, True),
        ({"encoder": EncoderConfig(hidden_size=7, n_layers=0)}, False),
        ({"encoder": BassetConfig()}, False),
        ({"members": (MemberConfig(encoder=EncoderConfig()),) * 2}, False),
    ],
)
def test_only_one_encoder_of_ours_has_hidden_states_for_transformers(change: dict[str, object], is_there: bool) -> None:
    assert has_hidden_states(TASK.model_copy(update=change)) is is_there


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_broken_description_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: not a description of a checkpoint \((not JSON|a list)"):
        read_config(write(tmp_path / "run", text))


def test_the_mask_of_bend_and_of_the_authors_code_is_the_base_t() -> None:
    encoder = EncoderConfig()
    for provenance, token in (
        ({}, MASK_TOKEN),
        ({"settings": {"masking": "distinct"}}, MASK_TOKEN),
        ({"settings": {"masking": "as-published"}}, T),
        ({"format": "BEND ConvNet"}, T),
    ):
        config = CheckpointConfig(kind="language", encoder=encoder, provenance=provenance)
        assert mask_token_of(config) == token


def test_a_description_is_read_without_torch() -> None:
    code = "import sys, dnaspt.checkpoint_config; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"
