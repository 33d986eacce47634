"""On every way to a prediction, kernels take subnormal numbers for zero, in every thread; the caller's setting stays."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.evaluation.small_runs import make_run
from tests.unit.inference.small_models import GENES, LANGUAGE, REGIONS, model_of, random_letters, run_of
from tests.unit.inference.variant_models import write_vcf

from dnaspt.evaluation.evaluate import evaluate
from dnaspt.inference.emissions import predict_batches
from dnaspt.inference.model import load
from dnaspt.inference.predict import PredictOptions, predict_file
from dnaspt.inference.variants_vcf import score_variants
from dnaspt.models.kernels import crf_forward_backward, crf_viterbi, encoder_cpu

LENGTH = 2000
"""Long enough for tiles on two threads."""


def halves_to_zero() -> bool:
    return bool(torch.tensor(2e-38) * 0.25 == 0)


Seen = dict[str, dict[int, bool]]
"""By kernel: for each thread that ran it, whether subnormal numbers were zero there, always."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """What the kernels saw, with two threads."""
    found: Seen = {}

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            threads = found.setdefault(name, {})
            number = threading.get_ident()
            threads[number] = threads.get(number, True) and halves_to_zero()
            return real(*arguments)

        return run

    monkeypatch.setattr(encoder_cpu, "forward_layer", watched("encoder", encoder_cpu.forward_layer))
    monkeypatch.setattr(crf_viterbi, "_walk_slice", watched("path", crf_viterbi._walk_slice))
    monkeypatch.setattr(crf_viterbi, "sum_segment", watched("posterior", crf_viterbi.sum_segment))
    monkeypatch.setattr(crf_forward_backward, "sum_segment", watched("probabilities", crf_forward_backward.sum_segment))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield found
    torch.set_num_threads(before)


def check(seen: Seen, kernels: set[str]) -> None:
    assert set(seen) == kernels
    assert all(all(threads.values()) for threads in seen.values()), seen
    assert len(seen["encoder"]) >= 2
    assert not halves_to_zero()


def test_genes_of_a_file(seen: Seen, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", GENES)
    (tmp_path / "g.fa").write_text(f">chr1\n{random_letters(LENGTH)}\n")
    predict_file(run, tmp_path / "g.fa", tmp_path / "g.gff3", PredictOptions(average_strands=True))
    check(seen, {"encoder", "path", "posterior"})


def test_windows_of_a_file(seen: Seen, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", REGIONS)
    (tmp_path / "g.fa").write_text(f">chr1\n{random_letters(LENGTH)}\n")
    predict_file(run, tmp_path / "g.fa", tmp_path / "w.parquet")
    check(seen, {"encoder"})


def test_sequences_probabilities_and_embeddings(seen: Seen, tmp_path: Path) -> None:
    model = load(run_of(tmp_path / "run", GENES))
    model.predict(random_letters(LENGTH))
    model.predict_proba(random_letters(LENGTH))
    model.embed(random_letters(LENGTH))
    check(seen, {"encoder", "path", "posterior", "probabilities"})


@pytest.mark.parametrize("config", [LANGUAGE, GENES], ids=["language", "genes"])
def test_variants(config: Any, seen: Seen, tmp_path: Path) -> None:
    run, letters = run_of(tmp_path / "run", config), random_letters(LENGTH)
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    ref = letters[999]
    vcf = write_vcf(tmp_path / "v.vcf", [("chr1", 1000, ref, "ACGT"["ACGT".index(ref) - 1])])
    score_variants(run, vcf, tmp_path / "g.fa", window_bp=1500)
    check(seen, {"encoder"} if config is LANGUAGE else {"encoder", "probabilities"})


def test_evaluations(seen: Seen, gene_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", gene_data, "crf")
    evaluate(run, gene_data)
    check(seen, {"encoder", "path"})


def test_the_callers_setting_stays_between_two_batches() -> None:
    windows = [np.zeros(100, np.uint8)] * 3
    settings = [halves_to_zero() for _ in predict_batches(model_of(GENES), windows, batch_bp=100)]
    assert settings == [False] * 3
    torch.set_flush_denormal(True)
    try:
        settings = [halves_to_zero() for _ in predict_batches(model_of(GENES), windows, batch_bp=100)]
    finally:
        torch.set_flush_denormal(False)
    assert settings == [True] * 3
