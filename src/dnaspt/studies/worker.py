"""What a worker does for a run of a study: it reads one instruction from a file and calls one function of the package.

`python -m dnaspt.studies.worker FILE` does so in a process of its own; `work` does the same in this one. Progress and errors go
to the log. A worker ends with 0, with the code of an error (2; 76 where training diverged), or with 143 or 130 after a signal.
"""

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from dnaspt.atomic import write_text_atomically
from dnaspt.config import EnsembleConfig, FinetuneConfig, PretrainConfig, Settings
from dnaspt.errors import DnasptError, InputError

if TYPE_CHECKING:
    from dnaspt.training.runs import Run

log = logging.getLogger("dnaspt.studies.worker")  # its name also where the module is run as a program

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_STOP_CODES = {"SIGINT": 130, "SIGTERM": 143}
"""Exit codes of a training that a signal stopped, as in a shell: 128 + number of the signal."""


class Pretrain(Settings):
    """Pretrain an encoder."""

    action: Literal["pretrain"]
    config: PretrainConfig
    resume: bool
    """Go on with a run that was broken off."""


class Finetune(Settings):
    """Fine-tune a model, or train it from scratch."""

    action: Literal["finetune"]
    config: FinetuneConfig
    resume: bool
    """Go on with a run that was broken off."""


class Ensemble(Settings):
    """Join fine-tuned models to one; what was left behind there is replaced."""

    action: Literal["ensemble"]
    config: EnsembleConfig


class Evaluate(Settings):
    """Score a run on the test split."""

    action: Literal["evaluate"]
    run: Path
    """Folder of the run."""
    data: Path
    """Dataset folder."""
    fold: int = 0
    """Fold that is scored, from 1; 0 where the splits are fixed."""


class Baseline(Settings):
    """Fit a baseline and score it on the test split."""

    action: Literal["baseline"]
    data: Path
    """Dataset folder."""
    out: Path
    """Folder to write; what was left behind there is replaced."""
    model: str
    """kmer, markov, cpg or augustus; "" where a species is given."""
    species: str
    """Model of AUGUSTUS's authors; "" for none."""
    fold: int = 0
    """Fold that it is fitted and scored on, from 1; 0 where the splits are fixed."""


Instruction = Pretrain | Finetune | Ensemble | Evaluate | Baseline
"""One thing to do for a run."""
_INSTRUCTION: TypeAdapter[Instruction] = TypeAdapter(Annotated[Instruction, Field(discriminator="action")])


def write_instruction(file: Path, instruction: Instruction) -> None:
    """Write an instruction for a worker. Only settings that were set are written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(file, instruction.model_dump_json(indent=1, exclude_unset=True) + "\n")


def read_instruction(file: Path) -> Instruction:
    """Read an instruction.

    Raises:
        InputError: the file is not there, or is not a valid instruction file.
    """
    try:
        return _INSTRUCTION.validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(file, error.strerror or str(error), expected="an instruction for a run of a study") from error
    except ValidationError as error:
        problem = f"not a valid instruction file ({error.errors()[0]['msg']})"
        raise InputError(file, problem, do="run the study again, which writes it") from error


def work(file: Path) -> int:
    """Do what an instruction says; progress and errors are logged. Returns the exit code."""
    try:
        return _carry_out(read_instruction(file))
    except DnasptError as error:
        log.error("%s", error)
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        log.error("%s%s", where, error.strerror or error)
        return DnasptError.exit_code
    except Exception:
        log.exception("unexpected error")
        return 1


def _carry_out(instruction: Instruction) -> int:
    """Call the function that an instruction names. What needs torch is imported here, after signals are handled."""
    if isinstance(instruction, Pretrain):
        from dnaspt.training.pretrain import pretrain

        return _code_of(pretrain(instruction.config, resume=instruction.resume, reporter=LogReporter("pretrain")))
    if isinstance(instruction, Finetune):
        from dnaspt.training.finetune import finetune

        return _code_of(finetune(instruction.config, resume=instruction.resume, reporter=LogReporter("finetune")))
    if isinstance(instruction, Ensemble):
        from dnaspt.training.ensemble import ensemble

        return _code_of(ensemble(instruction.config, overwrite=True))
    if isinstance(instruction, Evaluate):
        from dnaspt.evaluation.evaluate import evaluate

        log.info("%s", evaluate(instruction.run, instruction.data, fold=instruction.fold))
        return 0
    from dnaspt.baselines.baseline import run_baseline

    scores = run_baseline(
        instruction.data,
        instruction.out,
        model=instruction.model,
        species=instruction.species,
        fold=instruction.fold,
        overwrite=True,
    )
    log.info("%s", scores)
    return 0


def _code_of(run: "Run") -> int:
    """Exit code of a training, and how it ended in the log."""
    if run.finished:
        log.info("%s", run)
    elif run.rank == 0:
        log.info("stopped by %s at step %d; run the study again to go on", run.stopped_by, run.step)
    return 0 if run.finished else _STOP_CODES.get(run.stopped_by, 1)


class LogReporter:
    """Progress of a training as lines of the log, one for every tenth of the steps.

    Args:
        title: what is trained.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._n_steps = 0
        self._next_line = 0

    def start(self, n_steps: int, step: int) -> None:
        """A run of `n_steps` steps begins (or goes on) at `step`."""
        self._n_steps, self._next_line = n_steps, step

    def update(self, step: int, row: dict[str, float]) -> None:
        """A step is done; `row` holds the newest numbers by name."""
        if step >= self._next_line or step == self._n_steps:
            numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
            log.info("%s: step %d/%d, %s", self.title, step, self._n_steps, numbers)
            self._next_line = step + max(1, self._n_steps // 10)

    def note(self, text: str) -> None:
        """A part of a run that has no steps is done: it is logged where it is done."""

    def stop(self) -> None:
        """The run is over."""


def main(arguments: Sequence[str]) -> int:
    """Work on the instruction file that is named, as a process of its own: the log goes to stderr.

    SIGTERM ends it as Ctrl-C does, with nothing half-written.
    """
    signal.signal(signal.SIGTERM, _terminate)
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("dnaspt").setLevel(logging.INFO)
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)  # announces each start
    return work(Path(arguments[0]))


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
