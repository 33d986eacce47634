import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dnaspt import security
from dnaspt.errors import ConfigError
from dnaspt.studies.context import StudyContext
from dnaspt.studies.slurm_engine import study_command, write_submission


@pytest.fixture(autouse=True)
def _no_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (security.TRUST, security.OFFLINE):
        monkeypatch.delenv(variable, raising=False)


def test_the_command_of_a_study_has_absolute_paths() -> None:
    here = os.getcwd()
    assert study_command(Path("s.toml"), Path("out")) == f"dnaspt study {here}/s.toml --out {here}/out"
    more = study_command(Path("s.toml"), Path("a b"), records=Path("r"), data=Path("d"))
    assert shlex.split(more)[3:] == ["--out", f"{here}/a b", "--records", f"{here}/r", "--data", f"{here}/d"]


def test_the_switches_of_this_process_are_those_of_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (security.TRUST, security.OFFLINE):
        monkeypatch.setenv(variable, "1")
    assert study_command(Path("s.toml"), Path("out")).endswith(" --trust-remote-code --offline")


def test_a_submission_has_an_array_for_each_stage(context: StudyContext) -> None:
    file = write_submission(context, "dnaspt study /x/s.toml --out /x/out", "--time=4:00:00 --mem=32G")
    text = file.read_text()
    assert file == context.out / "submit.sh" and os.access(file, os.X_OK) and (context.out / "logs").is_dir()
    assert f"study='{sys.executable} -m dnaspt study /x/s.toml --out /x/out'" in text
    assert "options='--time=4:00:00 --mem=32G'" in text
    assert [line for line in text.splitlines() if line.startswith("submit ") and "{" not in line] == [
        "submit pretrain --array=0-0 '--stage pretrain --task $SLURM_ARRAY_TASK_ID'",
        "submit tune --array=0-1 '--stage tune --task $SLURM_ARRAY_TASK_ID'",
        "submit final --array=0-1 '--stage final --task $SLURM_ARRAY_TASK_ID'",
        "submit report '' ''",
    ]


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_each_array_waits_for_the_one_before(context: StudyContext, tmp_path: Path) -> None:
    """The script is run with a command in sbatch's place that numbers its calls."""
    (tmp_path / "sbatch").write_text('#!/bin/sh\nprintf \'%s\\n\' "$*" >> calls\nwc -l < calls | tr -d " "\n')
    (tmp_path / "sbatch").chmod(0o755)
    text = write_submission(context, "dnaspt study s.toml --out out", "--mem=8G").read_text()
    script = tmp_path / "submit.sh"
    script.write_text(text.replace(f"cd {Path.cwd()}", f"cd {tmp_path}"))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", str(script)], check=True, env=os.environ | {"PATH": path}, timeout=60)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split("--dependency=")[1].split()[0] if "--dependency" in call else "" for call in calls] == [
        "",
        "afterok:1",
        "afterok:2",
        "afterok:3",
    ]
    assert all("--mem=8G" in call for call in calls)
    assert calls[1].endswith("dnaspt study s.toml --out out --stage tune --task $SLURM_ARRAY_TASK_ID")


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
@pytest.mark.parametrize(
    ("sbatch", "words"),
    [
        ("", []),
        ("--time=4:00:00 --mem=8G", ["--time=4:00:00", "--mem=8G"]),
        ("--comment='two words' -p gpu", ["--comment=two words", "-p", "gpu"]),
        ('--comment "it\'s $HOME; `id` *"', ["--comment", "it's $HOME; `id` *"]),
        ("--constraint='[rack1|rack2]' --exclude=a\\ b", ["--constraint=[rack1|rack2]", "--exclude=a b"]),
    ],
)
def test_each_job_gets_the_options_of_sbatch_word_by_word(
    context: StudyContext, tmp_path: Path, sbatch: str, words: list[str]
) -> None:
    """The script is run with a command in sbatch's place that writes each of its words on a line."""
    (tmp_path / "sbatch").write_text('#!/bin/sh\nprintf \'%s\\n\' "$@" >> words\necho "END" >> words\necho 1\n')
    (tmp_path / "sbatch").chmod(0o755)
    text = write_submission(context, "dnaspt study s.toml --out out", sbatch).read_text()
    script = tmp_path / "submit.sh"
    script.write_text(text.replace(f"cd {Path.cwd()}", f"cd {tmp_path}"))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", str(script)], check=True, env=os.environ | {"PATH": path}, timeout=60)
    calls = [call.strip().splitlines() for call in (tmp_path / "words").read_text().split("END\n")[:-1]]
    assert len(calls) == 4
    for call in calls:
        first = next(number for number, word in enumerate(call) if word.startswith("--job-name="))
        assert call[first - len(words) : first] == words
        assert (
            call[first + 1].startswith(f"--output={context.out.resolve()}/logs/slurm-") and call[first + 2] == "--wrap"
        )


def test_options_whose_quotes_do_not_end_are_refused(context: StudyContext) -> None:
    with pytest.raises(ConfigError, match=r"--sbatch \"--comment='two\": No closing quotation; see its quotes"):
        write_submission(context, "dnaspt study s.toml --out out", "--comment='two")
    assert not (context.out / "submit.sh").exists()
