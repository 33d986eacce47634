"""`prepare bend` on small files in BEND's format: bed with a header, HDF5, FASTA with and without `chr`."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.integration.in_process import dnaspt

from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend
from dnaspt.data.dataset import read_split
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.alphabet import decode
from dnaspt.genome.coding_sequence import coding_letters
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gene_states import CDS, MINUS, MISSING, NONCODING, label_contig
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.genome.gff3 import read_annotation

SPLITS = ("train", "train", "valid", "test")


@pytest.fixture(scope="module")
def bend_root(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gene finding as BEND has it: a gene with flanks a row, odd lengths, labels padded, the stop codon non-coding."""
    root = tmp_path_factory.mktemp("bend")
    (root / "data/gene_finding").mkdir(parents=True)
    (root / "data/genomes").mkdir()
    genome = (simulated / "genome.fa").read_text()
    (root / "data/genomes/GRCh38.primary_assembly.genome.fa").write_text(genome)
    contigs = {contig.name: contig.codes for contig in read_fasta(simulated / "genome.fa")}
    transcripts = [one.transcript for one in read_annotation(simulated / "annotation.gff3").transcripts]
    rows, labels = ["chromosome\tstart\tend\tsplit\tstrand"], []
    for number, gene in enumerate(sorted(transcripts, key=lambda one: (one.chrom, one.start))):
        start, end = max(0, gene.start - 101 - number), min(len(contigs[gene.chrom]), gene.end + 57 + number)
        full, _ = label_contig([gene], contigs[gene.chrom])
        stop = slice(gene.end - 3, gene.end) if gene.strand == "+" else slice(gene.start, gene.start + 3)
        full[stop] = np.where(np.isin(full[stop], (CDS, CDS + MINUS)), NONCODING, full[stop])
        rows.append(f"{gene.chrom}\t{start}\t{end}\t{SPLITS[number % 4]}\t{gene.strand}")
        labels.append(full[start:end])
    (root / "data/gene_finding/gene_finding.bed").write_text("\n".join(rows) + "\n")
    write_labels(root, labels)
    return root


def write_labels(root: Path, labels: list[np.ndarray]) -> None:
    longest = max(map(len, labels))
    padded = np.full((len(labels), longest), MISSING, np.int64)
    for row, own in zip(padded, labels, strict=True):
        row[: len(own)] = own
    with h5py.File(root / "data/gene_finding/gene_finding.hdf5", "w") as file:
        file["labels"] = padded


def read_labels(root: Path) -> np.ndarray:
    with h5py.File(root / "data/gene_finding/gene_finding.hdf5") as file:
        return np.asarray(file["labels"])


def test_gene_finding_is_taken_as_it_is_row_by_row(bend_root: Path, tmp_path: Path) -> None:
    manifest = prepare_bend(PrepareBendConfig(task="gene_finding", root=bend_root, out=tmp_path / "data")).manifest
    rows = [
        line.split("\t") for line in (bend_root / "data/gene_finding/gene_finding.bed").read_text().splitlines()[1:]
    ]
    labels, contigs = (
        read_labels(bend_root),
        {one.name: one.codes for one in read_fasta(next(bend_root.glob("data/genomes/*")))},
    )
    assert sum(one.n_windows for one in manifest.splits.values()) == len(rows)
    assert manifest.stop_in_cds is False and manifest.counts["genes"] >= len(rows)
    found = {}
    for name in ("train", "valid", "test"):
        for window in read_split(tmp_path / "data", name):
            found[window.chrom] = (name, window)
    for (chrom, start, end, split, _), own in zip(rows, labels, strict=True):
        name, window = found[f"{chrom}:{start}-{end}"]
        n = int(end) - int(start)
        assert name == split and (window.start, window.end, window.strand) == (0, n, ".")
        np.testing.assert_array_equal(window.labels, own[:n])
        assert decode(window.codes) == decode(contigs[chrom][int(start) : int(end)])


def test_it_trains_and_is_evaluated(bend_root: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    assert dnaspt("prepare", "bend", "gene_finding", "--root", bend_root, "--out", data).code == 0
    options = ("--preset", "tiny", "--steps", "2", "--batch-bp", "8192")
    assert dnaspt("finetune", data, "--out", run, "--head", "crf", *options).code == 0
    assert dnaspt("evaluate", run, "--data", data).code == 0
    scores = json.loads((run / "evaluation-test.json").read_text())
    n_test = sum(int(n) for n in np.sum(scores["confusion"], axis=1))
    assert n_test == sum(len(window.labels) for window in read_split(data, "test"))


@pytest.mark.slow
def test_a_gene_model_reads_the_stop_codons_behind_the_cds(bend_root: Path, tmp_path: Path) -> None:
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "genes.gff3"
    assert dnaspt("prepare", "bend", "gene_finding", "--root", bend_root, "--out", data).code == 0
    assert dnaspt("finetune", data, "--out", run, "--head", "gene-model").code == 0
    assert dnaspt("evaluate", run, "--data", data).code == 0
    scores = json.loads((run / "evaluation-test.json").read_text())
    assert scores["mcc"]["value"] > 0.9 and scores["structures"]["n_illegal"] == 0
    genome = next(bend_root.glob("data/genomes/*"))
    assert dnaspt("predict", run, "--genome", genome, "--out", out, "--proteins", tmp_path / "p.fa").code == 0
    contigs = {contig.name: contig.codes for contig in read_fasta(genome)}
    predicted = [one.transcript for one in read_annotation(out).transcripts if not one.transcript.is_partial]
    assert len(predicted) > 5
    ends = {
        coding_letters(gene, contigs[gene.chrom])[-3:].upper() for gene in predicted
    }  # soft-masked ones are lower-case
    assert ends <= set(STANDARD.stops)


LOCI = (
    # labels along the forward strand, and the genes that they mean: strand and CDS intervals.
    ("8880000122230008", [("+", [(3, 7), (12, 15)])]),
    ("8444476665444488", [("-", [(1, 5), (10, 14)])]),
    ("0012230012230008", [("+", [(0, 2), (6, 8), (12, 15)])]),
    ("8888888888888888", []),
    ("0000000000000000", [("+", [(0, 16)])]),
    ("8880008884448888", [("+", [(3, 6)]), ("-", [(9, 12)])]),
    ("2223000122222222", [("+", [(4, 7)])]),
    ("4476654444444888", [("-", [(0, 2), (6, 13)])]),
    ("0000088440000888", [("+", [(0, 5)]), ("-", [(7, 9)]), ("+", [(9, 13)])]),
    ("8847665488000088", [("-", [(2, 3), (7, 8)]), ("+", [(10, 14)])]),
)


def test_ten_loci_by_hand_base_by_base(tmp_path: Path) -> None:
    root = tmp_path / "bend"
    (root / "data/gene_finding").mkdir(parents=True)
    (root / "data/genomes").mkdir()
    genome, rows = [], ["chromosome\tstart\tend\tsplit\tstrand"]
    for number, (classes, _) in enumerate(LOCI):
        letters = list("C" * len(classes))
        for at, label in enumerate(classes):  # donors and acceptors on the G of GT and AG of their strand
            for state, pair, first in (("1", "GT", at), ("3", "AG", at - 1), ("5", "AC", at - 1), ("7", "CT", at)):
                if label == state:
                    letters[first : first + 2] = pair
        genome.append("".join(letters))
        rows.append(f"chr1\t{number * 16}\t{number * 16 + 16}\t{SPLITS[number % 4]}\t+")
    (root / "data/genomes/GRCh38.fa").write_text(f">chr1\n{''.join(genome)}\n")
    (root / "data/gene_finding/gene_finding.bed").write_text("\n".join(rows) + "\n")
    write_labels(root, [np.array(list(map(int, classes))) for classes, _ in LOCI])
    prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "data"))
    annotated = [transcript for name in set(SPLITS) for transcript, _ in read_transcripts(tmp_path / "data", name)]
    found = {window.chrom: window for name in set(SPLITS) for window in read_split(tmp_path / "data", name)}
    assert len(found) == len(LOCI)
    for number, (classes, genes) in enumerate(LOCI):
        window = found[f"chr1:{number * 16}-{number * 16 + 16}"]
        assert "".join(map(str, window.labels)) == classes
        assert decode(window.codes) == genome[number]
        own = [(one.strand, [tuple(part) for part in one.cds]) for one in annotated if one.chrom == window.chrom]
        assert sorted(own, key=lambda one: one[1]) == genes


@pytest.mark.parametrize("shift", [0, MINUS])
def test_swapped_splice_classes_are_refused_with_that_explanation(bend_root: Path, tmp_path: Path, shift: int) -> None:
    root = copy_of(bend_root, tmp_path)
    labels = read_labels(root)
    donor, acceptor = labels == 1 + shift, labels == 3 + shift
    labels[donor], labels[acceptor] = 3 + shift, 1 + shift
    write_labels(root, list(labels))
    with pytest.raises(InputError, match=r"of that strand are swapped; donor and acceptor are the first and last base"):
        prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_labels_of_another_genome_are_refused(bend_root: Path, tmp_path: Path) -> None:
    root = copy_of(bend_root, tmp_path)
    write_labels(root, list(np.roll(read_labels(root), 5, axis=1)))
    with pytest.raises(
        InputError, match=r"lie on the G of (GT|AG) on their strand; expected at least 90%; are these labels"
    ):
        prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "data"))


def test_labels_that_do_not_fit_the_bed_are_refused(bend_root: Path, tmp_path: Path) -> None:
    root = copy_of(bend_root, tmp_path)
    labels = read_labels(root)
    write_labels(root, list(labels[:-1]))
    with pytest.raises(InputError, match="one for each row of the bed"):
        prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "data"))
    labels[2, 7] = 9
    write_labels(root, list(labels))
    with pytest.raises(InputError, match="row 2 has label 9"):
        prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "data"))
    (root / "data/gene_finding/gene_finding.hdf5").write_text("no HDF5")
    with pytest.raises(InputError, match="no HDF5"):
        prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "data"))


def test_what_is_missing_is_named_with_the_command_that_gets_it(bend_root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dnaspt bend download histone_modification"):
        prepare_bend(PrepareBendConfig(task="histone_modification", root=bend_root, out=tmp_path / "data"))
    with pytest.raises(ConfigError, match="known: gene_finding"):
        prepare_bend(PrepareBendConfig(task="genes", root=bend_root, out=tmp_path / "data"))


@pytest.mark.parametrize(
    ("task", "assembly", "prefix", "n_labels"),
    [("chromatin_accessibility", "GRCh37", "", 125), ("cpg_methylation", "GRCh38", "chr", 7)],
)
def test_windows_with_labels_on_both_naming_habits(
    task: str, assembly: str, prefix: str, n_labels: int, tmp_path: Path
) -> None:
    root = tmp_path / "bend"
    (root / "data" / task).mkdir(parents=True)
    (root / "data/genomes").mkdir()
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 6000))
    (root / "data/genomes" / f"{assembly}.fa").write_text(f">{prefix}1\n{letters}\n")
    rows = ["chromosome\tstart\tend\tstrand\tlabel\tsplit"]
    wanted = [("0,2", "+", "train"), ("", "-", "train"), ("1", "-", "valid"), ("2", "+", "test"), ("0", "+", "train")]
    for number, (label, strand, split) in enumerate(wanted):
        rows.append(f"{prefix}1\t{number * 600}\t{number * 600 + 512}\t{strand}\t{label}\t{split}")
    (root / "data" / task / f"{task}.bed").write_text("\n".join(rows) + "\n")
    manifest = prepare_bend(PrepareBendConfig(task=task, root=root, out=tmp_path / "data")).manifest
    assert {name: split.n_windows for name, split in manifest.splits.items()} == {"train": 3, "valid": 1, "test": 1}
    (valid,) = read_split(tmp_path / "data", "valid")
    assert valid.strand == "-" and valid.labels.tolist() == [0, 1, 0] + [0] * (n_labels - 3)
    turned = letters[1200:1712][::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert decode(valid.codes) == turned
    assert [window.labels.tolist() for window in read_split(tmp_path / "data", "train")] == [
        [1, 0, 1] + [0] * (n_labels - 3),
        [0] * n_labels,
        [1] + [0] * (n_labels - 1),
    ]
    named = PrepareBendConfig(task=task, bed=root / "data" / task / f"{task}.bed", root=root, out=tmp_path / "own")
    assert prepare_bend(named).labels == ("label_0", "label_1", "label_2")


def copy_of(root: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(root, tmp_path / "copy"))


@pytest.mark.parametrize("column", ["label", "split", "header"])
def test_a_table_of_windows_is_never_read_as_peaks(bend_root: Path, tmp_path: Path, column: str) -> None:
    lines = [["chromosome", "start", "end", "label", "split"], ["chr1", "0", "512", "0,2", "train"]]
    keep = [index for index, name in enumerate(lines[0]) if name != column]
    kept = ["\t".join(line[index] for index in keep) for line in lines[1 if column == "header" else 0 :]]
    (tmp_path / "own.bed").write_text("\n".join(kept) + "\n")
    config = PrepareBendConfig(task="cpg_methylation", root=bend_root, bed=tmp_path / "own.bed", out=tmp_path / "x")
    with pytest.raises(InputError, match="no header" if column == "header" else f"no column '{column}'"):
        prepare_bend(config)


def test_an_empty_split_and_idle_options_are_told(
    bend_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = copy_of(bend_root, tmp_path)
    bed = root / "data/gene_finding/gene_finding.bed"
    bed.write_text(bed.read_text().replace("\ttest\t", "\ttrain\t"))
    (tmp_path / "names").write_text("a\n")
    prepare_bend(
        PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "x", labels_file=tmp_path / "names", fold=2)
    )
    assert "no row is of the split test" in caplog.text
    assert "--labels-file has no effect" in caplog.text and "--fold has no effect" in caplog.text


def test_rows_of_genes_that_overlap_across_splits_are_leakage(bend_root: Path, tmp_path: Path) -> None:
    root = copy_of(bend_root, tmp_path)
    bed, labels = root / "data/gene_finding/gene_finding.bed", read_labels(bend_root)
    header, *rows = bed.read_text().splitlines()
    chrom, start, end, _, strand = next(row for row in rows if "\ttrain\t" in row).split("\t")
    first = rows.index(next(row for row in rows if "\ttrain\t" in row))
    bed.write_text("\n".join([header, *rows, f"{chrom}\t{int(start) + 900}\t{end}\ttest\t{strand}"]) + "\n")
    own = labels[first][900 : int(end) - int(start)]
    write_labels(root, [*labels, own])
    after = prepare_bend(PrepareBendConfig(task="gene_finding", root=root, out=tmp_path / "x")).manifest
    before = prepare_bend(PrepareBendConfig(task="gene_finding", root=bend_root, out=tmp_path / "before")).manifest
    counts = [manifest.leakage.pairs["train-test"].overlapping for manifest in (before, after)]
    assert counts[1] == counts[0] + 1
