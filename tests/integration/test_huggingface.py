"""Heads on frozen Hugging Face models: trained, evaluated and predicted with."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.integration.in_process import dnaspt
from tests.unit.models.huggingface_models import all_models

from dnaspt.checkpoint import load_model
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.inference.emissions import ContigSlice, predict_both_strands, predict_sequences
from dnaspt.models.heads import SoftmaxHead
from dnaspt.models.huggingface import load_huggingface_encoder, read_huggingface_config
from dnaspt.models.task_model import TaskModel
from dnaspt.security import OFFLINE, TRUST


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return all_models(tmp_path_factory.mktemp("huggingface"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    monkeypatch.delenv(TRUST, raising=False)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))


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


@pytest.mark.parametrize("name", ["dnabert", "gena_bert", "nucleotide_transformer"])
def test_a_tiled_prediction_of_genes_equals_the_untiled_one(models: dict[str, Path], name: str) -> None:
    encoder = load_huggingface_encoder(read_huggingface_config(str(models[name])))
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
