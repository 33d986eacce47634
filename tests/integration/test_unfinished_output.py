"""A full disk and an interrupted write: what could not be written to its end is not there, and can be written again."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.integration.in_process import dnaspt, files_below
from tests.integration.sources import GENES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("made")]  # one process makes what these tests start from

PREPARE_GENES = "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {out}/data --window-bp 64"
# What is written, the bytes that the disk takes, and the file that the error names.
WRITES = {
    "dataset_of_genes": (PREPARE_GENES, 500, "data"),
    "dataset_of_regions": (
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {out}/data --window-bp 256 --split train-only",
        500,
        "data",
    ),
    "dataset_of_methylation": (
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {out}/data --window-bp 64 --split train-only",
        500,
        "data",
    ),
    "simulated_genome": ("simulate --out {out}/simulated --n-contigs 1 --contig-bp 10000", 4000, "simulated"),
    "table_of_windows": (
        "predict {}/peaks --genome {}/genome.fa --out {out}/out.parquet --stride-bp 16",
        500,
        "out.parquet",
    ),
    "bed_of_windows": (
        "predict {}/peaks --genome {}/genome.fa --out {out}/out.bed --stride-bp 2 --threshold 0",
        500,
        "out.bed",
    ),
    "bigwig_of_windows": ("predict {}/peaks --genome {}/genome.fa --out {out}/out.bw --stride-bp 16", 500, "out.bw"),
}


@contextlib.contextmanager
def limited(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond n_bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "written"
    folder.mkdir()
    return folder


def words(command: str, made: Path, out: Path) -> list[str]:
    return command.replace("{out}", str(out)).replace("{}", str(made)).split()


@pytest.mark.parametrize("name", WRITES)
def test_without_space_nothing_is_left(name: str, made: Path, out: Path) -> None:
    command, n_bytes, file = WRITES[name]
    arguments = words(command, made, out)
    with limited(n_bytes):
        code, _, errors = dnaspt(*arguments)
    assert (code, len(errors)) == (2, 1), errors
    assert errors[0].startswith(f"error: {out / file}: could not be written (")
    assert list(files_below(out)) == []
    assert dnaspt(*arguments).code == 0
    assert (out / file).exists()


def test_wherever_a_dataset_breaks_off_nothing_is_left(made: Path, out: Path) -> None:
    arguments = words(PREPARE_GENES, made, out)
    for n_bytes in range(0, max(path.stat().st_size for path in (made / "data").iterdir()), 300):
        with limited(n_bytes):
            code, _, errors = dnaspt(*arguments)
        assert (code, len(errors)) == (2, 1), errors
        assert list(files_below(out)) == []


def test_a_disk_that_is_full_is_told_like_a_limit(made: Path, out: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", out], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        code, _, errors = dnaspt(*words(PREPARE_GENES, made, out))
        assert (code, len(errors)) == (2, 1), errors
        assert (
            errors[0]
            == f"error: {out}/data: could not be written (No space left on device); make room, or write elsewhere"
        )
        assert list(files_below(out)) == []
    finally:
        subprocess.run(["umount", out], check=True)


def test_finished_contigs_survive_a_full_disk_and_no_half_contig_does(made: Path, out: Path) -> None:
    arguments = words("predict {}/genes --genome {}/genome.fa --out {out}/out.gff3", made, out)
    assert dnaspt(*arguments).code == 0
    whole = (out / "out.gff3").read_bytes()
    (out / "out.gff3").unlink()
    with limited(len(whole) - 10):
        code, _, errors = dnaspt(*arguments)
    assert (code, len(errors)) == (2, 1), errors
    assert "could not be written (File too large); make room, or write elsewhere" in errors[0]
    kept = {path.name for path in files_below(out)}
    assert kept <= {".out.gff3.parts", "mark.json", "0.gff3", "1.gff3"}
    code, _, _ = dnaspt(*arguments)
    assert code == 0
    assert (out / "out.gff3").read_bytes() == whole
    assert [path.name for path in files_below(out)] == ["out.gff3"]


@pytest.mark.parametrize("command", ["pretrain {}/data", "finetune {}/data --encoder {}/pretrained --head softmax"])
def test_a_run_on_a_full_disk_has_no_half_checkpoint_and_can_be_resumed(command: str, made: Path, out: Path) -> None:
    arguments = words(f"{command} --out {{out}}/run --config {{}}/{command.split()[0]}.toml", made, out)
    with limited(2500):
        code, _, errors = dnaspt(*arguments)
    assert (code, len(errors)) == (2, 1), errors
    assert errors[0].startswith(f"error: {out}/run/best/step-00000001: could not be written (")
    assert list((out / "run" / "best").iterdir()) == []
    assert dnaspt(*arguments, "--resume").code == 0
    assert (out / "run" / "result.json").is_file()


def test_a_run_on_a_disk_that_can_only_be_read_is_evaluated(
    made: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", out], capture_output=True).returncode:
        pytest.skip("no right to mount a disk here")
    try:
        shutil.copytree(made / "peaks", out / "peaks")
        subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        code, printed, errors = dnaspt("evaluate", out / "peaks", "--data", made / "windows", "--split", "valid")
        assert (code, errors) == (0, []) and "AUROC" in printed
        assert f"{out}/peaks: nothing can be written there (Read-only file system)" in caplog.text
    finally:
        subprocess.run(["umount", out], check=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome that takes a second or more to prepare."""
    folder = tmp_path_factory.mktemp("large")
    sequence = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(0, 4, 2_000_000)].tobytes().decode()
    (folder / "genome.fa").write_text(f">chr1\n{sequence}\n")
    (folder / "genes.gff3").write_text(GENES)
    return folder


def start(large: Path, out: Path) -> subprocess.Popen[str]:
    """Begin to prepare, and come back when a table has been begun."""
    arguments = [sys.executable, "-m", "dnaspt", *words(PREPARE_GENES, large, out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell lets what it starts in the background ignore Ctrl-C, and so do its children.
    listens = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(arguments, env=environment, preexec_fn=listens, **pipes)
    while process.poll() is None and not list(out.glob(".data.unfinished-*/*.parquet")):
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_prepare_leaves_nothing(number: int, code: int, large: Path, out: Path) -> None:
    process = start(large, out)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert list(files_below(out)) == []


def test_a_killed_prepare_leaves_no_dataset_and_is_run_again(
    large: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = start(large, out)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not (out / "data").exists()
    assert dnaspt("inspect", out / "data").code == 2
    (left,) = (path.name for path in out.iterdir() if ".unfinished-" in path.name)
    assert dnaspt(*words(PREPARE_GENES, large, out)).code == 0
    assert f"{out / left}: removed; PID {process.pid} on " in caplog.text
    assert (out / "data" / "manifest.json").is_file()
    assert [path.name for path in out.iterdir()] == ["data"]
