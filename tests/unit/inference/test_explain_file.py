"""Sequences, intervals and windows of a split to what is explained: nothing is left out without being counted."""

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.motif_models import motif_run as motif_run
from tests.unit.inference.small_models import BINS, GENES, LANGUAGE, REGIONS, random_codes, run_of, write_fasta

from dnaspt.data.dataset import read_split
from dnaspt.errors import CheckpointError, ConfigError, DatasetError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.alphabet import cpg_positions
from dnaspt.inference import explain, explain_file
from dnaspt.inference.explain import Attribution
from dnaspt.inference.explain_file import (
    Windows,
    explain_windows,
    genome_windows,
    label_number,
    sequence_windows,
    source_windows,
    split_windows,
)
from dnaspt.inference.explain_options import ExplainOptions, ExplainSource
from dnaspt.inference.model import Model, load

CODES = {"chr1": random_codes(1_000, 1), "chr2": random_codes(600, 2)}


@pytest.fixture(scope="module")
def regions_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(run_of(tmp_path_factory.mktemp("regions") / "run", REGIONS))


def genome(tmp_path: Path, bed: str) -> tuple[Path, Path]:
    fasta = write_fasta(tmp_path / "g.fa", CODES)
    (tmp_path / "r.bed").write_text(bed)
    return fasta, tmp_path / "r.bed"


def test_a_label_is_asked_for_by_name(regions_model: Model, tmp_path: Path) -> None:
    assert label_number(regions_model, "B") == 1
    with pytest.raises(ConfigError, match="has 2 labels; say which to explain: label = A, B"):
        label_number(regions_model, None)
    with pytest.raises(ConfigError, match="no label 'C'; expected one of A, B"):
        label_number(regions_model, "C")
    one = load(run_of(tmp_path / "one", REGIONS.model_copy(update={"labels": ("peaks_CTCF",)})))
    assert label_number(one, None) == 0
    with pytest.raises(ConfigError, match=r"no label 'peaks_CTFC'; did you mean 'peaks_CTCF'\?"):
        label_number(one, "peaks_CTFC")


def test_models_without_labels_of_windows_are_refused(tmp_path: Path) -> None:
    for config, found in ((GENES, "labels bases; only models of windows"), (BINS, "labels bins of 128 bp; only")):
        with pytest.raises(ConfigError, match=found):
            label_number(load(run_of(tmp_path / config.task, config)), None)
    with pytest.raises(CheckpointError, match="holds a language model; expected a run of 'dnaspt finetune'"):
        label_number(load(run_of(tmp_path / "language", LANGUAGE)), None)


def test_a_window_of_the_model_lies_around_the_middle_of_each_interval(
    regions_model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fasta, bed = genome(tmp_path, "chr2\t200\t300\nchr1\t400\t420\nchr1\t10\t20\nchr1\t100\t700\n")
    found = genome_windows(regions_model, fasta, bed)
    assert [(window.name, window.start, window.end) for window in found.windows] == [
        ("chr1:283-538", 282, 538),
        ("chr1:273-528", 272, 528),
        ("chr2:123-378", 122, 378),
    ]
    np.testing.assert_array_equal(found.windows[0].codes, CODES["chr1"][282:538])
    assert (found.n_off_contig, found.n_longer, found.n_unknown) == (1, 1, 0)
    assert found.lengths == (("chr1", 1_000), ("chr2", 600))
    assert "1 intervals are longer than the model's windows of 256 bp; of these the middle is explained" in caplog.text


def test_intervals_are_windows_for_a_model_of_sequences(motif_run: Path, tmp_path: Path) -> None:
    fasta, bed = genome(tmp_path, "chr1\t400\t420\nchr1\t400\t1000\n")
    found = genome_windows(load(motif_run), fasta, bed)
    assert [len(window.codes) for window in found.windows] == [20, 600] and found.n_longer == 0


def test_intervals_off_the_genome_are_refused(regions_model: Model, tmp_path: Path) -> None:
    fasta, bed = genome(tmp_path, "chr1\t400\t1001\n")
    with pytest.raises(InputError, match="ends off the contig"):
        genome_windows(regions_model, fasta, bed)
    bed.write_text("Chr1\t400\t500\n")
    with pytest.raises(ConfigError, match="contig 'Chr1' is not in"):
        genome_windows(regions_model, fasta, bed)


def test_sequences_without_letters_or_mostly_n_are_left_out_and_counted(motif_run: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("id,seq\na,ACGTACGT\nb,\nc,NNNNNACG\nd,NNNNACGT\n")
    found = sequence_windows(load(motif_run), tmp_path / "s.csv")
    assert [window.name for window in found.windows] == ["a", "d"] and (found.n_empty, found.n_unknown) == (1, 1)
    (tmp_path / "long.fa").write_text(">x\n" + "A" * 100_001 + "\n")
    with pytest.raises(InputError, match="x: 100,001 bp"):
        sequence_windows(load(motif_run), tmp_path / "long.fa")


def test_windows_of_a_split_that_have_the_label_are_drawn(windows: Path, tmp_path: Path) -> None:
    labels = tuple(read_manifest_labels(windows))
    model = load(run_of(tmp_path / "run", REGIONS.model_copy(update={"labels": labels, "window_bp": 200})))
    rows = read_split(windows, "test")
    positive = np.flatnonzero(rows.labels.reshape(len(rows), -1)[:, 0] == 1)
    found = split_windows(model, windows, "test", labels[0], 1_000, fold=0, seed=0)
    assert len(found.windows) == len(positive) and found.n_not_drawn == 0 and len(found.data_digest) > 8
    np.testing.assert_array_equal(found.windows[3].codes, rows.window(positive[3]).codes)
    drawn = split_windows(model, windows, "test", labels[0], 5, fold=0, seed=0)
    starts = [window.start for window in drawn.windows]
    assert len(starts) == 5 and drawn.n_not_drawn == len(positive) - 5
    names = [window.name for window in found.windows]
    order = [names.index(window.name) for window in drawn.windows]
    assert order == sorted(order)
    source = ExplainSource(data=windows, n_windows=5)
    assert [window.name for window in source_windows(model, source, labels[0], seed=0).windows] == [
        window.name for window in drawn.windows
    ]
    other = split_windows(model, windows, "test", labels[0], 5, fold=0, seed=1)
    assert [window.start for window in other.windows] != starts
    none = split_windows(model, windows, "test", labels[2], 5, fold=0, seed=1)
    with pytest.raises(InputError, match="data: nothing to explain in it"):
        explain_windows(model, none, 2, ExplainOptions(average_strands=False))


def read_manifest_labels(folder: Path) -> tuple[str, ...]:
    from dnaspt.data.manifest import read_manifest

    return read_manifest(folder).labels


def test_another_dataset_or_split_is_refused(regions_model: Model, windows: Path, gene_data: Path) -> None:
    for data in (windows, gene_data):
        with pytest.raises(ConfigError, match="has no label 'Q' of windows; is it the dataset of"):
            split_windows(regions_model, data, "test", "Q", 5, fold=0, seed=0)
    with pytest.raises(DatasetError):
        split_windows(regions_model, windows, "test", "A", 5, fold=3, seed=0)


def test_attributions_of_windows_of_several_lengths_are_filled_up(motif_run: Path, tmp_path: Path) -> None:
    (tmp_path / "s.fa").write_text(">a\nACGTNACG\n>b\nACGTTGCATTGACC\n>c\nACG\n")
    model = load(motif_run)
    found, summary = explain_windows(
        model, sequence_windows(model, tmp_path / "s.fa"), 0, ExplainOptions("gradient", average_strands=True)
    )
    assert found.scores.shape == found.letters.shape == (3, 4, 14)
    assert not found.scores[2, :, 3:].any() and not found.letters[2, :, 3:].any()
    np.testing.assert_array_equal(found.letters.sum(axis=(1, 2)), [7, 14, 3])
    assert (found.end - found.start).tolist() == [8, 14, 3] and found.label == "motif"
    expected = model.predict_proba(tmp_path / "s.fa")[:, 0]  # type: ignore[index]
    np.testing.assert_allclose(1 / (1 + np.exp(-found.predicted)), expected, atol=1e-5)
    assert (summary.n_windows, summary.method, summary.average_strands, summary.files) == (3, "gradient", True, ())
    assert math.isnan(summary.gap) and found.weights == model.digests[0]


def test_contributions_of_deeplift_that_do_not_add_up_are_told(
    motif_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "s.fa").write_text(">a\nACGTTGCATTGACCAACT\n")
    model = load(motif_run)
    windows = sequence_windows(model, tmp_path / "s.fa")
    _, summary = explain_windows(model, windows, 0, ExplainOptions("deeplift", average_strands=True, n_references=4))
    assert summary.gap < 1e-3 and not caplog.text

    def wrong(*_: object) -> Iterator[Attribution]:
        yield Attribution(np.zeros((4, 18), np.float32), 0.0, gap=0.3, difference=-2.0)

    monkeypatch.setattr(explain, "attributions", wrong)
    with caplog.at_level(logging.WARNING):
        _, summary = explain_windows(model, windows, 0, ExplainOptions("deeplift", average_strands=True))
    assert summary.gap == pytest.approx(0.15)
    assert "they are off by 15.0 % of them; do not trust them, and explain by ism" in caplog.text


def test_nothing_to_explain_says_why(motif_run: Path, tmp_path: Path) -> None:
    (tmp_path / "s.fa").write_text(">a\nNNNN\n>b\n\n")
    model = load(motif_run)
    windows = sequence_windows(model, tmp_path / "s.fa")
    with pytest.raises(
        InputError, match="nothing to explain in it: 1 rows without a sequence, 1 windows are more than half N"
    ):
        explain_windows(model, windows, 0, ExplainOptions(average_strands=True))


def test_more_windows_than_fit_into_memory_are_refused(
    motif_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.fa").write_text(">a\nACGT\n>b\nACGT\n")
    model = load(motif_run)
    windows = sequence_windows(model, tmp_path / "s.fa")
    monkeypatch.setattr(explain_file, "_MOST_NUMBERS", 31)
    with pytest.raises(ConfigError, match="2 windows of up to 4 bp do not fit into memory; give 1 at most at a time"):
        explain_windows(model, windows, 0, ExplainOptions(average_strands=True))


def test_known_windows_keep_all_else(motif_run: Path) -> None:
    unknown = explain_file.ExplainedWindow("n", "n", 0, 4, ".", alphabet.encode("NNNA"))
    before = Windows((unknown,), motif_run, n_empty=2, data_digest="d")
    assert explain_file._known(before) == replace(before, windows=(), n_unknown=1)


def test_windows_of_a_model_of_methylation_have_a_cpg_in_the_middle(tmp_path: Path) -> None:
    model = load(run_of(tmp_path / "run", REGIONS.model_copy(update={"task": "methylation", "window_bp": 64})))
    first = int(cpg_positions(CODES["chr1"][100:900])[0]) + 100
    fasta, bed = genome(tmp_path, f"chr1\t{first}\t{first + 2}\n")
    (window,) = genome_windows(model, fasta, bed).windows
    assert window.start == first - 31
    for single in (first, first + 1):  # rows of the C and of the G alone, as bedMethyl has them
        bed.write_text(f"chr1\t{single}\t{single + 1}\n")
        assert genome_windows(model, fasta, bed).windows[0].start == first - 31
    bed.write_text(f"chr1\t{first + 1}\t{first + 3}\n")
    with pytest.raises(InputError, match=r"chr1:\d+-\d+: has G[ACGT] in its middle; expected CG"):
        genome_windows(model, fasta, bed)
    (tmp_path / "s.csv").write_text(f"id,seq\na,{'ACGT' * 16}\n")
    with pytest.raises(InputError, match="a: has TA in its middle; expected CG"):
        sequence_windows(model, tmp_path / "s.csv")
