"""Zero-shot scores of a dataset of variants: its alleles, which scores there are, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from tests.unit.inference.variant_models import GENOME, TINY, other, write_models

import dnaspt
from dnaspt.checkpoint import CheckpointConfig, save_checkpoint
from dnaspt.data.dataset import Window, read_split
from dnaspt.data.manifest import VARIANTS, Manifest
from dnaspt.errors import CheckpointError, DatasetError
from dnaspt.evaluation import variant_benchmark
from dnaspt.evaluation.results import read_counts
from dnaspt.evaluation.variant_benchmark import BOTH, COSINE, RATIO, evaluate_variants, read_allele_pairs
from dnaspt.genome.alphabet import decode, encode
from dnaspt.inference.variant_effects import cosine_distances
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import HeadCNN, SigmoidHead
from dnaspt.models.task_model import TaskModel
from dnaspt.prepare.writer import DatasetWriter

POSITIONS = range(200, 1800, 40)


def write_variants(out: Path, positions: range = POSITIONS) -> Path:
    """A dataset of single-base variants on chr1, every third one with an effect, in windows of 129 bp."""
    with DatasetWriter(out) as writer:
        for number, at in enumerate(positions):
            codes = encode(GENOME[at - 64 : at + 65].encode())
            label = np.array([number % 3 == 0], dtype=np.int8)
            writer.add("test", Window("chr1", at - 64, at + 65, ".", codes, label))
        writer.add_table(VARIANTS, pa.table({"pos": list(positions), "alt": [other(GENOME[at]) for at in positions]}))
        manifest = Manifest(
            task="variants", labels=("effect",), resolution_bp=0, window_bp=129, sources=(), settings={}
        )
        writer.finish(manifest)
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_variants(tmp_path_factory.mktemp("variants") / "data")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return write_models(tmp_path)


def test_both_alleles_of_a_pair_differ_at_the_variant_alone(data: Path) -> None:
    pairs = read_allele_pairs(data, read_split(data, "test"))
    assert len(pairs) == len(POSITIONS)
    for at, pair in zip(POSITIONS, pairs, strict=True):
        assert decode(pair.ref) == GENOME[at - 64 : at + 65]
        assert np.flatnonzero(pair.ref != pair.alt).tolist() == [pair.first] == [64]
        assert decode(pair.alt[64:65]) == other(GENOME[at])


def test_the_cosine_score_is_the_area_of_the_forward_distances(data: Path, models: Path) -> None:
    model, rows = dnaspt.load(models / "language"), read_split(data, "test")
    found = evaluate_variants(model, data, write=False)
    distances = cosine_distances(model.network, read_allele_pairs(data, rows))
    assert found.variants is not None
    for name, expected in ((COSINE, distances[:, 0]), (BOTH, distances.mean(axis=1))):
        assert found.variants.auroc[name].value == pytest.approx(roc_auc_score(rows.labels, expected))
        assert found.variants.auprc[name].value == pytest.approx(average_precision_score(rows.labels, expected))
    assert (found.n_variants, found.task, found.split) == (len(POSITIONS), "variants", "test")


def test_a_language_model_has_a_likelihood_ratio_beside_the_distances_and_a_fine_tuned_one_has_none(
    data: Path, models: Path
) -> None:
    for name, expected in (("language", [COSINE, BOTH, RATIO]), ("genes", [COSINE, BOTH])):
        found = evaluate_variants(dnaspt.load(models / name), data, write=False)
        assert found.variants is not None and list(found.variants.auroc) == expected


def test_scores_do_not_depend_on_how_many_alleles_are_scored_at_a_time(
    data: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = dnaspt.load(models / "language")
    whole = evaluate_variants(model, data, write=False)
    monkeypatch.setattr(variant_benchmark, "_CHUNK_ALLELES", 7)
    parts = evaluate_variants(model, data, write=False)
    assert whole.variants is not None and parts.variants is not None
    for name in (COSINE, BOTH, RATIO):
        assert parts.variants.auroc[name].value == pytest.approx(whole.variants.auroc[name].value)


def test_scores_and_what_a_bootstrap_needs_are_written_into_the_run_only_where_asked_for(
    data: Path, models: Path
) -> None:
    run = models / "run"
    (run / "best").mkdir(parents=True)
    (models / "language").rename(run / "best" / "step-00000001")
    model = dnaspt.load(run)
    evaluate_variants(model, data, write=False)
    assert not list(run.glob("evaluation-*"))
    evaluate_variants(model, data)
    (file,) = run.glob("evaluation-test*.npz")
    assert read_counts(file).logits.shape == (len(POSITIONS), 3)


def test_alleles_that_are_gone_or_of_another_dataset_are_refused(tmp_path: Path) -> None:
    data = write_variants(tmp_path / "data", range(200, 400, 40))
    rows, file = read_split(data, "test"), data / f"{VARIANTS}.parquet"
    pq.write_table(pq.read_table(file).slice(1), file)
    with pytest.raises(DatasetError, match="4 alleles for 5 windows; prepare it again"):
        read_allele_pairs(data, rows)
    file.unlink()
    with pytest.raises(DatasetError, match=r"has no variants\.parquet; prepare it again"):
        read_allele_pairs(data, rows)


def test_a_split_that_the_dataset_lacks_is_refused(data: Path, models: Path) -> None:
    with pytest.raises(DatasetError, match="valid"):
        evaluate_variants(dnaspt.load(models / "language"), data, split="valid", write=False)


def test_a_model_of_bins_is_refused_before_anything_is_scored(data: Path, tmp_path: Path) -> None:
    bins = TaskModel(DilatedEncoder(TINY), SigmoidHead(HeadCNN(16, 1, resolution_bp=128), 1))
    described = CheckpointConfig(
        kind="task", encoder=TINY, task="enhancers", head="sigmoid", labels=("enhancer",), window_bp=512
    )
    save_checkpoint(tmp_path / "bins", bins, described)
    with pytest.raises(CheckpointError, match="labels bins of 128 bp"):
        evaluate_variants(dnaspt.load(tmp_path / "bins"), data)
