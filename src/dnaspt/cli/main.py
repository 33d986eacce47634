"""The command line: each command builds a config, calls one function, says what happened. torch is imported late."""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnaspt import __version__
from dnaspt.cli.bend import bend_app
from dnaspt.cli.prepare import prepare_app
from dnaspt.cli.score import Offline, TrustCode, baseline, evaluate, predict, variants
from dnaspt.cli.study import study
from dnaspt.errors import DnasptError
from dnaspt.policy import allow

if TYPE_CHECKING:
    from dnaspt.training.runs import Run

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Self-pretraining for DNA: pretrain on your own task's sequences, fine-tune, predict.",
)
app.add_typer(prepare_app, name="prepare")
app.add_typer(bend_app, name="bend")

Config = Annotated[Path | None, typer.Option("--config", help="TOML file with any setting; options win.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Steps = Annotated[int | None, typer.Option(help="Optimizer steps; wins over --epochs.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the data.")]
BatchBp = Annotated[int | None, typer.Option(help="Bases per batch, over all devices.")]
Rate = Annotated[float | None, typer.Option("--learning-rate", "--lr", help="Peak learning rate.")]
Preset = Annotated[str | None, typer.Option(help="Encoder size: paper, base, small or tiny.")]
Minutes = Annotated[float | None, typer.Option(help="Stop and save after so many minutes.")]
Patience = Annotated[int | None, typer.Option(help="Validations without a new best before stopping.")]
Accumulate = Annotated[int | None, typer.Option(help="Batches per optimizer step.")]
Precision = Annotated[str | None, typer.Option(help="auto, 32, bf16 or 16.")]
Devices = Annotated[int | None, typer.Option(help="GPUs or CPU processes on this node.")]
Nodes = Annotated[int | None, typer.Option(help="Nodes (SLURM and torchrun are detected).")]
Accelerator = Annotated[str | None, typer.Option(help="auto, cpu or gpu.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a broken-off run stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace --out.")]


@app.callback(invoke_without_command=True)
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    if not verbose:  # Lightning announces precision and launch at every start, under its own logger's level
        logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def pretrain(
    data: Annotated[Path, typer.Argument(help="Dataset folder made by 'dnaspt prepare'.")],
    out: Out,
    config: Config = None,
    preset: Preset = None,
    seed: Seed = None,
    steps: Steps = None,
    epochs: Epochs = None,
    batch_bp: BatchBp = None,
    learning_rate: Rate = None,
    mask_fraction: Annotated[float | None, typer.Option(help="Share of bases to mask.")] = None,
    repeat_weight: Annotated[float | None, typer.Option(help="Loss weight of soft-masked bases.")] = None,
    patience: Patience = None,
    accumulate: Accumulate = None,
    max_minutes: Minutes = None,
    precision: Precision = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    num_nodes: Nodes = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Pretrain a masked language model on the dataset's own train sequences.

    Example: dnaspt pretrain data/genes --out runs/pre --preset small
    """
    options = _given(locals())
    from dnaspt.cli.terminal import RichReporter, mapping_table
    from dnaspt.config import PretrainConfig, build_config
    from dnaspt.training.pretrain import pretrain as train

    settings = build_config(PretrainConfig, options, config)
    run = train(settings, resume=resume, overwrite=overwrite, reporter=RichReporter("pretrain"))
    if _has_result(run):
        mapping_table(f"{out}: nats per masked base on fixed valid positions", run.result.summary())
    _say_if_stopped(run)


@app.command()
def finetune(
    data: Annotated[Path, typer.Argument(help="Dataset folder made by 'dnaspt prepare'.")],
    out: Out,
    encoder: Annotated[Path | None, typer.Option(help="Run of 'dnaspt pretrain'; left out: from scratch.")] = None,
    head: Annotated[str | None, typer.Option(help="crf, softmax or sigmoid; default by task.")] = None,
    config: Config = None,
    preset: Annotated[
        str | None, typer.Option(help="Encoder size: paper, base, small or tiny; or a baseline: onehot, basset.")
    ] = None,
    embeddings: Annotated[
        str | None, typer.Option(help="A published DNA language model instead, frozen: a folder or a name on the hub.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a name on the hub.")] = None,
    seed: Seed = None,
    steps: Steps = None,
    epochs: Epochs = None,
    batch_bp: BatchBp = None,
    learning_rate: Rate = None,
    encoder_rate: Annotated[float | None, typer.Option(help="Encoder's rate as a share of the head's.")] = None,
    freeze_encoder: Annotated[bool | None, typer.Option("--freeze-encoder", help="Train the head only.")] = None,
    class_weights: Annotated[str | None, typer.Option(help="none or balanced.")] = None,
    pool: Annotated[str | None, typer.Option(help="mean or normalized: of the vectors of a window.")] = None,
    label_fraction: Annotated[float | None, typer.Option(help="Share of the train windows to learn from.")] = None,
    patience: Patience = None,
    accumulate: Accumulate = None,
    max_minutes: Minutes = None,
    precision: Precision = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    num_nodes: Nodes = None,
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Fine-tune a pretrained encoder with a task head, or train both from scratch.

    Example: dnaspt finetune data/genes --encoder runs/pre --head crf --out runs/genes
    """
    options = _given(locals())
    allow(trust_remote_code=options.pop("trust_remote_code"), offline=options.pop("offline"))
    from dnaspt.cli.terminal import RichReporter, mapping_table
    from dnaspt.config import FinetuneConfig, build_config
    from dnaspt.training.finetune import finetune as train

    settings = build_config(FinetuneConfig, options, config)
    run = train(settings, resume=resume, overwrite=overwrite, reporter=RichReporter("finetune"))
    if _has_result(run):
        mapping_table(f"{out}: best checkpoint on valid", run.result.summary())
    _say_if_stopped(run)


for command in (evaluate, predict, variants, baseline, study):
    app.command()(command)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    n_contigs: Annotated[int | None, typer.Option(help="Contigs.")] = None,
    contig_bp: Annotated[int | None, typer.Option(help="Length of each.")] = None,
    seed: Seed = None,
    config: Config = None,
    overwrite: Overwrite = False,
) -> None:
    """Simulate a small genome with known genes, peaks and methylation (FASTA, GFF3, BED, bedMethyl).

    Example: dnaspt simulate --out demo/genome
    """
    options = _given(locals())
    from dnaspt.cli.terminal import mapping_table
    from dnaspt.config import build_config
    from dnaspt.simulation.simulate import SimulateConfig
    from dnaspt.simulation.simulate import simulate as run

    summary = run(build_config(SimulateConfig, options | {"overwrite": overwrite}, config))
    mapping_table(f"{out}: simulated", summary.model_dump(mode="json"))


@app.command()
def inspect(path: Annotated[Path, typer.Argument(help="Dataset folder or run.")]) -> None:
    """Describe a dataset folder or a run.

    Example: dnaspt inspect data/genes
    """
    from dnaspt.cli.inspect import inspect as describe

    describe(path)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt pretrain'.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
) -> None:
    """Write a pretrained model in the format of BEND's ConvNet (`--encoder` reads that format too).

    Example: dnaspt export runs/pre --out bend_model
    """
    from dnaspt.checkpoint import export_bend
    from dnaspt.cli.terminal import show

    export_bend(run, out)
    show(f"{out}: written")


@app.command()
def report(
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    data: Annotated[Path, typer.Option(help="Dataset folder.")],
    runs: Annotated[list[Path], typer.Argument(help="Evaluated runs, in the order to show them.")],
    pretrain: Annotated[Path | None, typer.Option(help="The pretraining run.")] = None,
) -> None:
    """Compare evaluated runs in one HTML file: tables, training curves, a drawn locus.

    Example: dnaspt report runs/scratch runs/spt --pretrain runs/pre --data data/genes --out report.html
    """
    from dnaspt.cli.terminal import show
    from dnaspt.reports.run_page import write_report

    write_report(out, data, runs, pretrain)
    show(f"{out}: written")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are settings of a run."""
    return {name: value for name, value in options.items() if name not in ("config", "resume", "overwrite")}


def _has_result(run: "Run") -> bool:
    """Whether there are scores to show: those of a finished run, or of one that time has stopped."""
    return bool(run.scores) and run.rank == 0 and (run.finished or run.stopped_by == "time")


def _say_if_stopped(run: "Run") -> None:
    """Say how to go on after a stop; a signal ends with the shell's code for it."""
    if run.finished:
        return
    from dnaspt.cli.terminal import show

    if run.rank == 0:
        show(f"stopped by {run.stopped_by} at step {run.step}; go on with the same command and --resume")
    codes = {"SIGINT": 130, "SIGTERM": 143}
    raise typer.Exit(codes.get(run.stopped_by, 0))


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    """Entry point: a user's error is one line and exit code 2 (76: training diverged).

    SIGTERM ends as Ctrl-C does, with nothing half-written.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except DnasptError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
