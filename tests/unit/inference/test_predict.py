"""predict_file: what limits it, where it computes, and what is refused before anything is computed."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.inference.small_models import (
    BINS,
    GENES,
    LANGUAGE,
    REGIONS,
    WITHOUT_CODONS,
    genes_run,
    model_of,
    random_codes,
    run_of,
    windows_run,
    write_fasta,
)

from dnaspt.checkpoint import CheckpointConfig, choose_device, save_checkpoint
from dnaspt.errors import CheckpointError, ConfigError, InputError, NotFiniteError
from dnaspt.genome.gff3 import read_annotation
from dnaspt.inference.predict import PredictOptions, predict_file


def test_regions_limit_what_is_predicted(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(6000)})
    (tmp_path / "r.bed").write_text("chr1\t1000\t2500\n")
    save_checkpoint(tmp_path / "run", model_of(GENES), GENES)
    predict_file(tmp_path / "run", genome, tmp_path / "genes.gff3", WITHOUT_CODONS, regions=tmp_path / "r.bed")
    found = read_annotation(tmp_path / "genes.gff3").transcripts
    assert found
    assert all(one.transcript.start >= 1000 and one.transcript.end <= 2500 for one in found)


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


def test_mistakes_are_told_before_torch_is_imported(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(100)})
    (tmp_path / "folder.gff3").mkdir()
    calls = {
        f"'run', {str(genome)!r}, {str(tmp_path / 'folder.gff3')!r}": "is a folder; expected a file to write",
        f"'run', {str(genome)!r}, {str(tmp_path / 'none' / 'p.bed')!r}": "no such folder; make it first",
        f"'run', {str(tmp_path / 'none.fa')!r}, {str(tmp_path / 'p.bed')!r}": "No such file or directory",
        f"{str(tmp_path / 'run')!r}, {str(genome)!r}, {str(tmp_path / 'p.bed')!r}": "no such folder; expected a run",
    }
    code = (
        "import sys\n"
        "from dnaspt.errors import DnasptError\n"
        "from dnaspt.inference.predict import predict_file\n"
        f"for arguments in {[*calls]!r}:\n"
        "    try: eval(f'predict_file({arguments})')\n"
        "    except DnasptError as error: print(error, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for line, message in zip(said.splitlines(), calls.values(), strict=True):
        assert message in line and line.endswith(" False")


def test_options_that_do_not_fit_are_errors_or_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    genes, genome = genes_run(tmp_path, {"chr1": random_codes(600)})
    windows = run_of(tmp_path / "windows", REGIONS)
    with pytest.raises(
        ConfigError, match=r"p\.bed: genes are written as GFF3 or GTF; expected a name that ends in \.gff3 or \.gtf"
    ):
        predict_file(genes, genome, tmp_path / "p.bed")
    with pytest.raises(ConfigError, match=r"unknown suffix; expected \.bed"):
        predict_file(windows, genome, tmp_path / "p.gff3")
    with pytest.raises(ConfigError, match="threshold 2; expected 0 to 1, a probability"):
        predict_file(windows, genome, tmp_path / "p.bed", PredictOptions(threshold=2))
    with pytest.raises(ConfigError, match="stride_bp 300; expected 1 to the window of 256 bp"):
        predict_file(windows, genome, tmp_path / "p.bed", PredictOptions(stride_bp=300))
    with pytest.raises(CheckpointError, match="holds a language model"):
        predict_file(run_of(tmp_path / "language", LANGUAGE), genome, tmp_path / "p.bed")
    (tmp_path / "r.bed").write_text("chrX\t0\t10\n")
    with pytest.raises(ConfigError, match="contig 'chrX' is not in"):
        predict_file(windows, genome, tmp_path / "p.bed", regions=tmp_path / "r.bed")
    with caplog.at_level(logging.WARNING):
        predict_file(genes, genome, tmp_path / "p.gff3", PredictOptions(stride_bp=7))
        predict_file(
            windows, genome, tmp_path / "p.bed", PredictOptions(codons=False, complete_genes=True), overwrite=True
        )
        predict_file(windows, genome, tmp_path / "p.bed", PredictOptions(min_score=0.5), overwrite=True)
        predict_file(
            run_of(tmp_path / "bins", BINS), genome, tmp_path / "p.bed", PredictOptions(stride_bp=7), overwrite=True
        )
        predict_file(windows, genome, tmp_path / "p.parquet", PredictOptions(threshold=0.9))
    for message in (
        "--threshold has no effect on .parquet files, which have the probabilities of all windows",
        "--stride-bp and --threshold have no effect on genes",
        "--no-codons has no effect on windows",
        "--complete-genes has no effect on windows",
        "--min-intron-bp, --min-score and --min-coding-length have no effect on windows",
        "--stride-bp has no effect: this model has bins of 128 bp",
    ):
        assert message in caplog.text


def test_intervals_that_touch_are_predicted_as_one(tmp_path: Path) -> None:
    run, genome = genes_run(tmp_path, {"chr1": random_codes(6000)})
    outputs = []
    for rows in ("chr1\t1000\t2500\n", "chr1\t2000\t2500\nchr1\t1000\t1500\nchr1\t1500\t2100\n"):
        (tmp_path / "r.bed").write_text(rows)
        predict_file(run, genome, tmp_path / "genes.gff3", WITHOUT_CODONS, regions=tmp_path / "r.bed", overwrite=True)
        outputs.append((tmp_path / "genes.gff3").read_text())
    assert outputs[0] == outputs[1] and "\tgene\t" in outputs[0]


@pytest.mark.parametrize(("config", "out"), [(GENES, "genes.gff3"), (REGIONS, "windows.bed")])
def test_a_model_whose_weights_are_damaged_is_named_and_nothing_is_written(
    config: CheckpointConfig, out: str, tmp_path: Path
) -> None:
    model = model_of(config)
    with torch.no_grad():
        next(model.head.trunk.parameters()).fill_(torch.nan)
    save_checkpoint(tmp_path / "run", model, config)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(2000)})
    message = r"run: the (sequence has emissions|logits of some windows) .*NaN.*; are its weights damaged, or has its training"
    with pytest.raises(NotFiniteError, match=message):
        predict_file(tmp_path / "run", genome, tmp_path / out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.fa", "run"]


def test_sequences_are_written_for_genes_alone_and_over_nothing_that_is_read(tmp_path: Path) -> None:
    genes, genome = genes_run(tmp_path, {"chr1": random_codes(600)})
    windows = run_of(tmp_path / "windows", REGIONS)
    with pytest.raises(ConfigError, match=r"p\.faa: only a model of genes has proteins and CDS"):
        predict_file(windows, genome, tmp_path / "p.bed", proteins=tmp_path / "p.faa")
    with pytest.raises(ConfigError, match=r"g\.fa: is the genome"):
        predict_file(genes, genome, tmp_path / "p.gff3", cds=genome)
    with pytest.raises(ConfigError, match=r"p\.fa: given for two files"):
        predict_file(genes, genome, tmp_path / "p.gff3", cds=tmp_path / "p.fa", proteins=tmp_path / "p.fa")
    with pytest.raises(InputError, match="no such folder"):
        predict_file(genes, genome, tmp_path / "p.gff3", cds=tmp_path / "none" / "p.fa")
    assert not list(tmp_path.glob("p.*"))
