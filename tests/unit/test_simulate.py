import hashlib
import itertools
import json
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dnaspt.errors import DatasetError, NoSpaceError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta
from dnaspt.simulation.simulate import SimulateConfig, SimulationSummary, simulate
from dnaspt.simulation.species import MOTIFS

STOPS = {"TAA", "TAG", "TGA"}
FILES = ("annotation.gff3", "genome.fa", "methylation.bedmethyl", "peaks_A.bed", "peaks_B.bed", "truth.json")


@dataclass(frozen=True)
class Simulated:
    out: Path
    summary: SimulationSummary
    codes: dict[str, np.ndarray]
    transcripts: dict[str, tuple[str, str, list[tuple[int, int, int]]]]

    def letters(self, chrom: str, start: int, end: int, strand: str = "+") -> str:
        codes = alphabet.tokens(self.codes[chrom][start:end])
        return alphabet.decode(codes if strand == "+" else alphabet.reverse_complement(codes))

    def rows(self, name: str) -> list[list[str]]:
        return [line.split("\t") for line in (self.out / name).read_text().splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    out = tmp_path_factory.mktemp("simulate") / "demo"
    summary = simulate(SimulateConfig(out=out))
    codes = {contig.name: contig.codes for contig in read_fasta(out / "genome.fa")}
    simulated = Simulated(out, summary, codes, {})
    for chrom, _, kind, start, end, _, strand, phase, attributes in simulated.rows("annotation.gff3"):
        if kind == "CDS":
            name = attributes.split("Parent=")[1]
            row = simulated.transcripts.setdefault(name, (chrom, strand, []))
            row[2].append((int(start) - 1, int(end), int(phase)))
    return simulated


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def small(out: Path, **changes: object) -> SimulateConfig:
    return SimulateConfig.model_validate({"out": out, "n_contigs": 2, "contig_bp": 20_000, **changes})


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(small(tmp_path / name, seed=seed))
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert sorted(first) == sorted(FILES)
    assert first == again
    assert all(first[name] != other[name] for name in FILES)


def test_a_contig_does_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    for n in (1, 2):
        simulate(small(tmp_path / str(n), n_contigs=n))
    one, two = ((tmp_path / str(n) / "genome.fa").read_text() for n in (1, 2))
    assert two.startswith(one)


def test_every_cds_reads_from_a_start_to_its_only_stop_codon(demo: Simulated) -> None:
    assert len(demo.transcripts) == demo.summary.n_transcripts > demo.summary.n_genes
    for chrom, strand, parts in demo.transcripts.values():
        exons = [demo.letters(chrom, start, end, strand) for start, end, _ in parts]
        coding = "".join(exons if strand == "+" else exons[::-1])
        codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
        assert len(coding) % 3 == 0
        assert codons[0] == "ATG"
        assert codons[-1] in STOPS
        assert not STOPS.intersection(codons[:-1])


def test_phases_follow_the_transcript_and_all_three_occur(demo: Simulated) -> None:
    seen: Counter[int] = Counter()
    for _, strand, parts in demo.transcripts.values():
        before = 0
        for start, end, phase in parts if strand == "+" else parts[::-1]:
            assert phase == -before % 3
            before += end - start
            seen[phase] += 1
    assert min(seen[phase] for phase in range(3)) > 100


def test_introns_have_canonical_ends_and_lengths_in_range_on_both_strands(demo: Simulated) -> None:
    pairs: Counter[tuple[str, str]] = Counter()
    for name, (chrom, strand, parts) in demo.transcripts.items():
        for left, right in itertools.pairwise(parts):
            intron = demo.letters(chrom, left[1], right[0], strand)
            assert len(intron) >= 60
            assert len(intron) <= 300 or name.endswith(".2")
            pairs[strand, f"{intron[:2]}-{intron[-2:]}"] += 1
    n = sum(pairs.values())
    assert set(pairs) <= {(strand, pair) for strand in "+-" for pair in ("GT-AG", "GC-AG")}
    assert min(pairs["+", "GT-AG"], pairs["-", "GT-AG"]) > 0.3 * n
    assert pairs["+", "GT-AG"] + pairs["-", "GT-AG"] >= 0.98 * n


def test_genes_are_dense_and_some_have_one_exon_and_some_two_isoforms(demo: Simulated) -> None:
    n_parts = Counter(len(parts) for name, (_, _, parts) in demo.transcripts.items() if name.endswith(".1"))
    assert 0.35 <= demo.summary.gene_bp / demo.summary.n_bp <= 0.5
    assert 0.1 < n_parts[1] / demo.summary.n_genes < 0.35
    assert sum(name.endswith(".2") for name in demo.transcripts) >= 10


def test_the_genome_holds_soft_masked_repeats_and_short_runs_of_n(demo: Simulated) -> None:
    lines = (demo.out / "genome.fa").read_text().splitlines()
    assert max(map(len, lines)) == 60
    for codes in demo.codes.values():
        assert len(codes) == 150_000
        assert np.count_nonzero(codes == alphabet.N) == 60
        assert 0.03 < np.mean(alphabet.soft_masked(codes)) < 0.2


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


@pytest.mark.parametrize("name", ["A", "B"])
def test_peaks_are_dense_in_their_motif_and_the_rest_is_not(demo: Simulated, name: str) -> None:
    matrix = np.log(MOTIFS[name] / 0.25)
    rows = demo.rows(f"peaks_{name}.bed")
    assert len(rows) == demo.summary.n_peaks[name] >= 50

    def scores(codes: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(np.minimum(alphabet.tokens(codes), 3), len(matrix))
        return matrix[np.arange(len(matrix)), windows].sum(axis=1)

    hits = {}
    for chrom, codes in demo.codes.items():
        hits[chrom] = np.maximum(scores(codes), scores(alphabet.reverse_complement(codes))[::-1]) > 6
    per_peak = [hits[chrom][int(start) : int(end)].sum() for chrom, start, end, _ in rows]
    assert all(200 <= int(end) - int(start) <= 500 for _, start, end, _ in rows)
    assert np.mean(np.array(per_peak) >= 1) > 0.95
    everywhere = np.mean([hit.mean() for hit in hits.values()])
    assert np.sum(per_peak) / sum(int(end) - int(start) for _, start, end, _ in rows) > 8 * everywhere


def test_a_folder_that_was_not_simulated_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match=r"not a simulated genome \(no truth.json in it\)"):
        simulate(small(tmp_path / "mine", overwrite=True))
    simulate(small(tmp_path / "demo"))
    with pytest.raises(DatasetError, match="already there; choose another --out, or say --overwrite"):
        simulate(small(tmp_path / "demo"))
    assert simulate(small(tmp_path / "demo", overwrite=True)).n_contigs == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "mine"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, encoding: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(NoSpaceError, match=r"demo: could not be written .No space left on device.; make room"):
        simulate(small(tmp_path / "demo"))
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_or_impossible_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="contigs"):
        small(tmp_path, contigs=3)
    with pytest.raises(ValidationError, match="contig_bp"):
        small(tmp_path, contig_bp=10)


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
