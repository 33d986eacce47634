"""Every command in the README runs, in the order it stands there."""

import gzip
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dnaspt.cli.main import app

README = Path(__file__).parents[2] / "README.md"
SHORT = ["--steps", "3", "--batch-bp", "2048", "--precision", "32"]


def blocks(language: str = "", page: Path = README) -> list[str]:
    """The fenced blocks of a page in one language; "" for commands."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [block for name, block in fenced if name == language]


def test_the_readme_begins_with_the_two_commands() -> None:
    assert [line.split("#")[0].strip() for line in blocks()[0].splitlines()] == ["make demo", "make test"]


def test_the_tour_on_the_users_own_data_runs(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tour = [line for line in blocks()[1].splitlines() if line.startswith("dnaspt ")]
    assert len(tour) == 5
    monkeypatch.chdir(tmp_path)
    shutil.copy(simulated / "genome.fa", "g.fa")
    shutil.copy(simulated / "genome.fa", "new.fa")
    shutil.copy(simulated / "annotation.gff3", "g.gff3")
    for line in tour:
        arguments = line.split()[1:]
        if arguments[0] == "prepare":
            arguments += ["--window-bp", "1024"]
        if arguments[0] == "pretrain":
            arguments += ["--preset", "tiny", *SHORT]
        said = CliRunner().invoke(app, arguments)
        assert said.exit_code == 0, f"{line}: {said.output} {said.exception!r}"
    assert Path("genes.gff3").read_text().startswith("##gff-version 3")


def test_the_table_of_sequences_gives_scores_beside_k_mers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tour = [line for line in blocks()[2].splitlines() if line.startswith("dnaspt ")]
    assert len(tour) == 3
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name, n in (("train.csv", 60), ("test.csv", 30)):
        rows = ["sequence,label"]
        for number in range(n):
            shares = (0.2, 0.3, 0.3, 0.2) if number % 2 else (0.3, 0.2, 0.2, 0.3)
            rows.append(f"{''.join(generator.choice(list('ACGT'), 80, p=shares))},{number % 2}")
        Path(name).write_text("\n".join(rows) + "\n")
    for line in tour:
        arguments = line.split()[1:]
        if arguments[0] == "finetune":
            arguments += ["--preset", "tiny", *SHORT]
        said = CliRunner().invoke(app, arguments)
        assert said.exit_code == 0, f"{line}: {said.output} {said.exception!r}"
    assert Path("runs/promoters/evaluation-test.json").is_file()


def test_the_python_tour_of_the_first_page_runs(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tour,) = blocks("python", README.parent / "docs" / "index.md")
    monkeypatch.chdir(tmp_path)
    for name in ("g.fa", "new.fa"):
        shutil.copy(simulated / "genome.fa", name)
    shutil.copy(simulated / "annotation.gff3", "g.gff3")
    base = (simulated / "genome.fa").read_text().splitlines()[1][9].upper()
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    with gzip.open("calls.vcf.gz", "wt") as file:
        file.write(f"{header}chr1\t10\t.\t{base}\t{'A' if base != 'A' else 'C'}\t.\t.\t.\n")
    short = "steps=3, batch_bp=2048"
    tour = tour.replace("epochs=24", f'preset="tiny", {short}')
    known: dict[str, Any] = {}
    exec(tour.replace("...", "ACGTTGCA" * 8), known)
    assert len(known["genes"]) == 2
    assert known["vectors"].shape[0] == 2
    assert len(known["scored"]) == 1
    assert Path("genes.gff3").is_file()


def test_the_page_of_the_python_api_is_that_of_the_code() -> None:
    docs = README.parent / "docs"
    page = runpy.run_path(str(docs / "make_api.py"))["api_page"]()
    assert (docs / "python.md").read_text() == page, "run python docs/make_api.py"


def test_options_named_in_the_readme_and_on_the_page_of_commands_exist() -> None:
    text = "".join(page.read_text() for page in (README, README.parent / "docs" / "commands.md"))
    named = set(re.findall(r"`[^`]*?(--[a-z][a-z-]+)[^`]*`", text))
    helps = " ".join(
        CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output
        for command in (
            "",
            "pretrain",
            "finetune",
            "evaluate",
            "predict",
            "prepare genes",
            "prepare regions",
            "prepare methylation",
            "prepare sequences",
            "embed",
            "study",
            "variants",
            "baseline",
        )
    )
    assert {name for name in named if name not in helps} <= {"--help"}


def test_no_page_of_results_has_a_gap_left() -> None:
    for name in ("performance.md", "results.md"):
        assert not re.findall(r"\{\w*\}", (README.parent / "docs" / name).read_text()), name
    for page in (README, *(README.parent / "docs").glob("*.md")):
        assert not re.findall(r"\b(?:FIGURES|TODO|TBD|XXX)\b", page.read_text()), page.name


def test_the_page_of_settings_is_that_of_the_code() -> None:
    docs = README.parent / "docs"
    page = runpy.run_path(str(docs / "make_settings.py"))["settings_page"]()
    assert (docs / "settings.md").read_text() == page, "run python docs/make_settings.py"
