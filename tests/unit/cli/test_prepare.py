"""`dnaspt prepare`: its help says the defaults that its settings have, and its options reach the settings."""

from pathlib import Path

import pytest
from tests.unit.cli.help_texts import COMMANDS, defaults_of, wrong_promises
from typer.testing import CliRunner

from dnaspt.bend.prepare import PrepareBendConfig
from dnaspt.cli.main import app
from dnaspt.config import Settings
from dnaspt.data.dataset import Dataset
from dnaspt.genome.sequence_tables import NAME_NAMES, SEQUENCE_NAMES
from dnaspt.prepare.genes import PrepareGenesConfig
from dnaspt.prepare.methylation import PrepareMethylationConfig
from dnaspt.prepare.regions import PrepareRegionsConfig
from dnaspt.prepare.sequence_labels import LABEL_NAMES, SPLIT_NAMES
from dnaspt.prepare.sequences import PrepareSequencesConfig
from dnaspt.prepare.unlabeled import PrepareUnlabeledConfig

KINDS: dict[str, type[Settings]] = {
    "genes": PrepareGenesConfig,
    "regions": PrepareRegionsConfig,
    "methylation": PrepareMethylationConfig,
    "sequences": PrepareSequencesConfig,
    "unlabeled": PrepareUnlabeledConfig,
    "bend": PrepareBendConfig,
}


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_in_the_help_are_those_of_the_settings(kind: str) -> None:
    assert wrong_promises(f"prepare {kind}", defaults_of(KINDS[kind])) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_an_option_has_the_name_of_its_setting(kind: str) -> None:
    names = {parameter.name for parameter in COMMANDS[f"prepare {kind}"].params} - {"config", "as_json", "help"}
    assert names <= set(KINDS[kind].model_fields)


def test_the_help_has_all_usual_names_of_columns() -> None:
    columns = {
        "sequence_column": SEQUENCE_NAMES,
        "name_column": NAME_NAMES,
        "label_columns": LABEL_NAMES,
        "split_column": SPLIT_NAMES,
    }
    said = {parameter.name: str(parameter.help) for parameter in COMMANDS["prepare sequences"].params}
    for name, usual in columns.items():
        assert f"{', '.join(usual[:-1])} or {usual[-1]}" in said[name]


def prepared(out: Path, *arguments: str | Path) -> Dataset:
    said = CliRunner().invoke(app, ["prepare", *map(str, arguments), "--out", str(out)])
    assert said.exit_code == 0, f"{said.output} {said.exception!r}"
    return Dataset.open(out)


def test_switches_of_a_file_hold_and_options_win_over_it(simulated: Path, tmp_path: Path) -> None:
    config = tmp_path / "genes.toml"
    config.write_text(
        f"genome = ['{simulated / 'genome.fa'}']\nannotation = ['{simulated / 'annotation.gff3'}']\n"
        "window_bp = 512\nstrict = true\noverwrite = true\n"
    )
    out = tmp_path / "data"
    first = prepared(out, "genes", "--config", config).manifest
    assert (first.window_bp, first.settings["strict"]) == (512, True)
    again = prepared(out, "genes", "--config", config, "--window-bp", "1024").manifest
    assert (again.window_bp, again.settings["strict"]) == (1024, True)


def test_a_switch_that_was_not_given_is_left_to_the_file(simulated: Path, tmp_path: Path) -> None:
    config = tmp_path / "regions.toml"
    config.write_text(
        f"genome = '{simulated / 'genome.fa'}'\nmatch_gc = false\nbackground = 'matched'\nsplit = 'contig'\n"
        "valid_contigs = ['chr2']\ntest_contigs = ['chr3']\n"
    )
    given = ("regions", "--config", config, "--regions", simulated / "peaks_A.bed", "--window-bp", "256")
    assert prepared(tmp_path / "a", *given).manifest.settings["match_gc"] is False
    assert prepared(tmp_path / "b", *given, "--match-gc").manifest.settings["match_gc"] is True


def test_names_are_separated_by_commas(simulated: Path, tmp_path: Path) -> None:
    given = ("genes", "--genome", simulated / "genome.fa", "--annotation", simulated / "annotation.gff3")
    split = ("--split", "contig", "--valid-contigs", "chr2", "--test-contigs", " chr3,", "--window-bp", "1024")
    settings = prepared(tmp_path / "data", *given, *split).manifest.settings
    assert (settings["valid_contigs"], settings["test_contigs"]) == (["chr2"], ["chr3"])
