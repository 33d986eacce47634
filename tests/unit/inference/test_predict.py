from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.inference.small_models import GENES, WITHOUT_CODONS, model_of, random_codes, windows_run, write_fasta

from dnaspt.checkpoint import choose_device, save_checkpoint
from dnaspt.errors import ConfigError
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
