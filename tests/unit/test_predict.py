import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pysam
import pytest
import torch

from dnaspt.checkpoint import CheckpointConfig, build_model, choose_device, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.errors import ConfigError, NoSpaceError
from dnaspt.evaluation.gene_faults import structure_report
from dnaspt.genome.alphabet import N, encode, reverse_complement
from dnaspt.genome.alphabet import decode as letters
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gene_states import illegal_positions, label_contig
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference import decode as gene_paths
from dnaspt.inference import emissions as predict
from dnaspt.inference import genes as predict_genes
from dnaspt.inference import windows as predict_windows
from dnaspt.inference.decode import decode_path, unknown_runs
from dnaspt.inference.emissions import Stretch, predict_both_strands, predict_sequences
from dnaspt.inference.genes import contig_genes
from dnaspt.inference.predict import PredictOptions, predict_file
from dnaspt.models.codons import Grammar, gene_grammar
from dnaspt.models.heads import Decoded, DecodingContext
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import CDS, GENE_STATES, MINUS, NONCODING

ENCODER = EncoderConfig(hidden_size=16, n_layers=4)
ALONE = PredictOptions(codons=False)
GENES = CheckpointConfig(
    kind="task", encoder=ENCODER, task="genes", head="crf", labels=GENE_STATES.names, window_bp=512, stop_in_cds=True
)
REGIONS = CheckpointConfig(
    kind="task", encoder=ENCODER, task="regions", head="sigmoid", labels=("A", "B"), window_bp=256
)


def random_codes(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)


def model_of(config: CheckpointConfig) -> TaskModel:
    torch.manual_seed(1)
    model = build_model(config)
    assert isinstance(model, TaskModel)
    if config.head == "crf":
        # Untrained emissions are nearly flat; scaled up they spell genes.
        model.head.trunk.linear.weight.data *= 30
    return model.eval()


def write_fasta(path: Path, contigs: dict[str, np.ndarray]) -> Path:
    path.write_text("".join(f">{name}\n{letters(codes)}\n" for name, codes in contigs.items()))
    return path


def predict_sequence(
    model: TaskModel, codes: np.ndarray, start: int = 0, end: int | None = None, tile_bp: int | None = None
) -> np.ndarray:
    stretch = Stretch(codes, start, len(codes) if end is None else end)
    return np.asarray(predict_sequences(model, [stretch], tile_bp=tile_bp)[0])


def both_strands(model: TaskModel, codes: np.ndarray) -> np.ndarray:
    return np.asarray(predict_both_strands(model, [Stretch.whole(codes)], GENE_STATES.complement)[0])


def genes_of(model: TaskModel, codes: np.ndarray, grammar: Grammar | None = None) -> list[Transcript]:
    stretch = Stretch.whole(codes)
    (emissions,) = gene_paths.predict_emissions(model, [stretch])
    return contig_genes(model, GENES, Contig("chr1", codes), [(stretch, emissions)], grammar=grammar)


def decoded(model: TaskModel, codes: np.ndarray, start: int = 0, end: int | None = None) -> Decoded:
    stretch = Stretch(codes, start, len(codes) if end is None else end)
    (emissions,) = gene_paths.predict_emissions(model, [stretch])
    return decode_path(model, emissions, stretch)


def give_emissions(patch: pytest.MonkeyPatch, found: Callable[[np.ndarray], np.ndarray]) -> None:
    """Emissions of whole contigs by their codes, instead of a model's."""

    def predicted(_: TaskModel, stretches: Sequence[Stretch], **__: object) -> list[np.ndarray]:
        return [found(stretch.codes) for stretch in stretches]

    patch.setattr(gene_paths, "predict_sequences", predicted)


@pytest.mark.parametrize("tile_bp", [97, 500, 4096])
def test_tiled_equals_untiled(tile_bp: int) -> None:
    codes = random_codes(3001)
    codes[700:900] = N
    model = model_of(GENES).double()
    with torch.no_grad():
        untiled = model(torch.from_numpy(codes)[None])[0].numpy()
    assert np.abs(predict_sequence(model, codes, tile_bp=tile_bp) - untiled).max() < 1e-10
    single = predict_sequence(model.float(), codes, tile_bp=tile_bp)
    assert np.abs(single - untiled).max() < 1e-4


def test_a_stretch_reads_its_context() -> None:
    codes, model = random_codes(2000), model_of(GENES).double()
    whole = predict_sequence(model, codes)
    assert np.abs(predict_sequence(model, codes, start=300, end=900) - whole[300:900]).max() < 1e-10


def test_mean_of_both_strands_is_the_mean_and_turns_with_the_sequence() -> None:
    codes, model = random_codes(800), model_of(GENES).double()
    both = both_strands(model, codes)
    turned = both_strands(model, reverse_complement(codes))
    assert np.abs(both - turned[::-1][:, list(GENE_STATES.complement)]).max() < 1e-10


def test_both_strands_of_a_long_stretch_are_read_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, model = random_codes(2000), model_of(GENES).double()
    whole = both_strands(model, codes)
    lengths: list[int] = []

    def turned(part: np.ndarray) -> np.ndarray:
        lengths.append(len(part))
        return reverse_complement(part)

    monkeypatch.setattr(predict, "TURNED_BP", 137)
    monkeypatch.setattr(predict.alphabet, "reverse_complement", turned)
    out = np.empty((1300, 9))
    stretch = Stretch(codes, 400, 1700)
    (blocks,) = predict_both_strands(model, [stretch], GENE_STATES.complement, outs=[out])
    assert blocks is out
    assert np.abs(blocks - whole[400:1700]).max() < 1e-10
    assert max(lengths) <= 137 + 2 * model.flank_bp
    assert len(lengths) == 10


def test_decoded_paths_are_legal_and_their_genes_can_be_read_back(tmp_path: Path) -> None:
    contigs = {"chr1": random_codes(5000), "tiny": random_codes(9), "unknown": np.full(700, N, np.uint8)}
    genome = write_fasta(tmp_path / "g.fa", contigs)
    model = model_of(GENES)
    save_checkpoint(tmp_path / "run", model, GENES)
    path = decoded(model, contigs["chr1"]).path
    assert not len(illegal_positions(path, GENE_STATES))
    summary = predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", ALONE)
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
    for options in (None, ALONE):
        predict_file(tmp_path / "run", simulated / "genome.fa", tmp_path / "genes.gff3", options)
        found = [one.transcript for one in read_annotation(tmp_path / "genes.gff3").transcripts]
        faults = structure_report(found, contigs).to_dict()["faults"]
        del faults["stop codon in frame"]  # those that arise across an intron are not known
        assert (sum(faults.values()) == 0) == (options is None), faults
        exact[options] = len({(one.chrom, one.cds) for one in true} & {(one.chrom, one.cds) for one in found})
    assert exact[None] > exact[ALONE]


def test_complete_genes_are_whole(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noise(codes: np.ndarray) -> np.ndarray:
        return (np.random.default_rng(len(codes)).standard_normal((len(codes), 9)) * 3).astype(np.float32)

    give_emissions(monkeypatch, noise)
    codes = random_codes(6000)
    codes[3000:3200] = N
    run, genome = genes_run(tmp_path, {"chr1": codes, "chr2": random_codes(2000, 1)})
    partial = predict_file(run, genome, tmp_path / "genes.gff3")
    complete = predict_file(run, genome, tmp_path / "genes.gff3", PredictOptions(complete_genes=True))
    assert partial.n_partial > 0 == complete.n_partial < complete.n_genes
    with pytest.raises(ConfigError, match="--complete-genes needs a CRF head"):
        predict_file(run, genome, tmp_path / "genes.gff3", PredictOptions(complete_genes=True, codons=False))


def test_many_stretches_of_a_contig_go_to_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(5000)})
    regions = tmp_path / "regions.bed"
    regions.write_text("chr1\t0\t1500\nchr1\t2000\t3500\nchr1\t4000\t5000\n")
    predict_file(run, genome, tmp_path / "memory.gff3", ALONE, regions=regions)
    files: list[Path] = []
    real = predict_genes.row_file

    def counted(file: Path, n_rows: int, n_columns: int) -> object:
        files.append(file)
        return real(file, n_rows, n_columns)

    monkeypatch.setattr(predict_genes, "FILED_BP", 3000)
    monkeypatch.setattr(predict_genes, "row_file", counted)
    predict_file(run, genome, tmp_path / "files.gff3", ALONE, regions=regions)
    assert len(files) == 3 and not any(file.exists() for file in files)
    assert (tmp_path / "files.gff3").read_bytes() == (tmp_path / "memory.gff3").read_bytes()


def test_a_broken_off_prediction_goes_on_by_contig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genome = write_fasta(tmp_path / "g.fa", {f"chr{n}": random_codes(900, n) for n in range(4)})
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    assert predict_file(tmp_path / "run", genome, tmp_path / "alone.gff3", ALONE).n_genes > 0
    real = predict_genes.contig_genes

    def interrupted(*arguments: object, **options: object) -> object:
        if arguments[2].name == "chr2":  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(predict_genes, "contig_genes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", ALONE)
    assert not (tmp_path / "genes.gff3").exists()
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    summary = predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", ALONE)
    assert summary.n_resumed == 2
    assert (tmp_path / "genes.gff3").read_bytes() == (tmp_path / "alone.gff3").read_bytes()


def test_windows_become_bed_bigwig_and_parquet_that_agree(tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    import pyBigWig

    codes = random_codes(3000)
    codes[1000:1600] = N
    genome = write_fasta(tmp_path / "g.fa", {"chr1": codes, "short": random_codes(100)})
    save_checkpoint(tmp_path / "run", model_of(REGIONS), REGIONS)
    options = PredictOptions(stride_bp=64, threshold=0.0)
    for name in ("p.parquet", "p.bed", "p.bw"):
        summary = predict_file(tmp_path / "run", genome, tmp_path / name, options)
    table = pq.read_table(tmp_path / "p.parquet").to_pandas()
    assert summary.n_unknown > 0
    assert len(table) == summary.n_windows
    rows = [line.split("\t") for line in (tmp_path / "p.bed").read_text().splitlines()]
    assert len(rows) == 2 * len(table)
    with pyBigWig.open(str(tmp_path / "p.B.bw")) as track:
        first = table.iloc[0]
        assert track.values("chr1", int(first.start), int(first.end))[0] == pytest.approx(first.B, rel=1e-6)


def test_an_empty_bed_says_what_the_highest_probability_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run, genome = windows_run(tmp_path, {"chr1": random_codes(1500)})
    predict_file(run, genome, tmp_path / "p.bed", PredictOptions(threshold=1.0))
    assert not (tmp_path / "p.bed").read_text()
    assert "p.bed: no row; the highest probability is 0." in caplog.text


def test_regions_limit_what_is_predicted(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(6000)})
    (tmp_path / "r.bed").write_text("chr1\t1000\t2500\n")
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", ALONE, regions=tmp_path / "r.bed")
    found = read_annotation(tmp_path / "genes.gff3").transcripts
    assert found
    assert all(one.transcript.start >= 1000 and one.transcript.end <= 2500 for one in found)


@contextmanager
def limited(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond n_bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def genes_run(tmp_path: Path, contigs: dict[str, np.ndarray]) -> tuple[Path, Path]:
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    return tmp_path / "run", write_fasta(tmp_path / "g.fa", contigs)


def windows_run(tmp_path: Path, contigs: dict[str, np.ndarray]) -> tuple[Path, Path]:
    save_checkpoint(tmp_path / "run", model_of(REGIONS), REGIONS)
    return tmp_path / "run", write_fasta(tmp_path / "g.fa", contigs)


def test_maps_on_disk_give_the_same_genes_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(3000)})
    assert predict_file(run, genome, tmp_path / "memory.gff3", ALONE).n_genes > 0
    monkeypatch.setattr(predict_genes, "FILED_BP", 100)
    predict_file(run, genome, tmp_path / "maps.gff3", ALONE)
    assert (tmp_path / "maps.gff3").read_bytes() == (tmp_path / "memory.gff3").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_map_that_finds_no_space_is_an_error_and_finished_contigs_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(900), "chr2": random_codes(9000, 1)})
    assert predict_file(run, genome, tmp_path / "alone.gff3", ALONE).n_genes > 0
    monkeypatch.setattr(predict_genes, "FILED_BP", 1000)
    with limited(200_000), pytest.raises(NoSpaceError, match=r"genes.gff3: could not be written"):
        predict_file(run, genome, tmp_path / "genes.gff3", ALONE)
    assert {file.name for file in (tmp_path / ".genes.gff3.parts").iterdir()} == {"mark.json", "0.gff3"}
    summary = predict_file(run, genome, tmp_path / "genes.gff3", ALONE)
    assert summary.n_resumed == 1
    assert (tmp_path / "genes.gff3").read_bytes() == (tmp_path / "alone.gff3").read_bytes()


def test_contigs_of_another_prediction_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(900), "chr2": random_codes(900, 1)})
    real = predict_genes.contig_genes
    monkeypatch.setattr(predict_genes, "contig_genes", broken_at("chr2", real, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_file(run, genome, tmp_path / "genes.gff3")
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    summary = predict_file(run, genome, tmp_path / "genes.gff3", PredictOptions(average_strands=True))
    assert summary.n_resumed == 0


def broken_at(name: str, real: object, argument: int) -> object:
    """The function, interrupted at the contig of a name."""

    def interrupted(*arguments: object, **options: object) -> object:
        if arguments[argument].name == name:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(*arguments, **options)  # type: ignore[operator]

    return interrupted


@pytest.mark.parametrize("name", ["p.bed", "p.parquet", "p.bw"])
def test_a_broken_off_prediction_of_windows_goes_on_by_contig(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, genome = windows_run(tmp_path, {f"chr{n}": random_codes(2000 - 600 * n, n) for n in range(4)})
    options = PredictOptions(stride_bp=64, threshold=0.3)
    (tmp_path / "alone").mkdir()
    alone = predict_file(run, genome, tmp_path / "alone" / name, options)
    real = predict_windows.contig_windows
    monkeypatch.setattr(predict_windows, "contig_windows", broken_at("chr2", real, 3))
    with pytest.raises(KeyboardInterrupt):
        predict_file(run, genome, tmp_path / name, options)
    assert not list(tmp_path.glob("p.*"))
    monkeypatch.setattr(predict_windows, "contig_windows", real)
    summary = predict_file(run, genome, tmp_path / name, options)
    assert summary.n_resumed == 2
    assert summary.n_windows == alone.n_windows > 0
    for file in (tmp_path / "alone").iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_windows_are_written_chunk_by_chunk_and_every_one_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = random_codes(3000)
    codes[1000:1600] = N
    run, genome = windows_run(tmp_path, {"chr1": codes, "short": random_codes(100)})
    options = PredictOptions(stride_bp=50, threshold=0)
    predict_file(run, genome, tmp_path / "whole.bed", options)
    sizes: list[int] = []

    def counted(model: TaskModel, windows: np.ndarray, *, average_strands: bool) -> np.ndarray:
        sizes.append(len(windows))
        return predict.predict_windows(model, windows, average_strands=average_strands)

    monkeypatch.setattr(predict_windows, "predict_windows", counted)
    monkeypatch.setattr(predict_windows, "_CHUNK_WINDOWS", 7)
    summary = predict_file(run, genome, tmp_path / "chunks.bed", options)
    assert max(sizes) == 7
    assert sum(sizes) == summary.n_windows
    # One window for each 50 bases: those of the contig's first 103 bases and last 153 reach off it, as all of `short`.
    assert summary.n_off_contig == 3 + 3 + 2
    assert summary.n_windows + summary.n_unknown + summary.n_off_contig == 60 + 2
    rows, whole = ((tmp_path / name).read_text().splitlines() for name in ("chunks.bed", "whole.bed"))
    assert [row.split("\t")[:4] for row in rows] == [row.split("\t")[:4] for row in whole]
    assert all(len(row.split("\t")) == 6 for row in rows)


def test_windows_of_both_strands_are_the_mean_of_logits(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    codes = random_codes(1500)
    run, genome = windows_run(tmp_path, {"chr1": codes})
    found = {}
    for name, sequence, both in (
        ("one", codes, False),
        ("turned", reverse_complement(codes), False),
        ("both", codes, True),
    ):
        write_fasta(genome, {"chr1": sequence})
        options = PredictOptions(stride_bp=100, average_strands=both)
        predict_file(run, genome, tmp_path / "p.parquet", options)
        table = pq.read_table(tmp_path / "p.parquet").to_pandas()
        found[name] = table[["A", "B"]].to_numpy(dtype=np.float64)
    logits = {name: np.log(share / (1 - share)) for name, share in found.items()}
    assert np.abs(logits["both"] - (logits["one"] + logits["turned"][::-1]) / 2).max() < 1e-4
    assert np.abs(logits["both"] - logits["one"]).max() > 1e-3


def test_genes_of_both_strands_turn_with_the_genome(tmp_path: Path) -> None:
    codes = random_codes(4000)
    run, genome = genes_run(tmp_path, {"chr1": codes})
    options = PredictOptions(average_strands=True, codons=False)
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


def test_tiled_and_untiled_give_the_same_gff3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(6000), "chr2": random_codes(2500, 1)})
    rows = {}
    for tile_bp in (16_384, 311):
        monkeypatch.setattr(predict, "TILE_BP", tile_bp)
        assert predict_file(run, genome, tmp_path / "genes.gff3", ALONE).n_genes > 0
        rows[tile_bp] = [line.split("\t") for line in (tmp_path / "genes.gff3").read_text().splitlines()]
    for untiled, tiled in zip(*rows.values(), strict=True):
        assert [*untiled[:5], *untiled[6:]] == [*tiled[:5], *tiled[6:]]
        if len(tiled) == 9:
            # Sums of float32 in another order may differ in the last of the four digits that are written.
            assert float(tiled[5]) == pytest.approx(float(untiled[5]), abs=1.1e-4)


def test_a_prediction_with_other_decoding_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(900), "chr2": random_codes(900, 1)})
    real = predict_genes.contig_genes
    monkeypatch.setattr(predict_genes, "contig_genes", broken_at("chr2", real, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_file(run, genome, tmp_path / "genes.gff3")
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    assert predict_file(run, genome, tmp_path / "genes.gff3", ALONE).n_resumed == 0


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


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_no_coding_base_lies_in_a_long_run_of_n(head: str) -> None:
    codes = random_codes(4000)
    codes[900:1400] = codes[2000:2040] = codes[2500:2551] = codes[3900:] = N
    model = model_of(GENES.model_copy(update={"head": head}))
    # A model that calls everything coding: a gene has to end where the run begins.
    model.head.trunk.linear.bias.data[CDS] += 50
    path, posterior = decoded(model, codes)
    for run in (slice(910, 1390), slice(2510, 2541), slice(3910, 3990)):
        assert (path[run] == NONCODING).all()
        assert (posterior[run] == 1).all()
    assert (path[[800, 2020]] == CDS).all()
    if head == "crf":
        assert not len(illegal_positions(path, GENE_STATES))


def test_decoding_between_runs_of_n_is_exact() -> None:
    codes = random_codes(1500)
    codes[600:800] = N
    model = model_of(GENES).double()
    emissions = predict_sequence(model, codes)
    emissions[610:790, :NONCODING] = -1e4
    path, posterior = model.head.decode(emissions, DecodingContext(codes))
    found = decoded(model, codes)
    assert (found.path == path).all()
    assert np.abs(found.posterior - posterior).max() < 1e-6
    assert (path[:600] != NONCODING).any() and (path[800:] != NONCODING).any()


def test_a_run_of_n_counts_in_full_where_a_stretch_cuts_it() -> None:
    codes = random_codes(1000)
    codes[400:500] = N
    codes[700:750] = N
    assert unknown_runs(codes, 0, 1000) == [(410, 490)]
    assert unknown_runs(codes, 480, 1000) == [(0, 10)]
    assert unknown_runs(codes, 100, 420) == [(310, 320)]
    assert unknown_runs(codes, 495, 1000) == []
    assert unknown_runs(np.full(30, N, np.uint8), 0, 30) == []
    assert gene_paths.LONG_RUN_BP == 50


def test_a_stretch_within_a_run_of_n_has_no_gene() -> None:
    path, posterior = decoded(model_of(GENES), np.full(500, N, np.uint8), 100, 300)
    assert (path == NONCODING).all() and (posterior == 1).all()
    assert CDS + MINUS not in path


def test_a_gpu_that_is_not_there_and_a_word_that_means_none_are_errors(tmp_path: Path) -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="expected auto, cpu, gpu"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        run, genome = windows_run(tmp_path, {"chr1": random_codes(500)})
        with pytest.raises(ConfigError, match="no CUDA device"):
            predict_file(run, genome, tmp_path / "p.bed", PredictOptions(accelerator="gpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_predicts_what_the_cpu_does(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run, genome = windows_run(tmp_path, {"chr1": random_codes(3000)})
    found = []
    for accelerator in ("cpu", "gpu"):
        predict_file(run, genome, tmp_path / "p.parquet", PredictOptions(accelerator=accelerator))
        found.append(pq.read_table(tmp_path / "p.parquet").to_pandas()[["A", "B"]].to_numpy())
    assert np.abs(found[0] - found[1]).max() < 1e-2


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
        summary = predict_file(run, genome, folder / "genes.gff3", options)
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
