"""The options of a command as keywords of the Python API: those that were given, and no other."""

import os
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from tests.unit.cli.help_texts import COMMANDS
from typer.testing import CliRunner

from dnaspt.cli.main import app
from dnaspt.cli.options import Command, Offline, TrustCode, given, loci_of, names, option
from dnaspt.security import OFFLINE, TRUST, is_offline, may_run_code


@pytest.fixture(autouse=True)
def _environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (OFFLINE, TRUST):
        monkeypatch.setenv(name, "0")


def keywords(*arguments: str) -> dict[str, Any]:
    """The keywords that a command with a few options hands on."""
    found: dict[str, Any] = {}
    small = typer.Typer()

    @small.command(cls=Command)
    def command(
        context: typer.Context,
        data: Annotated[Path, typer.Argument()],
        seed: Annotated[int, option(help="Seed.")] = 0,
        strict: Annotated[bool, option("--strict/--no-strict", help="Strict.")] = False,
        files: Annotated[list[Path] | None, option(help="Files.")] = None,
        contigs: Annotated[str | None, option(help="Names.", callback=names)] = None,
        trust_remote_code: TrustCode = False,
        offline: Offline = False,
    ) -> None:
        found.update(given(context))

    said = CliRunner().invoke(small, list(arguments))
    assert said.exit_code == 0, said.output
    return found


def test_what_was_not_given_is_left_out() -> None:
    assert keywords("data") == {"data": Path("data")}


def test_what_was_given_is_handed_on_even_if_it_is_the_default() -> None:
    said = keywords("data", "--seed", "0", "--no-strict", "--files", "a", "--files", "b", "--contigs", "x, y,")
    assert said == {
        "data": Path("data"),
        "seed": 0,
        "strict": False,
        "files": [Path("a"), Path("b")],
        "contigs": ("x", "y"),
    }


@pytest.mark.parametrize(
    "words", [("--seed", "1", "--seed", "1"), ("--strict", "--no-strict"), ("--contigs", "x", "--contigs", "y")]
)
def test_an_option_that_takes_one_value_is_not_given_twice(words: tuple[str, ...]) -> None:
    small = typer.Typer()

    @small.command(cls=Command)
    def command(
        seed: Annotated[int, option(help="Seed.")] = 0,
        strict: Annotated[bool, option("--strict/--no-strict", help="Strict.")] = False,
        contigs: Annotated[str | None, option(help="Names.", callback=names)] = None,
    ) -> None:
        raise AssertionError

    said = CliRunner().invoke(small, words)
    assert said.exit_code == 2 and "was given 2 times; it takes one value" in " ".join(said.output.split())


def test_every_command_refuses_an_option_that_is_given_twice() -> None:
    assert {type(command) for command in COMMANDS.values()} == {Command}


def test_switches_of_security_are_set_and_not_handed_on() -> None:
    assert keywords("data", "--offline", "--trust-remote-code") == {"data": Path("data")}
    assert is_offline() and may_run_code()


def test_the_environment_switches_like_an_option() -> None:
    os.environ[OFFLINE] = "true"
    assert keywords("data") == {"data": Path("data")}
    assert is_offline() and not may_run_code()


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    config, out = tmp_path / "genome.toml", tmp_path / "genome"
    config.write_text("overwrite = true\nn_contigs = 2\ncontig_bp = 20000\n")
    for words, n_bp in (((), 40_000), (("--n-contigs", "1"), 20_000)):
        said = CliRunner().invoke(app, ["simulate", "--out", str(out), "--config", str(config), *words])
        assert said.exit_code == 0, repr(said.exception)
        lines = (out / "genome.fa").read_text().splitlines()
        assert sum(len(line) for line in lines if line[0] != ">") == n_bp


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr3:19,201-19,300", ("chr3:19,201-19,300",)),
        ("a, chr1:5001-5100,chr2:1,000,301-1,000,400", ("a", "chr1:5001-5100", "chr2:1,000,301-1,000,400")),
        ("101,102", ("101", "102")),
        ("chr1:1-100,200", ("chr1:1-100,200",)),
    ],
)
def test_commas_in_positions_divide_no_loci(text: str, expected: tuple[str, ...]) -> None:
    assert loci_of(text) == expected
    assert loci_of(None) is None
