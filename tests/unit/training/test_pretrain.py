"""Pretraining from settings to a run with scores, and what it refuses before torch is loaded."""

from pathlib import Path

import numpy as np
import pytest
from tests.unit.training.quick import ENCODER, QUICK
from tests.unit.training.test_finetune import run_without_torch

from dnaspt.checkpoint import read_config
from dnaspt.config import FinetuneConfig, PretrainConfig, build_config
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import joint_digest, read_manifest
from dnaspt.data.segments import without_overlaps
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.genome.intervals import coverage, merge
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.training import train_language_model as train_language_model_module
from dnaspt.training.finetune import finetune
from dnaspt.training.pretrain import WINDOW_BP, pretrain
from dnaspt.training.runs import Run
from dnaspt.training.train_language_model import PretrainingData


def test_a_run_has_the_scores_of_n_gram_models_too(pretrained: Path) -> None:
    run = Run.open(pretrained)
    assert run.finished and set(run.scores) == {"valid_nats", "valid_accuracy"}
    assert {"valid_nats", "valid_accuracy", "markov_nats", "two_sided_nats"} <= run.result.summary().keys()
    assert run.result.ngram is not None and 0 < run.result.ngram.markov_nats < 1.6
    description = read_config(run)
    assert description.kind == "language" and description.window_bp == WINDOW_BP
    assert description.provenance["read_splits"] == ["train"]


def test_pretraining_that_time_ends_is_compared_with_the_n_grams_too(gene_data: Path, tmp_path: Path) -> None:
    options = QUICK | {"steps": 100, "validate_every": 1, "max_minutes": 1e-9}
    run = pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", encoder=ENCODER, **options))
    assert not run.finished and run.stopped_by == "time"
    assert run.result.ngram is not None and run.result.ngram.markov_nats > 0
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_split_that_the_dataset_does_not_have_is_refused(gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no split is called 'dev'"):
        pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", splits=("dev",)))
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_there_is_not_touched(gene_data: Path, pretrained: Path) -> None:
    before = (pretrained / "run.json").read_bytes()
    with pytest.raises(CheckpointError, match="already there; go on with --resume"):
        pretrain(PretrainConfig(data=gene_data, out=pretrained))
    assert (pretrained / "run.json").read_bytes() == before


def test_a_mistake_is_told_without_torch(gene_data: Path, pretrained: Path, tmp_path: Path) -> None:
    begin = "from dnaspt.config import PretrainConfig\nfrom dnaspt.training.pretrain import pretrain\n"
    for data, out, message in (
        (tmp_path, tmp_path / "x", "not a dataset, or unfinished"),
        (gene_data, pretrained, "already there; go on with --resume"),
        (gene_data, pretrained / "run.json", "is a file; expected a folder"),
    ):
        code = f"{begin}pretrain(PretrainConfig(data={str(data)!r}, out={str(out)!r}))"
        assert message in run_without_torch(code)


def test_a_share_of_masks_that_masks_nothing_is_refused(gene_data: Path, tmp_path: Path) -> None:
    config = PretrainConfig(data=gene_data, out=tmp_path / "run", encoder=ENCODER, mask_fraction=1e-12, **QUICK)
    with pytest.raises(ConfigError, match="with mask_fraction 1e-12 no base of the valid split is masked"):
        pretrain(config)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def peaks(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows on the genome of `gene_data` with other splits: its third contig is test, its second valid."""
    out = tmp_path_factory.mktemp("served") / "peaks"
    genome, regions = simulated / "genome.fa", (simulated / "peaks_A.bed",)
    split = {"split": "contig", "valid_contigs": ("chr2",), "test_contigs": ("chr3",)}
    prepare_regions(PrepareRegionsConfig(out=out, genome=genome, regions=regions, window_bp=256, **split))
    return out


def held_out_by(peaks: Path, gene_data: Path, split: str, names: tuple[str, ...]) -> int:
    """Bases of a split of the genes that windows of the peaks cover, counted by position alone."""
    genes, total = read_split(gene_data, split), 0
    for chrom in set(genes.chrom):
        windows = [(read := read_split(peaks, name)).intervals[read.chrom == chrom] for name in names]
        own = merge(genes.intervals[genes.chrom == chrom])
        total += int(coverage(own, np.concatenate(windows)).sum())
    return total


def test_what_a_served_dataset_holds_out_is_neither_read_nor_chosen_on(
    peaks: Path, gene_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PretrainingData] = []

    def train(_config: PretrainConfig, data: PretrainingData, *_: object) -> None:
        seen.append(data)

    monkeypatch.setattr(train_language_model_module, "train_language_model", train)
    pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", held_out=(peaks,)))
    (data,) = seen
    assert data.cut_out is not None
    n_offered = sum(int((ends := merge(own))[:, 1].sum() - ends[:, 0].sum()) for own in by_contig(gene_data, "train"))
    expected = held_out_by(peaks, gene_data, "train", ("valid", "test"))
    assert data.cut_out.n_offered_bp == n_offered and data.cut_out.n_cut_bp == expected > 10_000
    (read,) = data.splits
    kept = [window for window in without_overlaps(read_split(gene_data, "train"), WINDOW_BP) if window.chrom == "chr1"]
    assert [window.start for window in read] == [window.start for window in kept] and set(read.chrom) == {"chr1"}
    assert all((ours.codes == theirs.codes).all() for ours, theirs in zip(read, kept, strict=True))
    valid = without_overlaps(read_split(gene_data, "valid"), WINDOW_BP)
    chosen_on = [window for window in valid if window.chrom != "chr3"]  # which the peaks test; chr2 they choose on, too
    assert len(chosen_on) < len(valid) and [len(w.codes) for w in chosen_on] == [len(t) for t in data.valid.tokens]
    manifests = [read_manifest(folder) for folder in (gene_data, peaks)]
    assert data.joined == {"read": [manifests[0].digest], "held_out": [each.digest for each in manifests]}
    assert data.digest == joint_digest(manifests[:1], reversed(manifests)) != manifests[0].digest


def by_contig(folder: Path, name: str) -> list[np.ndarray]:
    split = read_split(folder, name)
    return [split.intervals[split.chrom == chrom] for chrom in sorted(set(split.chrom))]


def test_the_run_says_what_was_cut_out_and_fine_tuning_asks_no_more(
    peaks: Path, gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = pretrain(PretrainConfig(data=gene_data, out=tmp_path / "pre", encoder=ENCODER, held_out=(peaks,), **QUICK))
    cut = Run.open(served.path).result.cut_out
    assert cut is not None and cut == served.result.cut_out and cut.n_cut_bp > 10_000
    provenance = read_config(served).provenance
    assert provenance["cut_out"]["n_cut_bp"] == cut.n_cut_bp
    finetune(FinetuneConfig(data=peaks, out=tmp_path / "peaks", encoder=served.path, **QUICK))
    assert "may hold sequences of this test split" not in caplog.text
    with pytest.raises(CheckpointError, match=r"held_out|its dataset has changed"):
        pretrain(
            PretrainConfig(data=gene_data, out=tmp_path / "pre", encoder=ENCODER, **QUICK | {"steps": 9}), resume=True
        )


def test_train_sequences_of_several_datasets_are_read(
    peaks: Path, gene_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PretrainingData] = []
    monkeypatch.setattr(train_language_model_module, "train_language_model", lambda _, data, *__: seen.append(data))
    pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", more_data=(peaks,)))
    (data,) = seen
    assert data.cut_out is not None and len(data.splits) == 2 and data.manifest.task == "genes"
    n_bp = [
        sum(int((m := merge(own))[:, 1].sum() - m[:, 0].sum()) for own in by_contig(f, "train"))
        for f in (gene_data, peaks)
    ]
    assert data.cut_out.n_offered_bp == sum(n_bp)
    assert set(data.splits[1].chrom) == {
        "chr1"
    }  # of the peaks; without what valid and test of the genes hold out there
    assert data.cut_out.n_cut_bp == held_out_by(gene_data, peaks, "train", ("valid", "test")) > 0


def test_what_cannot_be_held_out_or_read_is_refused(peaks: Path, gene_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ConfigError, match="with more_data or held_out only train is read"):
        build_config(PretrainConfig, {"data": gene_data, "out": out, "held_out": peaks, "splits": ["train", "test"]})
    with pytest.raises(DatasetError, match="no such folder"):
        pretrain(PretrainConfig(data=gene_data, out=out, held_out=(tmp_path / "none",)))
    with pytest.raises(DatasetError, match="the dataset has no folds"):
        pretrain(PretrainConfig(data=gene_data, out=out, held_out=(peaks,), fold=1))
    with pytest.raises(ConfigError, match="lies in the held_out"):
        pretrain(PretrainConfig(data=gene_data, out=peaks / "x", held_out=(peaks,)))
    assert not out.exists()


def test_nothing_left_to_read_is_an_error(gene_data: Path, simulated: Path, tmp_path: Path) -> None:
    genome, regions = simulated / "genome.fa", (simulated / "peaks_A.bed",)
    prepare_regions(
        PrepareRegionsConfig(out=tmp_path / "all", genome=genome, regions=regions, window_bp=256, split="test")
    )
    with pytest.raises(DatasetError, match="nothing is left to read"):
        pretrain(PretrainConfig(data=gene_data, out=tmp_path / "run", held_out=(tmp_path / "all",)))
