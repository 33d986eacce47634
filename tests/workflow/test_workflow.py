"""The Snakemake workflow, run for real on a small simulated genome: on this machine, and on a SLURM cluster of this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt
from tests.slurm_cluster import CAN_RUN, NEEDS, running_cluster

from dnaspt.genome.fasta import contig_names
from dnaspt.training.runs import read_metrics_rows

WORKFLOW = Path(__file__).parents[2] / "workflow"
CONFIG = """
out: some results
task: genes
genome: genome/genome.fa
labels: [genome/annotation.gff3]
prepare: {window_bp: 1024}
pretrain: {preset: tiny, steps: 2, batch_bp: 2048, tensorboard: false, max_minutes: 0.0001}
genomes: {same: genome/genome.fa}
sequences: [proteins]
predict: [--min-score, "0.01"]
group_mb: 0.03
"""

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def snakemake(
    folder: Path, *options: str, config: str = "my.yaml", programs: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the workflow in a folder; the dnaspt and the python on its path are those of the tests."""
    path = os.pathsep.join(
        [*([str(programs)] if programs else []), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    where = ["--snakefile", str(WORKFLOW / "Snakefile"), "--configfile", config]
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *where, *options],
        cwd=folder,
        env=os.environ | {"PATH": path} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=600,
    )


def logs(out: Path) -> str:
    """All logs of the jobs."""
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted((out / "logs").rglob("*.log")))


@pytest.fixture(scope="module")
def finished(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the workflow has run to its end. The first try to pretrain stops after a step."""
    folder = tmp_path_factory.mktemp("workflow") / "with blank"
    folder.mkdir()
    shutil.copytree(simulated, folder / "genome")
    (folder / "my.yaml").write_text(CONFIG, encoding="utf-8")
    said = snakemake(folder, "--cores", "2", "--retries", "1")
    assert said.returncode == 0, said.stdout + logs(folder / "some results")
    (folder / "said.txt").write_text(said.stdout, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(finished: Path) -> tuple[Path, Path]:
    """Genes and proteins of the whole genome, predicted by one command."""
    genes, proteins = finished / "whole.gff3", finished / "whole.fa"
    outputs = ("--out", genes, "--proteins", proteins)
    model, genome = finished / "some results" / "model", finished / "genome" / "genome.fa"
    assert dnaspt("predict", model, "--genome", genome, *outputs, "--min-score", "0.01").code == 0
    return genes, proteins


def test_predictions_by_groups_of_contigs_are_those_of_the_whole_genome(
    finished: Path, whole: tuple[Path, Path]
) -> None:
    out = finished / "some results"
    assert len(list((out / "groups" / "same").glob("*.bed"))) == len(contig_names(finished / "genome" / "genome.fa"))
    for file, expected in zip(("genes.gff3", "proteins.fa"), whole, strict=True):
        assert (out / "predictions" / "same" / file).read_bytes() == expected.read_bytes()
    assert "\tCDS\t" in whole[0].read_text(encoding="utf-8")
    assert (out / "report.html").is_file() and not list(out.rglob("parts/**/*.gff3"))


def test_a_training_that_was_stopped_goes_on_in_the_next_try(finished: Path) -> None:
    said = (finished / "said.txt").read_text(encoding="utf-8")
    assert said.count("Error in rule pretrain:") == 1 and said.count("Trying to restart job") == 1, said
    rows = read_metrics_rows(finished / "some results" / "pretrained" / "metrics.jsonl")
    assert [row["step"] for row in rows if "seconds" in row] == [1, 2]


def test_what_is_done_is_not_done_again(finished: Path) -> None:
    said = snakemake(finished, "--cores", "1", "--dry-run")
    assert "Nothing to be done" in said.stdout, said.stdout


def test_a_misspelt_key_is_an_error_that_names_it(finished: Path) -> None:
    (finished / "bad.yaml").write_text(CONFIG.replace("group_mb", "grup_mb"), encoding="utf-8")
    said = snakemake(finished, "--cores", "1", "--dry-run", config="bad.yaml")
    assert said.returncode and "'grup_mb' was unexpected" in said.stdout, said.stdout


def test_the_configuration_to_copy_is_valid_and_snakemakes_lint_finds_nothing(finished: Path) -> None:
    said = snakemake(finished, "--lint", config=str(WORKFLOW / "config.yaml"))
    assert said.returncode == 0 and "in a good condition" in said.stdout, said.stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Path]:
    """Configuration of a SLURM cluster that runs."""
    with running_cluster(tmp_path / "slurm") as conf:
        yield conf


@pytest.mark.tool
@pytest.mark.skipif(not CAN_RUN, reason=NEEDS)
def test_slurm_predicts_the_same(finished: Path, whole: tuple[Path, Path], cluster: Path) -> None:
    out = finished / "some results"
    shutil.rmtree(out / "predictions")
    shutil.rmtree(out / "groups")
    # The plugin hides variables of SLURM from the job, where a cluster has its configuration in /etc.
    srun = cluster.parent / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(f"#!/bin/sh\nSLURM_CONF='{cluster}' exec {shutil.which('srun')} \"$@\"\n", encoding="utf-8")
    srun.chmod(0o755)
    resources = ("--default-resources", "mem_mb=0", "runtime=5", "--set-resources", "predict:mem_mb=0")
    threads = ("--set-threads", "predict=1")  # of the profile's, this machine may have fewer
    asking = ("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1")
    options = ("--slurm-status-command", "squeue", *asking, "--latency-wait", "10", "--retries", "0")
    profile = ("--workflow-profile", str(WORKFLOW / "profiles" / "slurm"))
    said = snakemake(finished, *profile, *options, *resources, *threads, programs=srun.parent, SLURM_CONF=str(cluster))
    assert said.returncode == 0, said.stdout + logs(out)
    for file, expected in zip(("genes.gff3", "proteins.fa"), whole, strict=True):
        assert (out / "predictions" / "same" / file).read_bytes() == expected.read_bytes()
