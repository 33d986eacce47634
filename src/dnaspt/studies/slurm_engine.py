"""A study as three SLURM job arrays, one after another: pretraining, choosing rates, final runs; then the report."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from dnaspt.atomic import write_text_atomically
from dnaspt.studies.context import STAGES, Workshop
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
    after=--dependency=afterok:$(sbatch --parsable $after $more $options --job-name="dnaspt-$name" \\
        --output={logs}/slurm-$name-%a.log --wrap "$study $what")
}}
{arrays}
submit report '' ''
"""


def write_submission(shop: Workshop, study: Sequence[str], options: str) -> Path:
    """Write submit.sh where the runs are made.

    Args:
        shop: where the runs are made; all nodes must see its folders.
        study: arguments of `dnaspt study` for every run.
        options: of sbatch, as one text ("--time=4:00:00 --gpus=1").
    """
    out = shop.out.resolve()
    (out / "logs").mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "dnaspt", "study", *study]
    arrays = [
        f"submit {stage} --array=0-{n - 1} '--stage {stage} --task $SLURM_ARRAY_TASK_ID'"
        for stage in STAGES
        if (n := n_jobs(shop, stage))
    ]
    script = _SCRIPT.format(
        here=shlex.quote(str(Path.cwd())),
        study=shlex.quote(shlex.join(words)),
        options=shlex.quote(shlex.join(shlex.split(options))),
        logs=shlex.quote(str(out / "logs")),
        arrays="\n".join(arrays),
    )
    file = shop.out / "submit.sh"
    write_text_atomically(file, script)
    file.chmod(0o755)
    return file
