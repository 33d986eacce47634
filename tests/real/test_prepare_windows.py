"""`prepare_regions` and `prepare_methylation` against the numbers that are known of the real data."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.data.dataset import read_split
from dnaspt.prepare.methylation import PrepareMethylationConfig, prepare_methylation
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions

pytestmark = pytest.mark.real

VALID, TEST = "hg19_chr4_103000000_105000001", "hg19_chr5_124000000_126000001"


def test_peaks_of_brain_cells_give_the_ready_windows_and_labels(real_data: Path, tmp_path: Path) -> None:
    brain = real_data / "regions" / "human_brain"
    shared = {"genome": brain / "genome.fa.gz", "labels_file": brain / "labels.txt"}
    peaks = PrepareRegionsConfig(
        out=tmp_path / "peaks",
        regions=tuple(sorted((brain / "peaks").glob("*.bed"))),
        split="contig",
        valid_contigs=(VALID,),
        test_contigs=(TEST,),
        **shared,
    )
    ready = PrepareRegionsConfig(out=tmp_path / "ready", regions=(brain / "windows512.bed.gz",), **shared)
    made, given = prepare_regions(peaks).manifest, prepare_regions(ready).manifest
    assert made.labels == given.labels
    assert made.counts["windows"] == given.counts["windows"] == 17_941
    assert made.counts["regions"] == 2_596
    for split in ("train", "valid", "test"):
        assert made.splits[split] == given.splits[split]
        ours, theirs = read_split(peaks.out, split), read_split(ready.out, split)
        for column in ("chrom", "start", "end", "codes", "labels"):
            assert np.array_equal(getattr(ours, column), getattr(theirs, column))


def test_arabidopsis_has_5903_sites_of_which_16_percent_are_methylated_in_train(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "methylation" / "arabidopsis_chr3"
    manifest = prepare_methylation(
        PrepareMethylationConfig(
            out=tmp_path / "out", genome=folder / "genome.fa.gz", calls=(folder / "wild_type.bedmethyl.gz",)
        )
    ).manifest
    assert manifest.counts["windows"] == 5_903
    assert manifest.counts["calls"] == 11_458
    train = manifest.splits["train"]
    assert round(train.label_counts["wild_type"] / train.n_windows, 2) == 0.16
    assert manifest.dropped == {"low_coverage": 24, "off_contig": 7, "not_in_one_split": 29}


def test_imr90_has_9728_sites_of_which_807_are_unmethylated(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "methylation" / "human_wgbs"
    table = tmp_path / "split.tsv"
    table.write_text(
        "chromosome\tstart\tend\tsplit\n"
        "chr21_24985580\t0\t882537\ttrain\nchr21_24985580\t882537\t1038279\tvalid\nchr21_43758154\t0\t135913\ttest\n"
    )
    settings = {"genome": folder / "genome.fa.gz", "calls": (folder / "imr90.bedmethyl.gz",)}
    config = PrepareMethylationConfig(out=tmp_path / "out", split=str(table), **settings)
    manifest = prepare_methylation(config).manifest
    assert manifest.counts["cpg_labeled"] == 9_728
    assert manifest.dropped == {"low_coverage": 109, "off_contig": 18, "not_in_one_split": 1}
    assert set(read_split(config.out, "test").chrom) == {"chr21_43758154"}
    assert read_split(config.out, "train").end.max() <= 882_537 <= read_split(config.out, "valid").start.min()
    narrow = PrepareMethylationConfig(out=tmp_path / "narrow", window_bp=2, split="train-only", **settings)
    train = prepare_methylation(narrow).manifest.splits["train"]
    assert train.n_windows == 9_728
    assert train.n_windows - train.label_counts["imr90"] == 807
