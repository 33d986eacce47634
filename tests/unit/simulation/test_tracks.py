"""Files of a simulated genome: GFF3 with its phases, and methylation."""

import json
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.unit.simulation.simulated import Simulated

from dnaspt.genome.fasta import read_fasta
from dnaspt.simulation.species import MOTIFS


def test_phases_follow_the_transcript_and_all_three_occur(demo: Simulated) -> None:
    seen: Counter[int] = Counter()
    for _, strand, parts in demo.transcripts.values():
        before = 0
        for start, end, phase in parts if strand == "+" else parts[::-1]:
            assert phase == -before % 3
            before += end - start
            seen[phase] += 1
    assert min(seen[phase] for phase in range(3)) > 100


def test_every_planted_motif_is_where_its_row_says_on_its_strand(demo: Simulated) -> None:
    rows = demo.rows("motifs.bed")
    assert Counter(strand for *_, strand in rows).keys() == {"+", "-"}
    for kind, matrix in MOTIFS.items():
        found = [
            demo.letters(chrom, int(start), int(end), strand)
            for chrom, start, end, name, _, strand in rows
            if name == kind
        ]
        shares = np.mean([[[letter == base for base in "ACGT"] for letter in word] for word in found], axis=0)
        assert len(found) > 300
        np.testing.assert_allclose(shares, matrix, atol=0.06)


def test_motifs_do_not_overlap_and_every_peak_has_one_of_its_kind(demo: Simulated) -> None:
    motifs = [(chrom, int(start), int(end), kind) for chrom, start, end, kind, *_ in demo.rows("motifs.bed")]
    assert all(before[2] <= after[1] for before, after in pairwise(motifs) if before[0] == after[0])
    for kind in MOTIFS:
        for chrom, start, end, _ in demo.rows(f"peaks_{kind}.bed"):
            inside = [
                name for own, left, right, name in motifs if own == chrom and int(start) <= left < right <= int(end)
            ]
            assert kind in inside


def test_cpg_islands_are_less_methylated_and_every_row_lies_on_a_cpg(demo: Simulated) -> None:
    truth = json.loads((demo.out / "truth.json").read_text())
    inside = {chrom: np.zeros(len(codes), bool) for chrom, codes in demo.codes.items()}
    for chrom, start, end in truth["islands"]:
        inside[chrom][start:end] = True
    levels: dict[bool, list[float]] = {True: [], False: []}
    for chrom, start, end, _, score, strand, _, _, _, coverage, percent in demo.rows("methylation.bedmethyl"):
        site = int(start) if strand == "+" else int(start) - 1
        assert demo.letters(chrom, site, site + 2) == "CG"
        assert int(end) == int(start) + 1
        assert int(score) == int(coverage) > 0
        levels[bool(inside[chrom][site])].append(float(percent))
    assert np.mean(levels[True]) < 15 < 70 < np.mean(levels[False])
    assert 0.05 < len(levels[True]) / demo.summary.n_cpg_rows < 0.5


@pytest.mark.tool
@pytest.mark.skipif(shutil.which("gt") is None, reason="GenomeTools (Debian package genometools) is not installed")
def test_gt_accepts_the_annotation(demo: Simulated) -> None:
    done = subprocess.run(["gt", "gff3validator", demo.out / "annotation.gff3"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "input is valid GFF3" in done.stdout


@pytest.mark.tool
@pytest.mark.skipif(shutil.which("gffread") is None, reason="gffread (Debian package gffread) is not installed")
def test_gffread_extracts_the_coding_sequences(demo: Simulated, tmp_path: Path) -> None:
    genome = shutil.copy(demo.out / "genome.fa", tmp_path)
    command = ["gffread", "-E", "-g", genome, "-x", tmp_path / "cds.fa", demo.out / "annotation.gff3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert "warning" not in done.stderr.lower() and "error" not in done.stderr.lower(), done.stderr
    assert len(list(read_fasta(tmp_path / "cds.fa"))) == demo.summary.n_transcripts
