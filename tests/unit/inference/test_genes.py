import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.genome.legal_labels import illegal_positions
from tests.unit.inference.gene_model_runs import WITH_NETWORK, gene_model_run
from tests.unit.inference.small_models import (
    GENES,
    WITHOUT_CODONS,
    decoded,
    genes_of,
    genes_run,
    give_emissions,
    model_of,
    random_codes,
    write_fasta,
)

from dnaspt import __version__
from dnaspt.checkpoint import save_checkpoint
from dnaspt.errors import ConfigError
from dnaspt.evaluation.gene_faults import structure_report
from dnaspt.genome.alphabet import N, encode, reverse_complement
from dnaspt.genome.alphabet import decode as letters
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gene_states import (
    ACCEPTOR,
    CDS,
    DONOR,
    GENE_STATES,
    INTRON,
    MINUS,
    NONCODING,
    label_contig,
    reverse_complement_labels,
)
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.gff3_writer import gff3_lines
from dnaspt.genome.gtf_writer import gtf_lines
from dnaspt.genome.stop_in_cds import stop_rows_in_cds
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference import emissions
from dnaspt.inference import genes as predict_genes
from dnaspt.inference.emissions import ContigSlice
from dnaspt.inference.genes import contig_genes, predict_contigs, with_frame
from dnaspt.inference.model import load
from dnaspt.inference.predict import PredictOptions, predict_file
from dnaspt.models.codons import gene_grammar
from dnaspt.models.gene_model_head import RULES


def test_decoded_paths_are_legal_and_their_genes_can_be_read_back(tmp_path: Path) -> None:
    contigs = {"chr1": random_codes(5000), "tiny": random_codes(9), "unknown": np.full(700, N, np.uint8)}
    genome = write_fasta(tmp_path / "g.fa", contigs)
    model = model_of(GENES)
    save_checkpoint(tmp_path / "run", model, GENES)
    path = decoded(model, contigs["chr1"]).path
    assert not len(illegal_positions(path, GENE_STATES))
    summary = predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", WITHOUT_CODONS)
    expected = genes_of(model, contigs["chr1"])
    assert len(expected) > 3
    found = {one.transcript.cds for one in read_annotation(tmp_path / "genes.gff3").transcripts}
    assert {gene.cds for gene in expected} <= found
    assert summary.n_genes == len(found)
    assert not list(tmp_path.glob(".genes*"))


def test_genes_of_a_crf_have_codons_unless_told(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contigs = {contig.name: contig.codes for contig in read_fasta(simulated / "genome.fa")}
    true = [one.transcript for one in read_annotation(simulated / "annotation.gff3").transcripts]
    labels = {
        name: label_contig([one for one in true if one.chrom == name], codes)[0] for name, codes in contigs.items()
    }

    def noisy_truth(codes: np.ndarray) -> np.ndarray:
        (name,) = (name for name, known in contigs.items() if np.array_equal(known, codes))
        emissions = np.random.default_rng(0).standard_normal((len(codes), len(GENE_STATES.names)))
        emissions[np.arange(len(codes)), np.maximum(labels[name], 0)] += 1
        return emissions.astype(np.float32)

    give_emissions(monkeypatch, noisy_truth)
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    exact = {}
    for options in (None, WITHOUT_CODONS):
        predict_file(tmp_path / "run", simulated / "genome.fa", tmp_path / "genes.gff3", options, overwrite=True)
        found = [one.transcript for one in read_annotation(tmp_path / "genes.gff3").transcripts]
        faults = structure_report(found, contigs).to_dict()["faults"]
        del faults["stop codon in frame"]  # those that arise across an intron are not known
        assert (sum(faults.values()) == 0) == (options is None), faults
        exact[options] = len({(one.chrom, one.cds) for one in true} & {(one.chrom, one.cds) for one in found})
    assert exact[None] > exact[WITHOUT_CODONS]


def introns(gff3: Path) -> list[int]:
    genes = [one.transcript for one in read_annotation(gff3).transcripts]
    return [end - start for gene in genes for start, end in gene.introns]


def test_no_intron_is_shorter_than_those_of_the_training_annotation_or_than_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def noise(codes: np.ndarray) -> np.ndarray:
        return (np.random.default_rng(len(codes)).standard_normal((len(codes), 9)) * 3).astype(np.float32)

    give_emissions(monkeypatch, noise)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(9000)})
    shortest = {}
    for known_bp in (None, 60):
        run, out = tmp_path / f"run{known_bp}", tmp_path / "genes.gff3"
        save_checkpoint(run, model_of(GENES), GENES.model_copy(update={"shortest_intron_bp": known_bp}))
        for asked_bp in (None, 25):
            predict_file(run, genome, out, PredictOptions(min_intron_bp=asked_bp), overwrite=True)
            shortest[known_bp, asked_bp] = min(introns(out))
            (genes,) = load(run).predict(genome, min_intron_bp=asked_bp)
            assert sorted(end - start for gene in genes for start, end in gene.introns) == sorted(introns(out))
        predict_file(
            run, genome, out, WITHOUT_CODONS, overwrite=True
        )  # of the head alone, introns may be of any length
        assert min(introns(out)) < 10
    assert 10 <= shortest[None, None] < 15
    assert 60 <= shortest[60, None] < 80
    assert 25 <= shortest[None, 25] == shortest[60, 25] < 40
    for wrong in (4, 9, 0, -1, 10_001):
        with pytest.raises(ConfigError, match=f"min_intron_bp {wrong}; expected 10 to 10,000"):
            predict_file(run, genome, out, PredictOptions(min_intron_bp=wrong), overwrite=True)
        with pytest.raises(ConfigError, match=f"min_intron_bp {wrong}; expected 10 to 10,000"):
            load(run).predict("ACGT" * 10, min_intron_bp=wrong)
    predict_file(run, genome, out, PredictOptions(min_intron_bp=30, codons=False), overwrite=True)
    assert "--min-intron-bp has no effect without a CRF head and --codons" in caplog.text


def test_genes_of_a_low_score_or_a_short_cds_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def noise(codes: np.ndarray) -> np.ndarray:
        return (np.random.default_rng(len(codes)).standard_normal((len(codes), 9)) * 3).astype(np.float32)

    give_emissions(monkeypatch, noise)
    run, genome = genes_run(tmp_path, {"chr1": random_codes(5000), "chr2": random_codes(3000, 1)})
    out = tmp_path / "genes.gff3"
    every = predict_file(run, genome, out)
    assert every.n_left_out == 0
    genes = {one.transcript.gene_id: one.transcript for one in read_annotation(out).transcripts}
    rows = [line.split("\t") for line in out.read_text().splitlines() if "\tgene\t" in line]
    scores = {row[8].split(";")[0].removeprefix("ID="): float(row[5]) for row in rows}
    assert len(genes) == len(scores) == every.n_genes
    middle = sorted(scores.values())[len(scores) // 2]
    for min_score, min_coding_bp in ((middle, 0), (0.0, 60), (middle, 60)):
        options = PredictOptions(min_score=min_score, min_coding_bp=min_coding_bp)
        summary = predict_file(run, genome, out, options, overwrite=True)
        kept = {name for name, gene in genes.items() if scores[name] >= min_score and gene.cds_bp >= min_coding_bp}
        assert {one.transcript.gene_id for one in read_annotation(out).transcripts} == kept
        assert 0 < summary.n_genes == len(kept) < len(genes)
        assert summary.n_left_out == len(genes) - len(kept)
        in_python = load(run).predict(genome, min_score=min_score, min_coding_bp=min_coding_bp)
        assert {gene.gene_id for own in in_python for gene in own} == kept
    none = predict_file(run, genome, out, PredictOptions(min_score=1), overwrite=True)
    assert (none.n_genes, none.n_partial, none.n_left_out) == (0, 0, len(genes))
    assert f"no gene on 8000 bases; {len(genes)} were left out by --min-score or --min-coding-length" in caplog.text
    for options, message in (({"min_score": 1.5}, "min_score 1.5"), ({"min_coding_bp": -1}, "min_coding_bp -1")):
        with pytest.raises(ConfigError, match=f"{message}; expected 0"):
            predict_file(run, genome, out, PredictOptions(**options), overwrite=True)


def test_a_model_that_does_badly_on_valid_says_so_in_its_gff3(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(2000)})
    said = {}
    for mcc in (0.31, 0.5, None):
        scores = {} if mcc is None else {"valid_mcc": mcc}
        save_checkpoint(tmp_path / "run", model_of(GENES), GENES.model_copy(update={"provenance": scores}))
        caplog.clear()
        predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", overwrite=True)
        read_annotation(tmp_path / "genes.gff3")
        lines = (tmp_path / "genes.gff3").read_text().splitlines()
        assert lines[:2] == ["##gff-version 3", "##sequence-region chr1 1 2000"]
        assert lines[2].startswith(f"# dnaspt {__version__}: run run, sha256 ") and str(tmp_path) not in lines[2]
        said[mcc] = [line for line in lines[3:] if line.startswith("# ")]
        assert bool(said[mcc]) == ("genes.gff3: the model has MCC" in caplog.text)
    (warning,) = said[0.31]
    assert warning.startswith(
        "# warning: the model has MCC 0.310 on its own valid split, so many of these genes are wrong"
    )
    assert not said[0.5] and not said[None]


def test_complete_genes_are_whole(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noise(codes: np.ndarray) -> np.ndarray:
        return (np.random.default_rng(len(codes)).standard_normal((len(codes), 9)) * 3).astype(np.float32)

    give_emissions(monkeypatch, noise)
    codes = random_codes(6000)
    codes[3000:3200] = N
    run, genome = genes_run(tmp_path, {"chr1": codes, "chr2": random_codes(2000, 1)})
    partial = predict_file(run, genome, tmp_path / "genes.gff3")
    complete = predict_file(run, genome, tmp_path / "genes.gff3", PredictOptions(complete_genes=True), overwrite=True)
    assert partial.n_partial > 0 == complete.n_partial < complete.n_genes
    with pytest.raises(ConfigError, match="--complete-genes needs a gene model, or a CRF"):
        predict_file(
            run, genome, tmp_path / "genes.gff3", PredictOptions(complete_genes=True, codons=False), overwrite=True
        )


def test_many_intervals_of_a_contig_go_to_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(5000)})
    regions = tmp_path / "regions.bed"
    regions.write_text("chr1\t0\t1500\nchr1\t2000\t3500\nchr1\t4000\t5000\n")
    predict_file(run, genome, tmp_path / "memory.gff3", WITHOUT_CODONS, regions=regions)
    files: list[Path] = []
    real = predict_genes.disk_array

    def counted(file: Path, n_rows: int, n_columns: int) -> object:
        files.append(file)
        return real(file, n_rows, n_columns)

    monkeypatch.setattr(predict_genes, "ON_DISK_BP", 3000)
    monkeypatch.setattr(predict_genes, "disk_array", counted)
    predict_file(run, genome, tmp_path / "files.gff3", WITHOUT_CODONS, regions=regions)
    assert len(files) == 3 and not any(file.exists() for file in files)
    assert (tmp_path / "files.gff3").read_bytes() == (tmp_path / "memory.gff3").read_bytes()


def test_emissions_on_disk_give_the_same_genes_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(3000)})
    assert predict_file(run, genome, tmp_path / "memory.gff3", WITHOUT_CODONS).n_genes > 0
    monkeypatch.setattr(predict_genes, "ON_DISK_BP", 100)
    predict_file(run, genome, tmp_path / "disk.gff3", WITHOUT_CODONS)
    assert (tmp_path / "disk.gff3").read_bytes() == (tmp_path / "memory.gff3").read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("codons", [False, True])
def test_genes_of_both_strands_reverse_with_the_genome(tmp_path: Path, codons: bool) -> None:
    codes = random_codes(4000)
    run, genome = tmp_path / "run", write_fasta(tmp_path / "g.fa", {"chr1": codes})
    model = model_of(GENES)
    with torch.no_grad():  # a chain that tells the strands apart, as a trained one does
        for parameter in model.head.crf.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    save_checkpoint(run, model, GENES)
    options = PredictOptions(average_strands=True, codons=codons)
    predict_file(run, genome, tmp_path / "forward.gff3", options)
    write_fasta(genome, {"chr1": reverse_complement(codes)})
    predict_file(run, genome, tmp_path / "backward.gff3", options)
    forward, backward = (
        [one.transcript for one in read_annotation(tmp_path / name).transcripts]
        for name in ("forward.gff3", "backward.gff3")
    )
    turned = {
        ({"+": "-", "-": "+"}[one.strand], tuple((4000 - end, 4000 - start) for start, end in reversed(one.cds)))
        for one in backward
    }
    assert len(forward) > 3
    assert {(one.strand, one.cds) for one in forward} == turned


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), stop_in_cds=st.booleans(), n_bp=st.integers(60, 1200))
def test_of_both_strands_genes_mirror_with_their_phases_and_scores(seed: int, stop_in_cds: bool, n_bp: int) -> None:
    model, codes = model_of(GENES).double(), random_codes(n_bp, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.head.crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        model.head.crf.transitions[NONCODING, NONCODING] -= 3
    config, options = GENES.model_copy(update={"stop_in_cds": stop_in_cds}), PredictOptions(average_strands=True)
    forward, backward = (
        predict_contigs(model, config, [Contig("c", own)], options)[0] for own in (codes, reverse_complement(codes))
    )
    assert len(forward) == len(backward)
    for gene, turned in zip(forward, reversed(backward), strict=True):
        assert gene.strand != turned.strand
        assert gene.cds == tuple((n_bp - end, n_bp - start) for start, end in reversed(turned.cds))
        assert (gene.phase, gene.is_partial) == (turned.phase, turned.is_partial)
        assert gene.score == pytest.approx(turned.score, abs=1e-6)


@pytest.mark.parametrize(
    ("left", "cds", "right", "strand", "phase"),
    [
        ("C", "CTA" + "ACG" * 6 + "TAA", "C" * 20, "+", 1),
        ("C" * 20, "TTA" + "CGT" * 6 + "TAG", "C", "-", 1),
        ("C" * 20, "ATG" + "GCA" * 6 + "GC", "", "+", 0),
        ("C" * 20, "ATG" + "GCA" * 6 + "TAA", "C" * 20, "+", 0),
    ],
)
def test_a_gene_cut_at_its_beginning_keeps_its_frame(
    left: str, cds: str, right: str, strand: str, phase: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = encode((left + cds + right).encode())

    def certain(_: np.ndarray) -> np.ndarray:
        emissions = np.zeros((len(codes), 9), np.float32)
        emissions[:, NONCODING] = 5
        inside = slice(0 if left == "C" else len(left), len(codes) if right == "C" else len(left) + len(cds))
        emissions[inside, NONCODING], emissions[inside, CDS if strand == "+" else CDS + MINUS] = 0, 5
        return emissions

    give_emissions(monkeypatch, certain)
    model, grammar = model_of(GENES), gene_grammar(stop_in_cds=True)
    with torch.no_grad():
        for parameter in model.head.crf.parameters():
            parameter.zero_()
    (gene,) = genes_of(model, codes, grammar)
    assert (gene.strand, gene.phase) == (strand, phase)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(("n_bp", "is_known"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_start_or_stop_codon_that_a_contigs_end_cuts_has_no_rows(strand: str, n_bp: int, is_known: bool) -> None:
    offset = 1 if strand == "+" else 13  # states of this strand
    for codon, attribute in ((3, "has_start"), (6, "has_stop")):
        states = np.zeros(20, np.int8)
        states[8 : 8 + n_bp] = offset + codon + np.arange(n_bp) % 3
        gene = with_frame(Transcript("c", strand, "g", "g.1", ((8, 8 + n_bp),)), states, 0, RULES)
        assert gene.is_partial and getattr(gene, attribute) is is_known
        rows = "".join([*gff3_lines([gene]), *gtf_lines([gene])])
        assert rows.count(f"{attribute[4:]}_codon") == 2 * is_known


EXONS = ("ATGGCAG", "CTGCACGAAC", "GGATGCCTGG", "CATGACTAA")
"""Exons of a gene, with introns after the first, second and third base of a codon; ATG and TGA stand in other frames too."""


def whole_gene(*, stop_in_cds: bool) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Letters of a gene on the plus strand, their classes, and for each coding base which base of its codon it is, else -1."""
    intron = "GTAAGTTTTTTTTTCAG"
    letters, labels, bases = "C" * 20, [NONCODING] * 20, [-1] * 20
    n = 0
    for number, exon in enumerate(EXONS):
        if number:
            letters += intron
            labels += [DONOR, *[INTRON] * (len(intron) - 2), ACCEPTOR]
            bases += [-1] * len(intron)
        letters += exon
        labels += [CDS] * len(exon)
        bases += [(n + i) % 3 for i in range(len(exon))]
        n += len(exon)
    if not stop_in_cds:
        labels[-3:], bases[-3:] = [NONCODING] * 3, [-1] * 3
    return encode((letters + "C" * 20).encode()), np.array(labels + [NONCODING] * 20), [*bases, *[-1] * 20]


@pytest.mark.parametrize("stop_in_cds", [True, False])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_phase_of_a_gene_that_is_cut_anywhere_is_that_of_the_whole_gene(
    strand: str, stop_in_cds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, labels, bases = whole_gene(stop_in_cds=stop_in_cds)
    stop = int(np.flatnonzero(labels != NONCODING)[-1]) + 1
    model, grammar = model_of(GENES), gene_grammar(stop_in_cds=stop_in_cds)
    with torch.no_grad():
        for parameter in model.head.crf.parameters():
            parameter.zero_()
    config = GENES.model_copy(update={"stop_in_cds": stop_in_cds})
    n_cut = 0
    for start, end in ((s, e) for s in range(14, stop) for e in range(max(s + 12, stop - 40), len(codes), 5)):
        part, classes = codes[start:end], labels[start:end]
        if strand == "-":
            part, classes = reverse_complement(part), reverse_complement_labels(classes.astype(np.int8))
        emissions = np.full((len(part), 9), -20, np.float32)
        emissions[np.arange(len(part)), classes] = 20
        coding = [n for n in range(start, end) if bases[n] >= 0]
        if not coding or labels[start] == ACCEPTOR or labels[end - 1] == DONOR:
            continue  # half of the letters of the splice site are not there
        if start > stop - 3 if stop_in_cds else stop < end < stop + 3:
            continue  # a sequence does not begin within a stop codon, nor end within one that is not coding
        whole = [(ContigSlice.whole(part), emissions)]
        (gene,) = contig_genes(model, config, Contig("c", part), whole, grammar=grammar)
        has_stop = end >= stop + (0 if stop_in_cds else 3)
        if start <= 20 or has_stop:  # a gene without both ends may have more than one frame without a stop codon
            assert gene.phase == (-bases[coding[0]]) % 3, (start, end)
        assert gene.is_partial == (start > 20 or not has_stop), (start, end)
        assert gene.cds_bp == len(coding) + (0 if stop_in_cds or not has_stop else 3)
        n_cut += 1
    assert n_cut > 200


def test_a_gene_that_a_long_run_of_n_cuts_is_written_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = encode(("C" * 100 + "N" * 200 + "GCA" * 60 + "TAA" + "C" * 100).encode())

    def certain(_: np.ndarray) -> np.ndarray:
        emissions = np.zeros((len(codes), 9), np.float32)
        emissions[:, NONCODING], emissions[290:483, CDS], emissions[290:483, NONCODING] = 5, 5, 0
        return emissions

    give_emissions(monkeypatch, certain)
    grammar = gene_grammar(stop_in_cds=True)
    (gene,) = genes_of(model_of(GENES), codes, grammar)
    assert gene.cds == ((290, 483),)
    assert gene.phase == 193 % 3


@pytest.fixture(scope="module", params=["alone", "codons"])
def predicted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a genome and the genes predicted on it, whole and partial ones, from a model that sees genes everywhere."""
    folder = tmp_path_factory.mktemp("predicted")
    contigs = {"chr1": random_codes(5000), "scaffold_2.1": random_codes(3000, 1)}
    run, genome = genes_run(folder, contigs)

    def noise(codes: np.ndarray) -> np.ndarray:
        emissions = np.random.default_rng(len(codes)).standard_normal((len(codes), len(GENE_STATES.names))) * 3
        return emissions.astype(np.float32)

    with pytest.MonkeyPatch.context() as patch:
        give_emissions(patch, noise)
        options = PredictOptions(codons=request.param == "codons")
        summary = predict_file(
            run, genome, folder / "genes.gff3", options, proteins=folder / "p.faa", cds=folder / "cds.fa"
        )
        assert predict_file(run, genome, folder / "genes.gtf", options) == summary
    assert summary.n_genes > 5
    assert (summary.n_genes > summary.n_partial > 0) == options.codons
    return folder


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
def test_gffread_reads_predicted_genes_without_complaint_and_extracts_their_cds(
    predicted: Path, tmp_path: Path
) -> None:
    gff3, genome = predicted / "genes.gff3", tmp_path / "g.fa"
    ran = subprocess.run(["gffread", "-E", gff3, "-o", tmp_path / "o.gff3"], capture_output=True, text=True, check=True)
    complaints = [line for line in ran.stderr.splitlines() if not line.startswith(("Command line", "gffread", " "))]
    assert [line for line in complaints if line and "loaded" not in line] == []
    shutil.copy(predicted / "g.fa", genome)  # gffread writes an index beside it
    subprocess.run(["gffread", "-x", tmp_path / "cds.fa", "-g", genome, gff3], check=True, capture_output=True)
    with pysam.FastxFile(str(tmp_path / "cds.fa")) as records:
        lengths = {record.name: len(record.sequence) for record in records}
    genes = [one.transcript for one in read_annotation(gff3).transcripts]
    skipped = first_phases(gff3)  # gffread leaves out what ends a codon that began before
    assert lengths == {gene.transcript_id: gene.cds_bp - skipped[gene.transcript_id] for gene in genes}


def sequences_of(fasta: Path) -> dict[str, str]:
    with pysam.FastxFile(str(fasta)) as records:
        return {record.name: record.sequence for record in records}


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
@pytest.mark.parametrize("suffix", ["gff3", "gtf"])
def test_proteins_and_cds_are_those_of_gffread(predicted: Path, tmp_path: Path, suffix: str) -> None:
    genome = tmp_path / "g.fa"
    shutil.copy(predicted / "g.fa", genome)
    # it writes a stop codon within a protein as ., with -S as *; and puts the stop_codon rows of GTF into the CDS
    command = [
        "gffread",
        "-S",
        "-x",
        tmp_path / "x.fa",
        "-y",
        tmp_path / "y.fa",
        "-g",
        genome,
        predicted / f"genes.{suffix}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    for own, other in (("cds.fa", "x.fa"), ("p.faa", "y.fa")):
        ours, theirs = sequences_of(predicted / own), sequences_of(tmp_path / other)
        left_out = ours.keys() - theirs.keys()
        assert theirs == {name: letters for name, letters in ours.items() if name not in left_out}
        assert all(len(ours[name]) < 6 for name in left_out)  # it leaves out what is short
        assert len(theirs) > 5


def test_whole_genes_translate_from_m_and_partial_ones_in_their_frame(predicted: Path) -> None:
    proteins, cds = sequences_of(predicted / "p.faa"), sequences_of(predicted / "cds.fa")
    genes = {
        one.transcript.transcript_id: one.transcript for one in read_annotation(predicted / "genes.gff3").transcripts
    }
    with_codons = any(gene.is_partial for gene in genes.values())
    assert {name for name, gene in genes.items() if gene.cds_bp > gene.phase} == cds.keys() >= proteins.keys()
    for name, coding in cds.items():
        gene, protein = genes[name], proteins.get(name, "")
        ends_with_stop = coding[len(coding) // 3 * 3 - 3 :][:3] in ("TAA", "TAG", "TGA")
        assert len(coding) == gene.cds_bp - gene.phase
        assert len(protein) == len(coding) // 3 - (ends_with_stop and len(coding) > 2)
        if with_codons and len(gene.cds) == 1:  # a stop codon may arise across an intron
            assert "*" not in protein
        if with_codons and not gene.is_partial:
            assert protein.startswith("M") and coding.startswith("ATG") and coding[-3:] in ("TAA", "TAG", "TGA")


def test_gtf_and_gff3_hold_the_same_genes_and_their_codons(predicted: Path) -> None:
    gff3, gtf = (read_annotation(predicted / f"genes.{suffix}").transcripts for suffix in ("gff3", "gtf"))
    assert list(map(stop_rows_in_cds, gff3)) == list(map(stop_rows_in_cds, gtf))
    codes = {contig.name: contig.codes for contig in read_fasta(predicted / "g.fa")}
    stops = [one for one in gtf if one.stop_codon]
    assert stops and all(not set(one.stop_codon) & set(one.transcript.cds) for one in stops)
    assert [one.stop_codon for one in gff3] == [one.stop_codon for one in gtf]
    rows = [
        line.split("\t") for line in (predicted / "genes.gff3").read_text().splitlines() if "\tstart_codon\t" in line
    ]
    assert rows
    for row in rows:
        if int(row[4]) - int(row[3]) == 2:
            codon = codes[row[0]][int(row[3]) - 1 : int(row[4])]
            assert letters(codon if row[6] == "+" else reverse_complement(codon)) == "ATG"
    whole = [one for one in gff3 if not one.transcript.is_partial]
    if len(whole) < len(gff3):  # with codons
        assert all(one.stop_codon for one in whole)


def first_phases(gff3: Path) -> dict[str, int]:
    """Phase of the first CDS row of each transcript, in the direction of transcription."""
    rows = [line.split("\t") for line in gff3.read_text().splitlines() if "\tCDS\t" in line]
    rows.sort(key=lambda row: int(row[3]) if row[6] == "-" else -int(row[3]))  # the last one of a transcript stays
    return {row[8].split("Parent=")[1]: int(row[7]) for row in rows}


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gt"), reason="gt is not installed (apt-get install genometools)")
def test_genometools_finds_predicted_genes_valid(predicted: Path) -> None:
    ran = subprocess.run(["gt", "gff3validator", predicted / "genes.gff3"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "input is valid GFF3", "")


STOP_CODONS = ("TAA", "TAG", "TGA")


def illegal(gene: Transcript, contig: str) -> list[str]:
    """What is wrong with a complete gene on a contig, found without the product's own reader of codons."""
    parts = [contig[start:end] for start, end in gene.cds]
    introns = [contig[end:start] for (_, end), (start, _) in pairwise(gene.cds)]
    coding = "".join(parts)
    if gene.strand == "-":
        turned = str.maketrans("ACGT", "TGCA")
        coding, introns = coding.translate(turned)[::-1], [intron.translate(turned)[::-1] for intron in introns]
    codons = [coding[first : first + 3] for first in range(0, len(coding), 3)]
    wrong = {
        "no start codon": codons[0] != "ATG",
        "no stop codon": codons[-1] not in STOP_CODONS,
        "a stop codon in frame": any(codon in STOP_CODONS for codon in codons[:-1]),
        "no whole codons": len(coding) % 3 != 0,
        "splice sites": any((intron[:2], intron[-2:]) not in (("GT", "AG"), ("GC", "AG")) for intron in introns),
    }
    return [name for name, is_so in wrong.items() if is_so]


@pytest.mark.tool
@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed (apt-get install gffread)")
@pytest.mark.skipif(not shutil.which("gt"), reason="gt is not installed (apt-get install genometools)")
def test_no_gene_of_a_gene_model_is_dropped_by_gffread_or_refused_by_genometools(tmp_path: Path) -> None:
    contigs = {f"c{seed}": random_codes(8_000, seed) for seed in range(2)}
    contigs |= {f"{name}_turned": reverse_complement(codes) for name, codes in contigs.items()}
    genome, gff3 = write_fasta(tmp_path / "g.fa", contigs), tmp_path / "genes.gff3"
    run = gene_model_run(tmp_path / "run", config=WITH_NETWORK, network_weight=0.5)
    predict_file(run, genome, gff3, PredictOptions(average_strands=True))
    genes = [row.transcript for row in read_annotation(gff3).transcripts]
    is_partial = {
        line.split("ID=")[1].split(";")[0] for line in gff3.read_text().splitlines() if "partial=true" in line
    }
    whole = [gene for gene in genes if gene.transcript_id not in is_partial]
    assert len(whole) > 10 and {gene.strand for gene in whole} == {"+", "-"} and max(len(g.cds) for g in whole) > 1
    assert {gene.transcript_id: why for gene in whole if (why := illegal(gene, letters(contigs[gene.chrom])))} == {}
    # -V: a stop codon in frame; -J: no start codon, no stop codon, or a stop codon in frame
    ran = ["gffread", "-V", "-J", "-g", genome, "-o", tmp_path / "kept.gff3", gff3]
    subprocess.run(ran, check=True, capture_output=True)
    kept = {row.transcript.transcript_id for row in read_annotation(tmp_path / "kept.gff3").transcripts}
    assert {gene.transcript_id for gene in whole} <= kept
    valid = subprocess.run(["gt", "gff3validator", gff3], capture_output=True, text=True)
    assert (valid.returncode, valid.stdout.strip(), valid.stderr) == (0, "input is valid GFF3", "")


@pytest.mark.parametrize("average_strands", [False, True])
def test_genes_with_a_network_are_legal_and_alike_in_tiles_and_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, average_strands: bool
) -> None:
    contigs = {f"c{n}": random_codes(4_000, n) for n in range(4)}
    genome, options = write_fasta(tmp_path / "g.fa", contigs), PredictOptions(average_strands=average_strands)
    run = gene_model_run(tmp_path / "run", config=WITH_NETWORK, network_weight=0.5)

    def written(name: str, run: Path = run) -> list[Transcript]:
        predict_file(run, genome, tmp_path / f"{name}.gff3", options)
        return [row.transcript for row in read_annotation(tmp_path / f"{name}.gff3").transcripts]

    genes = written("memory")
    assert len(genes) > 10
    for name, codes in contigs.items():
        own = load(run).predict(letters(codes), average_strands=average_strands)[0]
        assert structure_report(own, {"seq1": codes}).n_illegal == 0
        assert [gene.cds for gene in own] == [gene.cds for gene in genes if gene.chrom == name]
    weightless = gene_model_run(tmp_path / "weightless", config=WITH_NETWORK)
    without = [gene.cds for gene in written("without", gene_model_run(tmp_path / "without"))]
    assert [gene.cds for gene in written("weightless", weightless)] == without != [gene.cds for gene in genes]
    monkeypatch.setattr(predict_genes, "ON_DISK_BP", 100)
    monkeypatch.setattr(emissions, "TILE_BP", 311)
    assert [gene.cds for gene in written("disk")] == [gene.cds for gene in genes]
