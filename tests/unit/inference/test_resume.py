from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.small_models import (
    GENES,
    WITHOUT_CODONS,
    broken_at,
    genes_run,
    give_emissions,
    limited,
    model_of,
    random_codes,
    windows_run,
    write_fasta,
)

from dnaspt.checkpoint import save_checkpoint
from dnaspt.errors import NoSpaceError
from dnaspt.inference import genes as predict_genes
from dnaspt.inference import windows as predict_windows
from dnaspt.inference.predict import PredictOptions, predict_file


def test_a_broken_off_prediction_goes_on_by_contig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genome = write_fasta(tmp_path / "g.fa", {f"chr{n}": random_codes(900, n) for n in range(4)})
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    assert predict_file(tmp_path / "run", genome, tmp_path / "alone.gff3", WITHOUT_CODONS).n_genes > 0
    real = predict_genes.contig_genes

    def interrupted(*arguments: object, **options: object) -> object:
        if arguments[2].name == "chr2":  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(predict_genes, "contig_genes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", WITHOUT_CODONS)
    assert not (tmp_path / "genes.gff3").exists()
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    summary = predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", WITHOUT_CODONS)
    assert summary.n_resumed == 2
    assert (tmp_path / "genes.gff3").read_bytes() == (tmp_path / "alone.gff3").read_bytes()


def test_emissions_that_find_no_space_are_an_error_and_finished_contigs_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(900), "chr2": random_codes(9000, 1)})
    assert predict_file(run, genome, tmp_path / "alone.gff3", WITHOUT_CODONS).n_genes > 0
    monkeypatch.setattr(predict_genes, "ON_DISK_BP", 1000)
    with limited(200_000), pytest.raises(NoSpaceError, match=r"genes.gff3: could not be written"):
        predict_file(run, genome, tmp_path / "genes.gff3", WITHOUT_CODONS)
    assert {file.name for file in (tmp_path / ".genes.gff3.parts").iterdir()} == {"mark.json", "0.gff3"}
    summary = predict_file(run, genome, tmp_path / "genes.gff3", WITHOUT_CODONS)
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


def test_a_prediction_with_other_decoding_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(900), "chr2": random_codes(900, 1)})
    real = predict_genes.contig_genes
    monkeypatch.setattr(predict_genes, "contig_genes", broken_at("chr2", real, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_file(run, genome, tmp_path / "genes.gff3")
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    assert predict_file(run, genome, tmp_path / "genes.gff3", WITHOUT_CODONS).n_resumed == 0


@pytest.mark.parametrize("name", ["genes.gff3", "genes.gtf"])
def test_a_broken_off_prediction_with_sequences_goes_on_to_the_same_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noise(codes: np.ndarray) -> np.ndarray:
        return (np.random.default_rng(len(codes)).standard_normal((len(codes), 9)) * 3).astype(np.float32)

    give_emissions(monkeypatch, noise)
    run, genome = genes_run(tmp_path, {f"chr{n}": random_codes(2000 - 600 * n, n) for n in range(3)})
    names = {"proteins": "p.faa", "cds": "c.fa"}
    (tmp_path / "alone").mkdir()
    alone = predict_file(
        run, genome, tmp_path / "alone" / name, **{what: tmp_path / "alone" / n for what, n in names.items()}
    )
    real = predict_genes.contig_genes
    monkeypatch.setattr(predict_genes, "contig_genes", broken_at("chr2", real, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_file(run, genome, tmp_path / name, **{what: tmp_path / n for what, n in names.items()})
    assert not any((tmp_path / n).exists() for n in (name, *names.values()))
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    summary = predict_file(run, genome, tmp_path / name, **{what: tmp_path / n for what, n in names.items()})
    assert summary.n_resumed == 2 and summary.n_genes == alone.n_genes > 0
    for n in (name, *names.values()):
        assert (tmp_path / n).read_bytes() == (tmp_path / "alone" / n).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_prediction_that_writes_other_files_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(900), "chr2": random_codes(900, 1)})
    real = predict_genes.contig_genes
    monkeypatch.setattr(predict_genes, "contig_genes", broken_at("chr2", real, 2))
    with pytest.raises(KeyboardInterrupt):
        predict_file(run, genome, tmp_path / "genes.gff3")
    monkeypatch.setattr(predict_genes, "contig_genes", real)
    summary = predict_file(run, genome, tmp_path / "genes.gff3", proteins=tmp_path / "p.faa")
    assert summary.n_resumed == 0
    assert (tmp_path / "p.faa").read_text().count(">") == summary.n_genes
