"""Illegal structures of genes: splice sites, reading frames, start and stop codons, on either strand."""

import json
from dataclasses import replace

import pytest

from dnaspt.evaluation.gene_faults import INTRON_FAULT, StructureReport, structure_report
from dnaspt.genome.alphabet import encode, reverse_complement
from dnaspt.genome.genetic_code import MAJOR_SPLICE_PAIRS, genetic_code
from dnaspt.genome.transcripts import Transcript

Exons = tuple[tuple[int, int], ...]


GENE = b"cc" + b"ATGAAA" + b"GTccccAG" + b"CCCTAA" + b"cc"
LEGAL: Exons = ((2, 8), (16, 22))


def transcript(cds: Exons, strand: str = "+", chrom: str = "c") -> Transcript:
    return Transcript(chrom, strand, "a", "a", cds)


def faults(letters: bytes, cds: Exons, *, stop_in_cds: bool = True) -> dict[str, int]:
    """Faults of a plus-strand transcript, after proof that the reverse strand has the same."""
    codes = encode(letters)
    mirrored = tuple((len(codes) - end, len(codes) - start) for start, end in reversed(cds))
    plus = structure_report([transcript(cds)], {"c": codes}, stop_in_cds=stop_in_cds)
    minus = structure_report(
        [transcript(mirrored, strand="-")], {"c": reverse_complement(codes)}, stop_in_cds=stop_in_cds
    )
    assert plus == minus
    found = {kind: count for kind, count in plus.faults.items() if count}
    assert plus.n_illegal == bool(found)
    return found


def test_a_legal_structure_has_no_fault_on_either_strand() -> None:
    assert faults(GENE, LEGAL) == {}
    assert faults(GENE.lower(), LEGAL) == {}


@pytest.mark.parametrize("ends", [(b"GC", b"AG"), (b"AT", b"AC"), (b"GT", b"NN")])
def test_rarer_and_unknown_splice_sites_are_legal(ends: tuple[bytes, bytes]) -> None:
    letters = GENE.replace(b"GTccccAG", ends[0] + b"cccc" + ends[1])
    assert faults(letters, LEGAL) == {}


@pytest.mark.parametrize("ends", [(b"GT", b"AC"), (b"CT", b"AC"), (b"GA", b"AG")])
def test_other_splice_sites_are_illegal(ends: tuple[bytes, bytes]) -> None:
    letters = GENE.replace(b"GTccccAG", ends[0] + b"cccc" + ends[1])
    assert faults(letters, LEGAL) == {INTRON_FAULT: 1}


def test_faults_of_the_reading_frame_are_found() -> None:
    assert faults(GENE.replace(b"ATGAAA", b"ATGTGA"), LEGAL) == {"stop codon in frame": 1}
    assert faults(GENE.replace(b"ATGAAA", b"CTGAAA"), LEGAL) == {"no start codon": 1}
    assert faults(GENE.replace(b"CCCTAA", b"CCCTCA"), LEGAL) == {"no stop codon": 1}
    assert faults(GENE, ((2, 8), (16, 21))) == {"length not a multiple of 3": 1, "no stop codon": 1}


def test_a_stop_codon_outside_the_cds_is_looked_for_behind_it() -> None:
    assert faults(GENE, ((2, 8), (16, 19)), stop_in_cds=False) == {}
    assert faults(GENE, ((2, 8), (16, 19))) == {"no stop codon": 1}
    assert faults(GENE, LEGAL, stop_in_cds=False) == {"stop codon in frame": 1, "no stop codon": 1}


def test_an_intron_too_short_for_its_splice_sites_is_illegal() -> None:
    assert faults(b"ATGAAAGTCCCTAA", ((0, 6), (8, 14))) == {INTRON_FAULT: 1}


def test_a_fragment_of_two_bases_has_its_faults_counted() -> None:
    assert set(faults(b"AT", ((0, 2),))) == {"length not a multiple of 3", "no start codon", "no stop codon"}


def test_rates_are_per_intron_and_per_transcript() -> None:
    codes = {"c": encode(GENE)}
    report = structure_report([transcript(LEGAL), transcript(((2, 8), (15, 22)))], codes).to_dict()
    assert report["n_introns"] == 2
    assert report["rates"][INTRON_FAULT] == 0.5
    assert report["rates"]["length not a multiple of 3"] == 0.5
    assert structure_report([], codes).to_dict()["rates"][INTRON_FAULT] is None


def test_a_transcript_off_its_contig_is_refused() -> None:
    with pytest.raises(ValueError, match="ends at 99 of 24 bases"):
        structure_report([transcript(((2, 99),))], {"c": encode(GENE)})


def test_a_report_is_read_back_from_json() -> None:
    report = structure_report([transcript(LEGAL), transcript(((2, 8), (15, 22)))], {"c": encode(GENE)})
    assert StructureReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_an_unknown_base_is_never_held_against_a_start_or_stop_codon() -> None:
    assert faults(GENE.replace(b"ATGAAA", b"NTGAAA"), LEGAL) == {}
    assert faults(GENE.replace(b"CCCTAA", b"CCCTNA"), LEGAL) == {}


def test_a_stop_codon_behind_the_end_of_the_contig_is_missing() -> None:
    assert faults(GENE[:19], ((2, 8), (16, 19)), stop_in_cds=False) == {"no stop codon": 1}


def test_a_transcript_on_a_contig_without_sequence_is_refused() -> None:
    with pytest.raises(KeyError, match="d"):
        structure_report([transcript(LEGAL, chrom="d")], {"c": encode(GENE)})


def test_which_introns_are_legal_can_be_said_and_names_the_fault() -> None:
    codes = {"c": encode(GENE.replace(b"GTccccAG", b"ATccccAC"))}
    assert structure_report([transcript(LEGAL)], codes).n_illegal == 0
    report = structure_report([transcript(LEGAL)], codes, splice_pairs=MAJOR_SPLICE_PAIRS)
    assert report.faults["intron not GT-AG or GC-AG"] == 1
    assert report.to_dict()["rates"]["intron not GT-AG or GC-AG"] == 1


def test_partial_transcripts_are_read_from_their_phase_and_may_lack_both_ends() -> None:
    codes = {"c": encode(b"cTGAATGAcc")}
    for phase, n_stops in ((0, 0), (1, 1), (2, 0)):  # CTG AAT GAC C; TGA ATG ACC; GAA TGA at its end
        partial = replace(transcript(((0, 8 if phase == 2 else 10),)), phase=phase, is_partial=True)
        assert structure_report([partial], codes).faults["stop codon in frame"] == n_stops, phase
        assert structure_report([partial], codes).n_illegal == n_stops
    partial = replace(transcript(((0, 9),)), phase=2, is_partial=True)  # GAA TGA C: it goes on behind a stop codon
    assert structure_report([partial], codes).faults["stop codon in frame"] == 1
    whole = replace(transcript(LEGAL), phase=3 - 2)
    assert structure_report([whole], {"c": encode(GENE)}).faults["no start codon"] == 1


def test_reports_of_contigs_add_up() -> None:
    codes = {"c": encode(GENE)}
    parts = [structure_report([transcript(LEGAL)], codes), structure_report([transcript(((2, 8), (15, 22)))], codes)]
    assert StructureReport.total(parts) == structure_report([transcript(LEGAL), transcript(((2, 8), (15, 22)))], codes)


def test_stops_and_starts_are_those_of_the_genetic_code() -> None:
    codes = {"c": encode(b"ccCTGTAACCCTGAcc")}  # CTG TAA CCC TGA: Q for TAA where TGA alone is a stop codon
    gene = transcript(((2, 14),))
    assert structure_report([gene], codes).faults["stop codon in frame"] == 1
    assert structure_report([gene], codes, genetic_code=genetic_code(6)).faults["no start codon"] == 1
    assert structure_report([gene], codes, genetic_code=genetic_code(6, ("ATG", "CTG"))).n_illegal == 0
    assert structure_report([gene], codes, genetic_code=genetic_code(10)).faults["no stop codon"] == 1
