"""Folds: every base is tested once, no test base is in train, no gene is cut; on simulated genomes of 1, 3 and 12 contigs."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dnaspt.data.dataset import Dataset, Split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import segments, union_bp
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.genome.alphabet import reverse_complement, tokens
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.gff3 import read_annotation
from dnaspt.prepare.folds import FoldInterval, bins_with_labels, divide, loci_of
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes
from dnaspt.prepare.methylation import PrepareMethylationConfig, prepare_methylation
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.prepare.splits import SplitInterval, SplitSettings
from dnaspt.simulation.simulate import SimulateConfig, simulate

K = 32
"""Length of k-mers that occur once in a simulated genome, but for chance."""


@pytest.fixture(scope="module", params=[1, 3, 12])
def genome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated genome of 72 or 120 kb in so many contigs."""
    out = tmp_path_factory.mktemp("folds") / "genome"
    simulate(SimulateConfig(out=out, n_contigs=request.param, contig_bp=max(72_000 // request.param, 10_000), seed=2))
    return out


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated genome of four contigs of 30 kb."""
    out = tmp_path_factory.mktemp("folds") / "genome"
    simulate(SimulateConfig(out=out, n_contigs=4, contig_bp=30_000, seed=3))
    return out


def genes(genome: Path, out: Path, **settings: object) -> Dataset:
    files = {"genome": genome / "genome.fa", "annotation": genome / "annotation.gff3"}
    return prepare_genes(PrepareGenesConfig.model_validate({"out": out, "window_bp": 1024, **files, **settings}))


def bases(split: Split) -> np.ndarray:
    """How often each base is in a window: chr1 from position 0 on, chr2 from 100,000 on and so on."""
    counts = np.zeros(1_300_000, dtype=np.int64)
    for window in split:
        first = (int(window.chrom.removeprefix("chr")) - 1) * 100_000
        counts[first + window.start : first + window.end] += 1
    return counts


def kmers(split: Split) -> np.ndarray:
    """Numbers of the k-mers of the windows, of both strands, as often as they occur."""
    powers = np.uint64(4) ** np.arange(K, dtype=np.uint64)
    found = [
        np.lib.stride_tricks.sliding_window_view(codes.astype(np.uint64), K) @ powers
        for segment in segments(split)
        for codes in (tokens(segment.codes), reverse_complement(tokens(segment.codes)))
        if len(codes) >= K
    ]
    return np.concatenate(found)


def test_every_base_is_tested_once_and_never_by_a_model_that_saw_it(genome: Path, tmp_path: Path) -> None:
    data = genes(genome, tmp_path / "data", folds=5)
    everything, tested = bases(data.read("train")), np.zeros(1_300_000, dtype=np.int64)
    assert len(data.manifest.folds) == 5 and data.splits == ("train",)
    numbers, counts = np.unique(kmers(data.read("train")), return_counts=True)
    unique = numbers[counts == 1]
    assert len(unique) > 0.9 * len(numbers)
    for fold in range(1, 6):
        train, valid, test = (data.read(split, fold) for split in ("train", "valid", "test"))
        tested += bases(test)
        assert (bases(train) + bases(valid) + bases(test) == everything).all()
        shared = np.intersect1d(kmers(test), np.concatenate([kmers(train), kmers(valid)]))
        assert not np.isin(shared, unique).any()
        assert 0.03 < len(valid.codes) / (len(valid.codes) + len(train.codes)) < 0.3
        sizes = data.manifest.of_fold(fold).splits
        assert [sizes[name].n_windows for name in ("train", "valid", "test")] == [len(train), len(valid), len(test)]
        assert sizes["test"].label_counts == dict(
            zip(data.labels, np.bincount(test.labels[test.labels != MISSING], minlength=9).tolist())
        )
        assert union_bp(data, "test", fold) == bases(test).sum() == sizes["test"].n_bp
    assert (tested == everything).all() and everything.max() == 1
    length_bp = sum(len(contig) for contig in read_fasta(genome / "genome.fa"))
    assert tested.sum() == length_bp - data.manifest.dropped.get("bp_in_windows_all_missing", 0)


def test_folds_hold_about_as_many_coding_bases(genome: Path, tmp_path: Path) -> None:
    data = genes(genome, tmp_path / "data", folds=5)
    coding = [
        sum(n for label, n in fold.splits["test"].label_counts.items() if label.startswith("CDS"))
        for fold in data.manifest.folds
    ]
    assert max(coding) <= 2 * min(coding)
    contigs = [fold.contigs for fold in data.manifest.folds]
    if (n_contigs := len({name for names in contigs for name in names})) == 12:  # enough for folds of whole contigs
        assert sum(map(len, contigs)) == n_contigs


def test_no_gene_is_cut_and_each_is_a_reference_of_one_fold(genome: Path, tmp_path: Path) -> None:
    data = genes(genome, tmp_path / "data", folds=5)
    assert data.manifest.counts.get("genes_across_splits", 0) == 0
    assert data.manifest.dropped.get("transcripts_not_in_one_split", 0) == 0
    annotated = read_annotation(genome / "annotation.gff3").transcripts
    tested = [row for fold in range(1, 6) for row in read_transcripts(data, "test", fold)]
    assert len(tested) == len(annotated)
    for fold in range(1, 6):
        of_splits = [read_transcripts(data, split, fold) for split in ("train", "valid", "test")]
        names = [transcript.transcript_id for rows in of_splits for transcript, _ in rows]
        assert sorted(names) == sorted(row.transcript.transcript_id for row in annotated)
        for split, rows in zip(("train", "valid", "test"), of_splits):
            inside = data.read(split, fold)
            found = list(segments(inside))
            assert rows and all(
                any(s.chrom == gene.chrom and s.start <= gene.start and gene.end <= s.end for s in found)
                for gene, _ in rows
            )
    for name, start, end, _, _ in data.manifest.settings["fold_intervals"]:
        for row in annotated:
            ends_apart = {row.transcript.start < cut < row.transcript.end for cut in (start, end)}
            assert row.transcript.chrom != name or ends_apart == {False}


def test_labels_are_those_of_the_dataset_without_folds(small: Path, tmp_path: Path) -> None:
    whole = genes(small, tmp_path / "whole", split="train-only")
    folds = genes(small, tmp_path / "folds", folds=3)
    of_whole = {segment.chrom: segment.labels for segment in segments(whole.read("train"))}
    for fold in range(1, 4):
        for segment in segments(folds.read("test", fold)):
            expected = of_whole[segment.chrom][segment.start : segment.end]
            assert (segment.labels == expected).all() and (expected != MISSING).any()


def test_the_same_folds_come_out_each_time(genome: Path, tmp_path: Path) -> None:
    first, second = (genes(genome, tmp_path / name, folds=5) for name in ("a", "b"))
    assert first.manifest.digest == second.manifest.digest
    assert first.manifest.folds == second.manifest.folds
    digests = {first.manifest.of_fold(fold).digest for fold in range(6)}
    assert len(digests) == 6 and first.manifest.fold_of_digest(first.manifest.of_fold(4).digest) == 4
    assert first.manifest.fold_of_digest("another") is None


def test_one_contig_is_left_out_and_organelles_stay_in_train(small: Path, tmp_path: Path) -> None:
    contigs = [contig.name for contig in read_fasta(small / "genome.fa")]
    data = genes(small, tmp_path / "data", folds="contigs", always_train=[contigs[1]])
    assert [fold.contigs for fold in data.manifest.folds] == [(name,) for name in contigs if name != contigs[1]]
    for fold, name in enumerate((contigs[0], contigs[2], contigs[3]), start=1):
        assert set(data.read("test", fold).chrom) == {name}
        assert name not in set(data.read("train", fold).chrom) | set(data.read("valid", fold).chrom)
        assert contigs[1] in set(data.read("train", fold).chrom) and contigs[1] not in set(
            data.read("valid", fold).chrom
        )


def test_folds_divide_the_train_part_of_a_split_and_keep_its_valid(small: Path, tmp_path: Path) -> None:
    contigs = [contig.name for contig in read_fasta(small / "genome.fa")]
    named = {"split": "contig", "valid_contigs": contigs[2], "test_contigs": contigs[3]}
    data = genes(small, tmp_path / "data", folds=3, **named)
    assert data.splits == ("train", "valid", "test")
    assert set(data.read("test").chrom) == {contigs[3]}
    tested = np.zeros(1_300_000, dtype=np.int64)
    for fold in range(1, 4):
        assert set(data.read("valid", fold).chrom) == {contigs[2]}
        assert set(data.read("test", fold).chrom) | set(data.read("train", fold).chrom) == set(contigs[:2])
        tested += bases(data.read("test", fold))
    assert (tested == bases(data.read("train"))).all()


def test_flanks_stay_in_their_fold(small: Path, tmp_path: Path) -> None:
    data = genes(small, tmp_path / "data", folds=4, flank_bp=500)
    intervals = [FoldInterval(*row) for row in data.manifest.settings["fold_intervals"]]
    for fold in range(1, 5):
        for window in data.read("test", fold):
            assert any(
                (row.chrom, row.fold) == (window.chrom, fold) and row.start <= window.start and window.end <= row.end
                for row in intervals
            )


@pytest.mark.parametrize("background", ["all", "matched"])
def test_windows_of_regions_lie_in_one_fold(small: Path, tmp_path: Path, background: str) -> None:
    settings = {"genome": small / "genome.fa", "regions": small / "peaks_A.bed", "background": background}
    config = {"out": tmp_path / "data", "folds": "5", "window_bp": 256, **settings}
    data = prepare_regions(PrepareRegionsConfig.model_validate(config))
    check_windows(data)
    assert data.manifest.settings["folds"] == 5 and data.manifest.settings["split"] is None


def test_windows_of_methylation_lie_in_one_fold(small: Path, tmp_path: Path) -> None:
    files = {"genome": small / "genome.fa", "calls": small / "methylation.bedmethyl"}
    config = {"out": tmp_path / "data", "folds": 5, "window_bp": 128, **files}
    check_windows(prepare_methylation(PrepareMethylationConfig.model_validate(config)))


def check_windows(data: Dataset) -> None:
    everything = Counter((w.chrom, w.start, w.end) for w in data.read("train"))
    tested = Counter[tuple[str, int, int]]()
    for fold in range(1, 6):
        train, valid, test = (data.read(split, fold) for split in ("train", "valid", "test"))
        tested += Counter((w.chrom, w.start, w.end) for w in test)
        assert len(train) + len(valid) + len(test) == everything.total() and min(len(train), len(valid), len(test)) > 0
        seen = [bases(split) > 0 for split in (train, valid, test)]
        assert np.sum(seen, axis=0).max() == 1
        positive = data.manifest.of_fold(fold).splits["test"].label_counts
        assert sum(positive.values()) == int((test.labels == 1).sum()) > 0
    assert tested == everything


def test_sequence_that_folds_share_is_reported(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    sequence = "".join("ACGT"[code] for code in generator.integers(0, 4, 6000))
    fasta, bed = tmp_path / "genome.fa", tmp_path / "peaks.bed"
    fasta.write_text(f">a\n{sequence}\n>b\n{sequence}\n>c\n{sequence[::-1]}\n")
    bed.write_text("".join(f"{name}\t{at}\t{at + 300}\n" for name in "abc" for at in range(500, 6000, 1000)))
    config = {"genome": fasta, "regions": bed, "folds": "contigs", "window_bp": 256, "out": tmp_path / "data"}
    data = prepare_regions(PrepareRegionsConfig.model_validate(config))
    pairs = data.manifest.leakage.pairs
    assert pairs["fold1-fold2"].exact == pairs["fold1-fold2"].n_windows == len(data.read("test", 2))
    assert pairs["fold1-fold3"].n_shared == pairs["fold2-fold3"].n_shared == 0
    with pytest.raises(DatasetError, match="fold2 windows share sequence with fold1"):
        prepare_regions(PrepareRegionsConfig.model_validate(config | {"out": tmp_path / "strict", "strict": True}))


def test_a_dataset_without_folds_is_as_before(small: Path, tmp_path: Path) -> None:
    data = genes(small, tmp_path / "data")
    content = json.loads((data.path / "manifest.json").read_text())
    assert "folds" not in content and "fold" not in content
    assert data.to_frame("train").columns.tolist() == ["chrom", "start", "end", "strand", "sequence", "labels"]
    with pytest.raises(DatasetError, match="has no folds"):
        data.read("test", 1)
    with pytest.raises(DatasetError, match="has folds 1 to 3"):
        read_manifest(genes(small, tmp_path / "folds", folds=3), 4)
    with pytest.raises(DatasetError, match=r"no test split.*it has 3 folds"):
        Dataset.open(tmp_path / "folds").read("test")


def interval(chrom: str, end: int, start: int = 0) -> SplitInterval:
    return SplitInterval(chrom, start, end, "train")


def loci(*rows: tuple[int, int, int]) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


def test_stretches_are_cut_halfway_between_genes() -> None:
    own = {"a": loci((10, 20, 5), (30, 40, 5), (60, 70, 10), (80, 90, 10), (92, 98, 10))}
    plan = divide([interval("a", 100)], own, 2)
    assert plan.n_folds == 2 and plan.blocks == ((1, 2, 3), (4, 5))
    assert [(row.start, row.end, row.fold) for row in plan.intervals] == [
        (0, 25, 1),
        (25, 50, 1),
        (50, 75, 1),
        (75, 91, 2),
        (91, 100, 2),
    ]
    assert plan.at("a", 0, 25) == (1, 1) and plan.at("a", 80, 90) == (2, 4)
    with pytest.raises(ValueError, match="lies in no fold"):
        plan.at("a", 20, 30)


def test_whole_contigs_make_folds_where_their_labels_are_alike() -> None:
    own = {name: loci((0, 5, weight), (6, 9, weight)) for name, weight in zip("abcd", (4, 3, 3, 2))}
    plan = divide([interval(name, 10) for name in "abcd"], own, 2)
    assert {(row.chrom, row.fold) for row in plan.intervals} == {("a", 1), ("b", 2), ("c", 2), ("d", 1)}
    assert plan.contigs_of(2) == ("b", "c")


def test_one_in_ten_blocks_of_the_other_folds_chooses_weights() -> None:
    own = {"a": loci(*((at, at + 5, 1) for at in range(0, 1000, 10)))}
    plan = divide([interval("a", 1000)], own, 5)
    blocks = {row.block: row.fold for row in plan.intervals}
    assert len(blocks) == 50
    of_folds = [plan.valid_blocks(fold, blocks.keys()) for fold in range(1, 6)]
    for fold, valid in enumerate(of_folds, start=1):
        assert len(valid) == 4 and fold not in {blocks[block] for block in valid}
    assert len({block for valid in of_folds for block in valid}) > 10
    assert plan.valid_blocks(1, set(range(20, 30))) == (20,)  # blocks without windows choose nothing


def test_a_fold_without_labels_chooses_no_weights() -> None:
    plan = divide(
        [interval("a", 50), interval("b", 50), interval("c", 50)],
        {"a": loci((0, 9, 1), (20, 30, 1)), "c": loci((0, 9, 1), (20, 30, 1))},
        "contigs",
    )
    empty = {row.block for row in plan.intervals if row.chrom == "b"}
    assert plan.blocks == ((1, 2), (), (4, 5)) and empty == {3}
    present = {row.block for row in plan.intervals}
    assert [plan.valid_blocks(fold, present) for fold in (1, 2, 3)] == [(4,), (2,), (1,)]
    with pytest.raises(ConfigError, match="besides fold 1 there are 1 blocks"):
        plan.valid_blocks(1, {1, 2, 3, 4})


@pytest.mark.parametrize(
    ("contigs", "folds", "message"),
    [
        ("a", "contigs", "folds 'contigs' of 1 contig; expected 2 to 100"),
        ("a", 4, "4 folds of 3 loci with labels"),
        ("", 2, "no contig is left"),
    ],
)
def test_too_few_contigs_or_genes_are_an_error(contigs: str, folds: int, message: str) -> None:
    own = {"a": loci((0, 5, 1), (10, 15, 1), (20, 25, 1))}
    with pytest.raises(ConfigError, match=message):
        divide([interval(name, 30) for name in contigs], own, folds)  # type: ignore[arg-type]


def test_loci_that_overlap_are_one_and_keep_their_labels() -> None:
    rows = [(10, 20, 3), (15, 30, 4), (30, 40, 1), (50, 60, 0)]
    assert loci_of(rows).tolist() == [[10, 30, 7], [30, 40, 1], [50, 60, 0]]
    assert loci_of([]).shape == (0, 3)


def test_bins_hold_the_labels_on_them() -> None:
    assert bins_with_labels(np.array([0, 99, 100, 249, 250]), 250, 100).tolist() == [[0, 100, 2], [100, 250, 2]]
    assert bins_with_labels(np.zeros(0, np.int64), 50, 100).tolist() == [[0, 50, 0]]


def test_settings_of_folds_are_checked() -> None:
    assert SplitSettings.model_validate({"folds": "5"}).folds == 5
    assert SplitSettings.model_validate({"folds": "contigs"}).plan().by == "train-only"
    for settings in ({"folds": 1}, {"folds": "chromosomes"}, {"always_train": "chrM"}, {"folds": 3, "split": "test"}):
        with pytest.raises(ValueError, match="folds"):
            SplitSettings.model_validate(settings)


def test_an_unknown_contig_that_is_always_in_train_is_an_error(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contig 'chrM' of always_train"):
        genes(small, tmp_path / "data", folds=3, always_train="chrM")
