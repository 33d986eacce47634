from pathlib import Path

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import CheckpointConfig, build_model, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.data.labels import illegal_positions
from dnaspt.evaluation.predict import predict_both_strands, predict_sequence
from dnaspt.evaluation.predict_file import PredictOptions, predict_file
from dnaspt.evaluation.predict_genes import contig_genes
from dnaspt.evaluation.validate import decode
from dnaspt.genome.alphabet import N, reverse_complement
from dnaspt.genome.alphabet import decode as letters
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gff3 import read_annotation
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import GENE_STATES

ENCODER = EncoderConfig(hidden_size=16, n_layers=4)
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
    both = predict_both_strands(model, codes, GENE_STATES.complement)
    turned = predict_both_strands(model, reverse_complement(codes), GENE_STATES.complement)
    assert np.abs(both - turned[::-1][:, list(GENE_STATES.complement)]).max() < 1e-10


def test_decoded_paths_are_legal_and_their_genes_can_be_read_back(tmp_path: Path) -> None:
    contigs = {"chr1": random_codes(5000), "tiny": random_codes(9), "unknown": np.full(700, N, np.uint8)}
    genome = write_fasta(tmp_path / "g.fa", contigs)
    model = model_of(GENES)
    save_checkpoint(tmp_path / "run", model, GENES)
    path = decode(model, predict_sequence(model, contigs["chr1"])).path
    assert not len(illegal_positions(path, GENE_STATES))
    summary = predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3")
    expected = contig_genes(model, GENES, Contig("chr1", contigs["chr1"]), [(0, 5000)])
    assert len(expected) > 3
    found = {one.transcript.cds for one in read_annotation(tmp_path / "genes.gff3").transcripts}
    assert {gene.cds for gene in expected} <= found
    assert summary.n_genes == len(found)
    assert not list(tmp_path.glob(".genes*"))


def test_a_broken_off_prediction_goes_on_by_contig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaspt.evaluation import predict_genes

    genome = write_fasta(tmp_path / "g.fa", {f"chr{n}": random_codes(900, n) for n in range(4)})
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    predict_file(tmp_path / "run", genome, tmp_path / "alone.gff3")
    real = predict_genes.contig_genes

    def interrupted(*arguments: object, **options: object) -> object:
        if arguments[2].name == "chr2":  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(predict_genes, "contig_genes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3")
    assert not (tmp_path / "genes.gff3").exists()
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    summary = predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3")
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


def test_regions_limit_what_is_predicted(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(6000)})
    (tmp_path / "r.bed").write_text("chr1\t1000\t2500\n")
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", regions=tmp_path / "r.bed")
    found = read_annotation(tmp_path / "genes.gff3").transcripts
    assert found
    assert all(one.transcript.start >= 1000 and one.transcript.end <= 2500 for one in found)
