"""Bad input ends with exit code 2 and one line that says where, what and what to do; nothing half-written stays behind."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.bad_files import BAD_FILES
from tests.integration.bad_folders import BAD_FOLDERS
from tests.integration.in_process import dnaspt, files_below
from tests.integration.sources import COMMANDS

pytestmark = pytest.mark.xdist_group("made")  # one process makes what these tests start from

REAL_COMMANDS = [
    "truncated_gzip.fa.gz",
    "cds_off_contig.gff3",
    "start_after_end.bed",
    "nan_level.bw",
    "misspelt_training.toml",
]


def command_line(name: str, folder: Path, file: Path, out: Path) -> list[str]:
    return [word.format(folder=folder, file=file, out=out) for word in COMMANDS[BAD_FILES[name].command].split()]


def check_answer(name: str, file: Path, errors: list[str]) -> None:
    """One line: where it is, what was found, and what to do."""
    bad = BAD_FILES[name]
    assert len(errors) == 1, errors
    assert errors[0].startswith(f"error: {file}:{bad.line}: " if bad.line else f"error: {file}: ")
    assert re.search(bad.message, errors[0]), errors


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(name: str, made: Path, tmp_path: Path) -> None:
    file = tmp_path / name
    BAD_FILES[name].write(file)
    before = list(files_below(tmp_path))
    code, printed, errors = dnaspt(*command_line(name, made, file, tmp_path / "out"))
    assert (code, printed) == (2, "")
    check_answer(name, file, errors)
    assert list(files_below(tmp_path)) == before


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_a_bad_folder_or_option_is_refused_in_one_line(name: str, made: Path, tmp_path: Path) -> None:
    bad = BAD_FOLDERS[name]
    folder = tmp_path / name
    shutil.copytree(made, folder)
    bad.spoil(folder)
    before = list(files_below(folder))
    code, _, errors = dnaspt(*(word.replace("{}", str(folder)) for word in bad.command.split()))
    assert (code, len(errors)) == (2, 1), errors
    assert errors[0].startswith(f"error: {bad.where.replace('{}', str(folder))}")
    assert re.search(bad.message, errors[0]), errors
    assert list(files_below(folder)) == before


@pytest.mark.parametrize("name", REAL_COMMANDS)
def test_the_real_command_answers_the_same(name: str, made: Path, tmp_path: Path) -> None:
    file = tmp_path / name
    BAD_FILES[name].write(file)
    before = list(files_below(tmp_path))
    arguments = command_line(name, made, file, tmp_path / "out")
    done = subprocess.run([sys.executable, "-m", "dnaspt", *arguments], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (2, "")
    check_answer(name, file, done.stderr.splitlines())
    assert list(files_below(tmp_path)) == before


def test_every_kind_of_input_has_its_faults() -> None:
    suffixes = {"".join(Path(name).suffixes[:1]) for name in BAD_FILES}
    assert suffixes >= {".fa", ".gff3", ".gtf", ".bed", ".narrowPeak", ".bedmethyl", ".cov", ".bw", ".tsv", ".toml"}
    assert len(BAD_FILES) + len(BAD_FOLDERS) >= 40
