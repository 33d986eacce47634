"""Class probabilities of other networks, decoded to legal genes: values, files, and what is refused."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.gene_model_runs import GENE_MODEL, WITH_NETWORK, gene_model_run
from tests.unit.inference.small_models import GENES, random_codes, run_of, write_fasta

import dnaspt
from dnaspt.atomic import sha256_of_file
from dnaspt.checkpoint import load_model, save_checkpoint
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.gene_states import label_contig
from dnaspt.genome.gff3 import read_annotation
from dnaspt.inference import decode_emissions


def true_classes(folder: Path) -> dict[str, np.ndarray]:
    """Probabilities of nine classes on the simulated genome: 0.8 for the right one; even where isoforms differ."""
    genes = [one.transcript for one in read_annotation(folder / "annotation.gff3").transcripts]
    arrays = {}
    for contig in read_fasta(folder / "genome.fa"):
        labels, _ = label_contig([gene for gene in genes if gene.chrom == contig.name], contig.codes)
        rows = np.full((len(contig), 9), 1 / 9, np.float32)
        known = np.flatnonzero(labels >= 0)
        rows[known] = 0.2 / 8
        rows[known, labels[known]] = 0.8
        arrays[contig.name] = rows
    return arrays


def random_classes(n_bp: int, width: int, seed: int = 0) -> np.ndarray:
    logits = np.random.default_rng(seed).standard_normal((n_bp, width)) * 3
    return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)


def test_genes_of_right_classes_are_the_annotated_ones(simulated: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", **true_classes(simulated))
    genome, out = simulated / "genome.fa", tmp_path / "genes.gff3"
    summary = dnaspt.decode_emissions(tmp_path / "x.npz", genome, out, proteins=tmp_path / "p.fa")
    compared = dnaspt.compare_annotations(simulated / "annotation.gff3", out, genome)
    assert compared.levels["gene"].f1.value > 0.95
    assert compared.prediction.structures.n_illegal == 0
    assert summary.n_genes == compared.prediction.n_genes == (tmp_path / "p.fa").read_text().count(">")
    assert summary.n_bp == sum(len(contig) for contig in read_fasta(genome))


@pytest.mark.parametrize("width", [9, 15, 29])
def test_genes_of_random_classes_are_legal(width: int, tmp_path: Path) -> None:
    codes = random_codes(6_000, width)
    codes[2_000:2_100] = alphabet.N
    genome = write_fasta(tmp_path / "g.fa", {"c": codes, "tiny": random_codes(2)})
    arrays = {"c": random_classes(6_000, width), "tiny": random_classes(2, width)}
    np.savez(tmp_path / "x.npz", **arrays)
    out = tmp_path / "genes.gff3"
    summary = dnaspt.decode_emissions(tmp_path / "x.npz", genome, out)
    structures = dnaspt.compare_annotations(out, out, genome).prediction.structures
    assert (structures.n_transcripts, structures.n_illegal) == (summary.n_genes, 0)
    genes = [one.transcript for one in read_annotation(out).transcripts]
    assert {gene.strand for gene in genes} == ({"+"} if width == 15 else {"+", "-"})
    assert not any(gene.start < 2_090 and gene.end > 2_010 for gene in genes)
    complete = dnaspt.decode_emissions(tmp_path / "x.npz", genome, tmp_path / "whole.gff3", complete_genes=True)
    assert complete.n_partial == 0 < complete.n_genes
    np.savez(tmp_path / "logits.npz", **{name: np.log(rows) + 7 for name, rows in arrays.items()})
    dnaspt.decode_emissions(tmp_path / "logits.npz", genome, tmp_path / "logits.gff3", logits=True)
    assert [one.transcript.cds for one in read_annotation(tmp_path / "logits.gff3").transcripts] == [
        gene.cds for gene in genes
    ]


def test_arrays_of_long_contigs_lie_on_disk_and_give_the_same_genes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(4_000)})
    np.savez_compressed(tmp_path / "x.npz", c=random_classes(4_000, 9).astype(np.float16))
    dnaspt.decode_emissions(tmp_path / "x.npz", genome, tmp_path / "memory.gff3")
    monkeypatch.setattr(decode_emissions, "ON_DISK_BP", 1_000)
    monkeypatch.setattr(decode_emissions, "_BLOCK", 300)
    dnaspt.decode_emissions(tmp_path / "x.npz", genome, tmp_path / "disk.gff3")
    assert (tmp_path / "disk.gff3").read_text() == (tmp_path / "memory.gff3").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"g.fa", "x.npz", "memory.gff3", "disk.gff3"}


def test_a_run_gives_shortest_intron_genetic_code_and_start_codons(tmp_path: Path) -> None:
    known = {"shortest_intron_bp": 60, "genetic_code": 6, "start_codons": ("CTG",)}
    run = gene_model_run(tmp_path / "run", config=GENE_MODEL.model_copy(update=known))
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(8_000)})
    np.savez(tmp_path / "x.npz", c=random_classes(8_000, 9))
    starts, shortest = {}, {}
    for name, options in (
        ("run", {"lengths": run}),
        ("prior", {}),
        ("asked", {"lengths": run, "start_codons": ["ATG"]}),
    ):
        out = tmp_path / f"{name}.gff3"
        dnaspt.decode_emissions(
            tmp_path / "x.npz", genome, out, **options, cds=tmp_path / "cds.fa", complete_genes=True, overwrite=True
        )
        genes = [one.transcript for one in read_annotation(out).transcripts]
        shortest[name] = min(end - start for gene in genes for start, end in gene.introns)
        sequences = re.findall(r">\S+\n([ACGT]{3})", (tmp_path / "cds.fa").read_text())
        starts[name] = set(sequences)
    assert starts == {"run": {"CTG"}, "prior": {"ATG"}, "asked": {"ATG"}}
    assert min(shortest["run"], shortest["asked"]) >= 60 > shortest["prior"] >= 10
    with pytest.raises(CheckpointError, match="has a crf head; expected a run of 'finetune --head gene-model'"):
        dnaspt.decode_emissions(
            tmp_path / "x.npz", genome, tmp_path / "no.gff3", lengths=run_of(tmp_path / "crf", GENES)
        )


def with_nan(width: int = 9) -> np.ndarray:
    rows = random_classes(100, width)
    rows[41, 3] = np.nan
    return rows


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"c": random_classes(100, 7)}, "array 'c' has the shape (100, 7); expected (bases, 9, 15 or 29)"),
        ({"c": random_classes(100, 9)[None]}, "array 'c' has the shape (1, 100, 9); expected (bases, 9, 15 or 29)"),
        ({"c": random_classes(99, 9)}, "array 'c' has 99 rows; expected 100, the bases of this contig in"),
        ({"d": random_classes(100, 9)}, "contig 'd' has no record in"),
        ({"c": random_classes(100, 9), "d": random_classes(100, 9)}, "contig 'd' has no record in"),
        ({"c": with_nan()}, "array 'c': row 41 is not finite; expected a number for each class"),
        ({"c": np.zeros((100, 9), np.int8)}, "array 'c' is of type int8; expected floating-point numbers"),
        ({"c": np.full((100, 9), None)}, "array 'c' is of type object; expected floating-point numbers"),
        ({"c": np.asfortranarray(random_classes(100, 9))}, "is stored column by column; save numpy.ascontiguousarray"),
        (
            {"c": np.log(random_classes(100, 9))},
            "row 0 is no probability of each class; expected numbers from 0 to 1 whose sum is 1; say --logits if",
        ),
        ({}, "no array in it; expected an array (bases, classes) for each contig"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_in_one_line(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(100)})
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        dnaspt.decode_emissions(tmp_path / "x.npz", genome, tmp_path / "genes.gff3")
    assert "\n" not in str(refused.value)
    assert {path.name for path in tmp_path.iterdir()} == {"g.fa", "x.npz"}


def test_contigs_without_an_array_and_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    genome, out = write_fasta(tmp_path / "g.fa", {"c": random_codes(100), "d": random_codes(50)}), tmp_path / "o.gff3"
    np.savez(tmp_path / "x.npz", c=random_classes(100, 9))
    with pytest.raises(InputError, match=r"no array 'd' \(1 of 2 contigs of .* have none\); give --genome a FASTA of"):
        dnaspt.decode_emissions(tmp_path / "x.npz", genome, out)
    (tmp_path / "text.npz").write_text("no archive")
    np.save(tmp_path / "one.npy", random_classes(100, 9))
    content = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    for name in ("text.npz", "one.npy", "cut.npz"):
        with pytest.raises(InputError, match=r"is no npz file; expected an npz file, as numpy\.savez"):
            dnaspt.decode_emissions(tmp_path / name, genome, out)
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    (tmp_path / "damaged.npz").write_bytes(damaged)
    one = write_fasta(tmp_path / "one.fa", {"c": random_codes(100)})
    with pytest.raises(InputError, match=r"array 'c' cannot be read .*; is the file whole"):
        dnaspt.decode_emissions(tmp_path / "damaged.npz", one, out)
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        file = io.BytesIO()
        np.lib.format.write_array(file, random_classes(100, 9))
        archive.writestr("c.npy", file.getvalue()[:-40])
    with pytest.raises(InputError, match="array 'c' ends too early; is the file whole"):
        dnaspt.decode_emissions(tmp_path / "short.npz", one, out)
    with pytest.raises(InputError, match=r"nothing\.npz: No such file"):
        dnaspt.decode_emissions(tmp_path / "nothing.npz", one, out)
    assert not out.exists()


def test_odd_members_of_an_archive_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(3_000)})
    file, compressed = io.BytesIO(), tmp_path / "lzma.npz"
    np.lib.format.write_array(file, random_classes(3_000, 9))
    np.savez(tmp_path / "plain.npz", c=random_classes(3_000, 9))
    with zipfile.ZipFile(tmp_path / "bare.npz", "w") as archive:
        archive.writestr("c", file.getvalue())
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("c", file.getvalue())
        archive.writestr("c.npy", file.getvalue())
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("c.npy", file.getvalue())
    encrypted, damaged = bytearray((tmp_path / "plain.npz").read_bytes()), bytearray(compressed.read_bytes())
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    encrypted[6] |= 1
    damaged[60] ^= 0xFF
    (tmp_path / "encrypted.npz").write_bytes(encrypted)
    compressed.write_bytes(damaged)
    written = {name: tmp_path / f"{name}.gff3" for name in ("plain", "bare")}
    for name, out in written.items():
        dnaspt.decode_emissions(tmp_path / f"{name}.npz", genome, out)
    plain, bare = (
        [line for line in out.read_text().splitlines() if not line.startswith("# dnaspt")] for out in written.values()
    )
    assert (
        plain == bare
        and f": bare.npz, sha256 {sha256_of_file(tmp_path / 'bare.npz')[:16]}\n" in written["bare"].read_text()
    )
    for name, message in (
        ("twice", "array 'c' is there twice; expected one array for each contig"),
        ("encrypted", "array 'c' cannot be read"),
        ("lzma", "array 'c' cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            dnaspt.decode_emissions(tmp_path / f"{name}.npz", genome, tmp_path / f"{name}.gff3")
        assert not (tmp_path / f"{name}.gff3").exists()


def test_introns_longer_than_a_long_shortest_one_are_found(tmp_path: Path) -> None:
    coding, intron = b"GCTGAACTGAAAGGT" * 20, b"GT" + b"C" * 2_596 + b"AG"
    letters = b"C" * 500 + b"ATG" + coding + intron + coding + b"TAA" + b"C" * 500
    lengths = (500, 303, 1, 2_598, 1, 303, 500)
    labels = np.repeat([8, 0, 1, 2, 3, 0, 8], lengths)
    rows = np.full((len(letters), 9), 0.001)
    rows[np.arange(len(letters)), labels] = 0.992
    np.savez(tmp_path / "x.npz", c=rows)
    genome, out = write_fasta(tmp_path / "g.fa", {"c": alphabet.encode(letters)}), tmp_path / "genes.gff3"
    introns = {}
    for shortest_bp in (2_600, 2_601):
        dnaspt.decode_emissions(tmp_path / "x.npz", genome, out, min_intron_bp=shortest_bp, overwrite=True)
        genes = [one.transcript for one in read_annotation(out).transcripts]
        introns[shortest_bp] = [gene.introns for gene in genes if gene.introns]
    assert introns == {2_600: [((803, 3_403),)], 2_601: [((788, 3_403),)]}  # the next GT is in the exon


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": 0}, "weight 0; expected a number above 0"),
        ({"genes_per_mb": float("nan")}, "genes_per_mb nan; expected a number above 0"),
        ({"weight": 1e39}, "weight 1e+39; expected a number above 0, and at most 1,000"),
        ({"genes_per_mb": 1e308}, "genes_per_mb 1e+308; expected a number above 0, and at most 1,000,000"),
        ({"softmask": 1e39}, "softmask 1e+39; expected 0 or more, in nats, and at most 1,000"),
        ({"start_codons": "ATG"}, "start codons 'ATG'; expected a list of them, such as ['ATG']"),
        ({"softmask": -1}, "softmask -1; expected 0 or more, in nats"),
        ({"min_score": 2}, "min_score 2; expected 0 to 1"),
        ({"genetic_code": 0}, "genetic code 0; expected one of NCBI's tables"),
        ({"out": "genes.bed"}, "expected a name that ends in .gff3 or .gtf"),
        ({"proteins": "x.npz"}, "is the emissions"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str, tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(100)})
    np.savez(tmp_path / "x.npz", c=random_classes(100, 9))
    paths = {name: tmp_path / str(options[name]) for name in ("out", "proteins") if name in options}
    with pytest.raises(ConfigError, match=re.escape(message)):
        dnaspt.decode_emissions(tmp_path / "x.npz", genome, **({"out": tmp_path / "genes.gff3"} | options | paths))


def test_lengths_of_a_run_with_a_network_are_taken_without_the_network(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(6_000)})
    np.savez(tmp_path / "x.npz", c=random_classes(6_000, 9))
    written = []
    for name, config, weight in (("alone", GENE_MODEL, 0.0), ("both", WITH_NETWORK, 0.5)):
        run = gene_model_run(tmp_path / name, config=config, network_weight=weight)
        model = load_model(run)[0]
        if weight:
            model.head.network_gene.fill_(-20.0)
            save_checkpoint(run, model, config)
        dnaspt.decode_emissions(tmp_path / "x.npz", genome, tmp_path / f"{name}.gff3", lengths=run)
        written.append([line for line in (tmp_path / f"{name}.gff3").read_text().splitlines() if line[0] != "#"])
    assert written[0] == written[1] != []
