"""A study as three SLURM job arrays, one after another: pretraining, choosing rates, final runs; then the report."""

import os
import shlex
import sys
from pathlib import Path

from dnaspt.atomic import write_text_atomically
from dnaspt.errors import ConfigError
from dnaspt.security import is_offline, may_run_code
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import STAGES
from dnaspt.studies.scheduler import n_jobs

_SCRIPT = """\
#!/bin/sh
# Made by 'dnaspt study'. Run it where sbatch is: each array waits for the one before. Submitted again, it goes on where runs
# were broken off; finished ones are skipped.
set -eu
cd {here}
study={study}
options={options}
after=
submit() {{ # name, further options, and what runs
    name=$1 more=$2 what=$3
    eval "set -- $options" # words in quotes stay whole
    after=--dependency=afterok:$(sbatch --parsable $after $more "$@" --job-name="dnaspt-$name" \\
        --output={logs}/slurm-$name-%a.log --wrap "$study $what")
}}
{arrays}
submit report '' ''
"""


def study_command(config: Path, out: Path, *, records: Path | None = None, data: Path | None = None) -> str:
    """The command of a study for a shell, with absolute paths and the switches of this process.

    Args:
        config: TOML file of the study.
        out: value of --out.
        records: value of --records; left out, the option is.
        data: value of --data; left out, the option is.
    """
    paths = {"--out": out, "--records": records, "--data": data}
    words = [word for name, path in paths.items() if path is not None for word in (name, os.path.abspath(path))]
    switches = {"--trust-remote-code": may_run_code(), "--offline": is_offline()}
    return shlex.join(
        ["dnaspt", "study", os.path.abspath(config), *words, *(name for name, is_on in switches.items() if is_on)]
    )


def write_submission(context: StudyContext, command: str, sbatch: str = "") -> Path:
    """Write OUT/submit.sh.

    Args:
        context: where the runs are made; all nodes must see its folders.
        command: the study's command, as `study_command` gives it; each job adds its stage and its run.
        sbatch: options of sbatch, as one text ("--time=4:00:00 --gpus=1"); one with blanks in quotes, as in a shell.

    Returns:
        The script, which can be run.

    Raises:
        ConfigError: a quote of the options does not end.
    """
    try:
        options = shlex.join(shlex.split(sbatch))
    except ValueError as error:
        raise ConfigError(f"--sbatch {sbatch!r}: {error}; see its quotes") from error
    out = context.out.resolve()
    (out / "logs").mkdir(parents=True, exist_ok=True)
    arrays = [
        f"submit {stage} --array=0-{n - 1} '--stage {stage} --task $SLURM_ARRAY_TASK_ID'"
        for stage in STAGES
        if (n := n_jobs(context, stage))
    ]
    python = shlex.join([sys.executable, "-m", "dnaspt"])
    script = _SCRIPT.format(
        here=shlex.quote(str(Path.cwd())),
        study=shlex.quote(f"{python} {command.removeprefix('dnaspt ')}"),
        options=shlex.quote(options),
        logs=shlex.quote(str(out / "logs").replace("%", "%%")),  # sbatch has patterns with % in the names of logs
        arrays="\n".join(arrays),
    )
    file = context.out / "submit.sh"
    write_text_atomically(file, script)
    file.chmod(0o755)
    return file
