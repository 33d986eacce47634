"""Regions to draw: chosen by the annotation alone, of a fixed size, with what reaches into them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.unit.evaluation.small_runs import make_run
from tests.unit.genome.gff3_files import write_gff3

from dnaspt.data.dataset import read_split
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.evaluation.loci import CODING_STEPS, MAX_BP, choose_loci, example_coding, example_genes, example_loci
from dnaspt.evaluation.loci import _regions as regions
from dnaspt.evaluation.loci import _regions_with_genes as regions_with_genes
from dnaspt.genome.gene_states import MISSING, transcripts_from_labels
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.decode import predict_paths
from dnaspt.inference.emissions import ContigSlice


def segment_of(length_bp: int, start: int = 0) -> Segment:
    return Segment("c", start, np.zeros(length_bp, np.uint8), np.full(length_bp, 8, np.int8))


def gene(start: int, end: int, *, introns: bool = True) -> Transcript:
    middle = (start + end) // 2
    return Transcript(
        "c", "+", f"g{start}", f"t{start}", ((start, middle), (middle + 9, end)) if introns else ((start, end),)
    )


def test_a_region_begins_before_a_gene_and_ends_behind_one() -> None:
    genes = [gene(2000, 4000), gene(6000, 11_000), gene(20_000, 21_000)]
    found = [(region.start, region.end) for region in regions(segment_of(40_000), genes)]
    assert found == [(1700, 11_300), (5700, 13_700), (19_700, 27_700)]


def test_a_region_keeps_to_its_segment_and_is_at_most_15_kb() -> None:
    found = regions(segment_of(5000, 100), [gene(200, 4000)])
    assert [(region.start, region.end) for region in found] == [(100, 5100)]
    found = regions(segment_of(60_000), [gene(1000, 50_000)])
    assert [(region.start, region.end) for region in found] == [(700, 700 + MAX_BP)]
    assert regions(segment_of(1000), []) == []


def test_regions_with_two_genes_with_introns_are_preferred_and_labeled_ones() -> None:
    two = [gene(2000, 3000), gene(4000, 5000)]
    far = [gene(30_000, 31_000), gene(50_000, 51_000, introns=False)]
    found, n_genes = regions_with_genes([segment_of(70_000)], [*two, *far])
    assert n_genes == 2 and [region.start for region in found] == [1700]
    found, n_genes = regions_with_genes([segment_of(70_000)], far)
    assert n_genes == 1 and [region.start for region in found] == [29_700]
    found, n_genes = regions_with_genes([segment_of(70_000)], far[1:])
    assert n_genes == 0 and [region.start for region in found] == [49_700]
    segment = segment_of(70_000)
    segment.labels[:10_000] = MISSING
    found, n_genes = regions_with_genes([segment], [*two, *far])
    assert n_genes == 1 and [region.start for region in found] == [29_700]
    assert regions_with_genes([segment], []) == ([], 0)


def test_a_locus_is_drawn_with_the_genes_that_reach_into_it(gene_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", gene_data, "crf")
    for both in (False, True):
        (locus,) = choose_loci(gene_data, [(run, both)])
        assert locus.truth and len(locus.predicted) == 1
        assert 0 < locus.end - locus.start <= MAX_BP
        assert all(g.start < locus.end and locus.start < g.end for g in (*locus.truth, *locus.predicted[0]))
        assert "prediction and annotation differ at most bases" in locus.choice
    other, _ = make_run(tmp_path / "other", gene_data, "softmax")
    (locus,) = choose_loci(gene_data, [(run, False), (other, False)])
    assert len(locus.predicted) == 2 and "runs differ from each other" in locus.choice


def test_drawn_genes_keep_to_codons_as_predicted_ones_do(gene_data: Path, tmp_path: Path) -> None:
    run, model = make_run(tmp_path / "run", gene_data, "crf", shortest_intron_bp=40)
    (locus,) = choose_loci(gene_data, [(run, False)])
    drawn = [*locus.predicted[0], *(gene for genes in example_genes(gene_data, run, 3) for gene in genes)]
    introns = [end - start for gene in drawn for start, end in gene.introns]
    assert drawn and min(introns, default=40) >= 40
    whole = [ContigSlice.whole(segment.codes) for segment in segments(read_split(gene_data, "test"))]
    alone = [transcripts_from_labels(path, "c") for path in predict_paths(model, whole)]
    assert min(end - start for genes in alone for gene in genes for start, end in gene.introns) < 10


def test_loci_lie_apart_and_have_letters_labels_and_posteriors(gene_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", gene_data, "crf")
    (tmp_path / "baseline").mkdir()
    truth = [transcript for transcript, longest in read_transcripts(gene_data, "test") if longest]
    write_gff3(tmp_path / "baseline" / "genes.gff3", truth, {gene.chrom: 10_000_000 for gene in truth}.items())
    loci = choose_loci(gene_data, [(run, False), (tmp_path / "baseline", False)], 3)
    assert loci
    for n, locus in enumerate(loci):
        assert not any(o.chrom == locus.chrom and o.start < locus.end and locus.start < o.end for o in loci[:n])
        length_bp = locus.end - locus.start
        assert len(locus.codes) == len(locus.labels) == length_bp
        assert [own.shape for own in locus.coding] == [(2, length_bp), (2, 0)]
        assert (locus.coding[0] >= 0).all() and (locus.coding[0].sum(axis=0) <= 1.001).all()
        assert {gene.cds for gene in locus.predicted[1]} == {gene.cds for gene in locus.truth}
    assert "prediction and annotation differ" in loci[0].choice  # the baseline has no say
    shutil.copy(
        tmp_path / "baseline" / "genes.gff3", run / "genes.gff3"
    )  # where its user has let it predict into its folder
    assert choose_loci(gene_data, [(run, False)])[0].predicted[0] == loci[0].predicted[0]


def test_examples_depend_on_the_annotation_alone(gene_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", gene_data, "crf")
    predicted = example_genes(gene_data, run, 2)
    truth = [transcript for transcript, longest in read_transcripts(gene_data, "test") if longest]
    (tmp_path / "baseline").mkdir()
    ends = {transcript.chrom: 10_000_000 for transcript in truth}
    write_gff3(tmp_path / "baseline" / "genes.gff3", truth, ends.items())
    shutil.copy(tmp_path / "baseline" / "genes.gff3", tmp_path / "genes.gff3")
    of_file = example_genes(gene_data, tmp_path / "baseline", 2)
    assert len(predicted) == len(of_file)
    loci = example_loci(gene_data, [predicted, of_file])
    assert [len(locus.predicted) for locus in loci] == [2] * len(of_file)
    for locus, genes in zip(loci, of_file, strict=True):
        assert {g.cds for g in locus.truth} == {g.cds for g in genes} == {g.cds for g in locus.predicted[1]}
    assert loci[0].choice.startswith(f"one of {len(loci)} places with genes")
    coding = [example_coding(gene_data, folder, 2) for folder in (run, tmp_path / "baseline")]
    assert coding[1] == []
    for locus, own in zip(example_loci(gene_data, [predicted, of_file], coding=coding), coding[0], strict=True):
        assert own.shape == (2, locus.end - locus.start) and own.any()
        np.testing.assert_allclose(own * CODING_STEPS, np.rint(own * CODING_STEPS), atol=1e-5)
        assert locus.coding[0] is own and locus.coding[1].shape == (2, 0)


@pytest.mark.parametrize("edges", [[], [(0, 400)], [(7000, 7100), (7900, 8000)]])
def test_missing_labels_are_intervals(edges: list[tuple[int, int]]) -> None:
    from dnaspt.evaluation.loci import _locus

    segment = segment_of(20_000, 1000)
    (region,) = regions(segment, [gene(3000, 4000)])
    for start, end in edges:
        segment.labels[region.start - 1000 + start : region.start - 1000 + end] = MISSING
    expected = [(region.start + start, region.start + end) for start, end in edges]
    assert list(_locus(region, [], [], "").missing) == expected
