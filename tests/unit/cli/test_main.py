"""The command line answers without loading torch, says what it does, and says what was meant where a name is misspelt."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.help_texts import COMMANDS, defaults_of, promised, wrong_promises
from typer.testing import CliRunner

from dnaspt import __version__
from dnaspt.cli.main import app
from dnaspt.config import FinetuneConfig, PretrainConfig, Settings
from dnaspt.data.manifest import read_manifest
from dnaspt.simulation.simulate import SimulateConfig
from dnaspt.training.recipe import recipe_of

HEAVY = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "numba", "lightning_fabric")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
    )


def test_help_loads_neither_torch_nor_pandas_nor_numpy() -> None:
    heavy = (*HEAVY, "pydantic")
    said = python(f"import sys, dnaspt.cli.main; print([name for name in {heavy} if name in sys.modules])")
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_explains_itself_with_an_example(command: str, flag: str) -> None:
    said = CliRunner().invoke(app, [*command.split(), flag])
    assert said.exit_code == 0
    assert f"Example: dnaspt {command}" in " ".join(said.output.split())


@pytest.mark.parametrize("words", ["", "prepare", "bend", *sorted(COMMANDS)])
def test_help_names_no_python_type(words: str) -> None:
    said = CliRunner().invoke(app, [*words.split(), "-h"]).output
    assert not re.findall(r"<(path|str|int|float|bool|list)\b|\[(PATH|STR|INTEGER|TEXT)\]|range>", said)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_says_its_default_or_that_it_must_be_given(command: str) -> None:
    context = COMMANDS[command].make_context(command, [], resilient_parsing=True)
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option":
            name, text = parameter.get_help_record(context)
            assert "[required]" in text if parameter.required else "[default: " in text, (name, text)


def test_commands_stand_in_their_order_of_use() -> None:
    said = CliRunner().invoke(app, ["-h"]).output.split("Commands:")[1]
    names = re.findall(r"^  ([\w-]+)", said, flags=re.MULTILINE)
    assert names[:5] == ["prepare", "pretrain", "finetune", "evaluate", "predict"]
    assert set(names) == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("words", ["", "prepare", "bend"])
def test_the_list_of_commands_cuts_no_sentence_off(words: str) -> None:
    assert "..." not in CliRunner().invoke(app, [*words.split(), "-h"]).output.split("Commands:")[1]


def test_version_is_printed() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert said.output.strip() == __version__


@pytest.mark.parametrize(
    ("command", "settings"),
    [("pretrain", PretrainConfig), ("finetune", FinetuneConfig), ("simulate", SimulateConfig)],
)
def test_defaults_in_the_help_are_those_of_the_settings(command: str, settings: type[Settings]) -> None:
    assert wrong_promises(command, defaults_of(settings)) == {}


def test_the_help_of_finetune_tells_what_windows_get(windows: Path) -> None:
    recipe = recipe_of(read_manifest(windows), {})
    said = {name: words.split("windows: ")[1] for name, words in promised("finetune").items() if "windows: " in words}
    assert said == {name: f"{recipe[name]}" for name in ("learning_rate", "encoder_rate", "pool")}


@pytest.mark.parametrize("command", ["pretrain", "finetune", "simulate"])
def test_an_option_has_the_name_of_its_setting(command: str) -> None:
    kind = {"pretrain": PretrainConfig, "finetune": FinetuneConfig, "simulate": SimulateConfig}[command]
    others = {"config", "resume", "overwrite", "as_json", "trust_remote_code", "offline", "help"}
    assert {parameter.name for parameter in COMMANDS[command].params} - others <= set(kind.model_fields)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["pretrain", "data", "--out", "x", "--learning-rat", "1"], "--learning-rate"),
        (["finetun", "data"], "finetune"),
        (["finetune", "data", "--out", "x", "--head", "crff"], "'crf'"),
    ],
)
def test_a_misspelt_word_offers_the_right_one(command: list[str], said: str) -> None:
    outcome = CliRunner().invoke(app, command)
    assert outcome.exit_code == 2
    assert said in outcome.output


def completed(line: str) -> list[str]:
    """What a bash that has the completion installed offers for a line, and which heavy libraries answering took."""
    words = line.split(" ")
    code = (
        "import atexit, sys; sys.argv = ['dnaspt']; from dnaspt.cli.main import main; "
        f"atexit.register(lambda: print('loaded', [name for name in {HEAVY} if name in sys.modules])); main()"
    )
    asked = {"_DNASPT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return python(code, **asked).stdout.split("\n")


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("dnaspt fin", ["finetune"]),
        ("dnaspt prepare ", ["genes", "regions", "methylation", "sequences", "unlabeled", "bend"]),
        ("dnaspt finetune --head c", ["crf", "crf-unconstrained"]),
        ("dnaspt pretrain --mask", ["--mask-fraction"]),
    ],
)
def test_completion_offers_commands_options_and_choices_and_loads_no_torch(line: str, offers: list[str]) -> None:
    *offered, loaded = [word for word in completed(line) if word]
    assert offered == offers
    assert loaded == "loaded []"


def test_completion_can_be_shown_and_installed_for_bash(tmp_path: Path) -> None:
    program = tmp_path / "dnaspt"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dnaspt "$@"\n')
    program.chmod(0o755)
    home = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    run = lambda *words: subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | home)  # noqa: E731
    assert "complete_bash" in run(str(program), "--show-completion", "bash").stdout
    run(str(program), "--install-completion", "bash")
    (script,) = (tmp_path / ".bash_completions").iterdir()
    asks = (
        f"source {script}; COMP_WORDS=(dnaspt fin); COMP_CWORD=1; _dnaspt_completion {program}; echo ${{COMPREPLY[@]}}"
    )
    assert run("bash", "-c", asks).stdout.strip() == "finetune"


def said_by(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dnaspt", *words], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("finetun data", "No such command 'finetun'. Did you mean 'finetune'? See 'dnaspt -h'"),
        ("finetune --out x", "Missing argument 'DATA'; see 'dnaspt finetune -h'"),
        (
            "finetune data --out x --head mlp",
            "Invalid value for '--head': 'mlp' is not one of 'auto', 'gene-model', 'crf', 'softmax', 'sigmoid', "
            "'crf-unconstrained', 'mse', 'poisson'; "
            "see 'dnaspt finetune -h'",
        ),
        ("prepare genes", "Missing option '--out' / '-o'; see 'dnaspt prepare genes -h'"),
        (
            "finetune data --out x --seed 1 --seed 2",
            "Option '--seed' was given 2 times; it takes one value; see 'dnaspt finetune -h'",
        ),
        (
            "predict run -o a.gff3 --codons --no-codons --out b.gff3",
            "Option '--out / -o' was given 2 times; it takes one value; see 'dnaspt predict -h'",
        ),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(words: str, line: str) -> None:
    outcome = said_by(*words.split())
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (2, "", f"error: {line}\n")


@pytest.mark.parametrize("words", ["", "prepare", "bend"])
def test_no_command_shows_the_help(words: str) -> None:
    outcome = said_by(*words.split())
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(" ".join(f"Usage: dnaspt {words}".split()))


def test_on_macos_pytorch_is_told_to_compute_on_the_cpu_what_apples_gpu_cannot() -> None:
    for system, expected in (("darwin", "1"), ("linux", "unset")):
        code = f"""
import os, sys, sysconfig
from dnaspt.cli.main import main
sysconfig.get_config_vars() # of this system
sys.platform, sys.argv = {system!r}, ["dnaspt", "--version"]
try:
    main()
except SystemExit:
    print(os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK", "unset"))
"""
        assert python(code).stdout.split()[-1] == expected, system
