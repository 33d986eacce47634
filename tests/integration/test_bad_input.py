"""Bad input ends with exit code 2 and one line that says where, what and what to do; nothing half-written stays behind."""

import re
import shutil
from pathlib import Path

import pytest
from tests.integration.bad_files import BAD_FILES, COMMANDS, CPG, GENES, GENOME, PEAKS, bigwig
from tests.integration.bad_folders import BAD_FOLDERS, make_good
from tests.integration.in_process import dnaspt, files_below


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are all right."""
    folder = tmp_path_factory.mktemp("good")
    for name, text in {"genome.fa": GENOME, "genes.gff3": GENES, "peaks.bed": PEAKS}.items():
        (folder / name).write_text(text)
    bigwig((CPG, CPG + 1, 0.5))(folder / "levels.bw")
    return folder


def command_line(command: str, folder: Path, file: Path, out: Path) -> list[str]:
    return [word.format(folder=folder, file=file, out=out) for word in COMMANDS[command].split()]


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(name: str, good: Path, tmp_path: Path) -> None:
    bad = BAD_FILES[name]
    file = tmp_path / name
    bad.write(file)
    before = list(files_below(tmp_path))
    code, printed, errors = dnaspt(*command_line(bad.command, good, file, tmp_path / "out"))
    where = f"{file}:{bad.line}" if bad.line else f"{file}"
    assert (code, len(errors), printed) == (2, 1, ""), errors
    assert errors[0].startswith(f"error: {where}: ")
    assert re.search(bad.message, errors[0])
    assert list(files_below(tmp_path)) == before


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets and runs that are all right."""
    folder = tmp_path_factory.mktemp("made")
    make_good(folder)
    return folder


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
    assert re.search(bad.message, errors[0])
    assert list(files_below(folder)) == before
