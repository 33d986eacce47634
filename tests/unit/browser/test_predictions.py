from pathlib import Path

import numpy as np
import pytest

from dnaspt.browser.indexed_genome import IndexedGenome, indexed_genome
from dnaspt.browser.predictions import VISIBLE_BP, Predictor
from dnaspt.errors import CheckpointError, InputError
from dnaspt.genome.bigwig import read_bigwig
from dnaspt.genome.gff3 import read_annotation
from dnaspt.inference.predict import predict_file


@pytest.fixture(scope="module")
def genome(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> IndexedGenome:
    return indexed_genome(simulated / "genome.fa", tmp_path_factory.mktemp("index"))


@pytest.mark.parametrize("head", ["crf", "softmax", "gene-model"])
def test_genes_of_a_whole_contig_are_those_that_predict_writes(
    head: str, shown_runs: dict[str, Path], genome: IndexedGenome, tmp_path: Path
) -> None:
    out = tmp_path / "genes.gff3"
    predict_file(shown_runs[head], genome.path, out)
    expected = [one.transcript for one in read_annotation(out).transcripts if one.transcript.chrom == "chr1"]
    predictor = Predictor(shown_runs[head], "run", genome)
    found = predictor.features("genes", "chr1", 0, genome.lengths["chr1"])
    assert [(gene["start"], gene["end"], gene["strand"], len(gene["exons"])) for gene in found] == [
        (gene.start, gene.end, gene.strand, len(gene.cds)) for gene in expected
    ]


def test_posteriors_are_those_of_the_tracks_of_predict(
    shown_runs: dict[str, Path], genome: IndexedGenome, tmp_path: Path
) -> None:
    run = shown_runs["gene-model"]
    predict_file(run, genome.path, tmp_path / "genes.gff3", tracks=tmp_path / "genes")
    predictor = Predictor(run, "run", genome)
    drawn = {sign: np.zeros(genome.lengths["chr1"]) for sign in (1, -1)}
    for feature in predictor.features("coding", "chr1", 0, genome.lengths["chr1"]):
        drawn[1 if feature["value"] > 0 else -1][feature["start"] : feature["end"]] = abs(feature["value"])
    for sign, name in ((1, "plus"), (-1, "minus")):
        signal = dict(read_bigwig(tmp_path / f"genes.coding_{name}.bw"))["chr1"]
        expected = np.zeros(genome.lengths["chr1"])
        for (start, end), value in zip(signal.intervals, signal.values, strict=True):
            expected[start:end] = value
        np.testing.assert_allclose(drawn[sign], expected, atol=0.006)


def test_labels_of_windows_are_those_that_predict_writes(
    shown_runs: dict[str, Path], genome: IndexedGenome, tmp_path: Path
) -> None:
    predict_file(shown_runs["windows"], genome.path, tmp_path / "p.bw")
    (file,) = tmp_path.glob("*.bw")
    signal = dict(read_bigwig(file))["chr2"]
    expected = {tuple(ends): value for ends, value in zip(signal.intervals.tolist(), signal.values, strict=True)}
    predictor = Predictor(shown_runs["windows"], "run", genome)
    found = predictor.features("0", "chr2", 13_000, 20_000)
    assert found and min(feature["start"] for feature in found) <= 13_000
    for feature in found:
        assert feature["value"] == pytest.approx(expected[feature["start"], feature["end"]], abs=0.002)


def test_tracks_of_one_view_are_predicted_once(shown_runs: dict[str, Path], genome: IndexedGenome) -> None:
    predictor = Predictor(shown_runs["crf"], "run", genome)
    predictor.features("genes", "chr1", 100, 9_000)
    predictor.features("coding", "chr1", 0, 9_500)
    assert predictor._kept.cache_info().misses == 1


def test_a_stretch_beyond_the_contig_is_cut(shown_runs: dict[str, Path], genome: IndexedGenome) -> None:
    predictor = Predictor(shown_runs["crf"], "run", genome)
    end = genome.lengths["chr1"]
    assert predictor.features("coding", "chr1", end + 5, end + 90_000) == []
    assert all(feature["end"] <= end for feature in predictor.features("coding", "chr1", -900, end + 900))


def test_what_is_not_there_is_refused(shown_runs: dict[str, Path], genome: IndexedGenome) -> None:
    predictor = Predictor(shown_runs["crf"], "run", genome)
    with pytest.raises(InputError, match="no 'genes' on 'chr9'"):
        predictor.features("genes", "chr9", 0, 10)
    with pytest.raises(InputError, match="no 'secret' on 'chr1'"):
        predictor.features("secret", "chr1", 0, 10)
    long = IndexedGenome(genome.path, genome.fasta, genome.index, {"chr1": 10 * VISIBLE_BP})
    with pytest.raises(InputError, match="bp are asked for; expected at most 60,000 bp"):
        Predictor(shown_runs["crf"], "run", long).features("genes", "chr1", 0, 5 * VISIBLE_BP)


def test_a_language_model_predicts_nothing(runs_pretrained: Path, genome: IndexedGenome) -> None:
    with pytest.raises(CheckpointError, match="holds a language model, which predicts nothing"):
        Predictor(runs_pretrained, "run", genome)


def test_the_tracks_of_a_run_say_what_they_are(shown_runs: dict[str, Path], genome: IndexedGenome) -> None:
    tracks = Predictor(shown_runs["crf"], "my run", genome).tracks("runs/3", 3)
    assert [(track.name, track.kind, track.service) for track in tracks] == [
        ("my run", "annotation", "runs/3/genes"),
        ("my run: P(coding), reverse strand below", "wig", "runs/3/coding"),
    ]
    (track,) = Predictor(shown_runs["windows"], "w", genome).tracks("runs/0", 0)
    assert (track.name, track.extent) == ("w: peaks_A", (0.0, 1.0))
