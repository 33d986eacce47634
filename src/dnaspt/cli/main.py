"""The command line: every command calls one function, mostly of the Python API (`dnaspt.api`), and says what happened."""

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dnaspt import __version__
from dnaspt.cli.bend import bend_app
from dnaspt.cli.options import (
    HELP,
    Command,
    Commands,
    Config,
    Data,
    Fold,
    Json,
    Offline,
    Overwrite,
    TrustCode,
    UsageError,
    given,
    loci_of,
    names,
    option,
)
from dnaspt.cli.prepare import prepare_app
from dnaspt.cli.score import baseline, compare_annotations, decode, embed, evaluate, explain, predict, variants
from dnaspt.cli.study import study
from dnaspt.errors import DnasptError

if TYPE_CHECKING:
    from dnaspt.training.runs import Run

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings=HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Self-pretraining for DNA: pretrain on your own task's sequences, fine-tune on your labels, predict.\n\n"
    "The commands stand in their order of use. 'dnaspt COMMAND -h' shows the options of a command, and an example.",
)

Out = Annotated[Path, option("--out", "-o", metavar="RUN", help="Run folder to write.")]
Seed = Annotated[int | None, option(metavar="N", help="Seed of everything random.", default="0")]
Steps = Annotated[int | None, option(metavar="N", help="Optimizer steps; wins over --epochs.", default="by --epochs")]
BatchBp = Annotated[int | None, option(metavar="BP", help="Bases in a batch, over all devices.", default="16384")]
Patience = Annotated[
    int | None,
    option(metavar="N", help="Validations without a new best before the run stops.", default="0: never stop"),
]
Accumulate = Annotated[int | None, option(metavar="N", help="Batches in an optimizer step.", default="1")]
Minutes = Annotated[
    float | None, option(metavar="MINUTES", help="Stop and save after this time.", default="0: no limit")
]
Precision = Annotated[
    Literal["auto", "32", "bf16", "16"] | None, option(help="Number format of the encoder.", default="auto")
]
TrainingAccelerator = Annotated[
    Literal["auto", "cpu", "gpu"] | None,
    option(help="Where to train; auto takes a GPU if there is one.", default="auto"),
]
Devices = Annotated[int | None, option(metavar="N", help="GPUs or CPU processes on this node.", default="1")]
Nodes = Annotated[int | None, option(metavar="N", help="Nodes; SLURM and torchrun are detected.", default="1")]
Resume = Annotated[
    bool,
    option("--resume", help="Go on with a run that was broken off, or extend a finished one.", default="start anew"),
]


@app.callback(invoke_without_command=True)
def _options(
    verbose: Annotated[bool, option("--verbose", "-v", help="Say more.", default="warnings only")] = False,
    version: Annotated[bool, option("--version", help="Print the version and stop.", show_default=False)] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s" if verbose else "%(levelname)s: %(message)s",
    )
    if not verbose:  # Lightning announces precision and launch at every start, under its own logger's level
        logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    if version:
        typer.echo(__version__)
        raise typer.Exit


app.add_typer(prepare_app, name="prepare")


@app.command(cls=Command)
def pretrain(
    context: typer.Context,
    data: Data,
    out: Out,
    more_data: Annotated[
        list[Path] | None,
        option(metavar="DATA", help="Read the train sequences of this dataset, too; may be repeated.", default="none"),
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        option(
            metavar="DATA",
            help="Cut what is in valid and test of this dataset out of all that is read; may be repeated.",
            default="none",
        ),
    ] = None,
    config: Config = None,
    fold: Fold = None,
    preset: Annotated[
        Literal["paper", "base", "small", "tiny"] | None,
        option(help="Size of the encoder.", default="small"),
    ] = None,
    seed: Seed = None,
    steps: Steps = None,
    epochs: Annotated[float | None, option(metavar="N", help="Passes over the sequences.", default="24")] = None,
    batch_bp: BatchBp = None,
    learning_rate: Annotated[
        float | None,
        option("--learning-rate", "--lr", metavar="RATE", help="Peak learning rate.", default="0.002"),
    ] = None,
    mask_fraction: Annotated[
        float | None, option(metavar="SHARE", help="Share of the bases to mask.", default="0.15")
    ] = None,
    repeat_weight: Annotated[
        float | None, option(metavar="WEIGHT", help="Loss weight of soft-masked bases.", default="1")
    ] = None,
    patience: Patience = None,
    accumulate: Accumulate = None,
    max_minutes: Minutes = None,
    precision: Precision = None,
    accelerator: TrainingAccelerator = None,
    devices: Devices = None,
    num_nodes: Nodes = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train a language model on the sequences of a dataset.

    Masked bases are guessed from the bases around them. The train split is read, and unlabeled sequences if there
    are any; valid chooses the best weights. No label is read. With --more-data or --held-out, sequence that stands in a valid or
    test part is cut out.

    --resume with more --epochs or --steps extends a finished run: the steps that are left take the learning rates of a run of
    the new length, so the rate rises again and falls to its end.

    Example: dnaspt pretrain data/genes --out runs/pre --preset small
    """
    from dnaspt import api

    run = _saved_run(lambda: api.pretrain(**given(context), progress=True))
    _tell(run, f"{out}: nats per masked base on fixed positions of valid", as_json=as_json)


@app.command(cls=Command)
def finetune(
    context: typer.Context,
    data: Data,
    out: Out,
    encoder: Annotated[
        Path | None,
        option(metavar="RUN", help="Run of 'dnaspt pretrain' to begin from.", default="from scratch"),
    ] = None,
    head: Annotated[
        Literal["auto", "gene-model", "crf", "softmax", "sigmoid", "crf-unconstrained", "mse", "poisson"] | None,
        option(
            help="Task head; auto takes gene-model for genes (crf for BEND), sigmoid for windows, mse for numbers.",
            default="auto",
        ),
    ] = None,
    network: Annotated[
        Path | None,
        option(metavar="RUN", help="Gene model: run of a crf or softmax whose scores it adds.", default="none"),
    ] = None,
    genetic_code: Annotated[
        int | None,
        option(metavar="N", help="Gene model: NCBI's number, 1, 4, 6, 10 or 12.", default="as the dataset's"),
    ] = None,
    start_codons: Annotated[
        str | None,
        option(metavar="CODONS", callback=names, help="Gene model: start codons, with commas.", default="ATG"),
    ] = None,
    config: Config = None,
    fold: Fold = None,
    preset: Annotated[
        Literal["paper", "base", "small", "tiny", "onehot", "basset"] | None,
        option(
            help="Size of an encoder from scratch (a gene model reads letters without it); onehot and basset are BEND's.",
            default="small",
        ),
    ] = None,
    embeddings: Annotated[
        str | None,
        option(
            metavar="MODEL",
            help="A Hugging Face DNA model instead, frozen: a folder or a name on the hub.",
            default="none",
        ),
    ] = None,
    revision: Annotated[
        str | None, option(metavar="COMMIT", help="Commit of a name on the hub.", default="the newest")
    ] = None,
    seed: Seed = None,
    steps: Steps = None,
    epochs: Annotated[float | None, option(metavar="N", help="Passes over the data.", default="16")] = None,
    batch_bp: BatchBp = None,
    learning_rate: Annotated[
        float | None,
        option("--learning-rate", "--lr", metavar="RATE", help="Peak learning rate.", default="0.001; windows: 0.01"),
    ] = None,
    encoder_rate: Annotated[
        float | None,
        option(
            metavar="SHARE", help="Learning rate of the encoder as a share of the head's.", default="1; windows: 0.1"
        ),
    ] = None,
    freeze_encoder: Annotated[
        bool, option("--freeze-encoder", help="Train the head only.", default="train both")
    ] = False,
    class_weights: Annotated[
        Literal["none", "balanced"] | None,
        option(help="balanced: rare classes weigh more (softmax, sigmoid).", default="none"),
    ] = None,
    pool: Annotated[
        Literal["mean", "normalized"] | None,
        option(help="How the states of a window become one vector.", default="mean; windows: normalized"),
    ] = None,
    composition: Annotated[
        bool | None,
        option(
            "--composition/--no-composition",
            help="Windows: add what k-mers and Markov chains say.",
            default="on up to 32 labels",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        option(
            metavar="RUN", help="Windows: learn what this model predicts, such as an ensemble.", default="learn labels"
        ),
    ] = None,
    label_fraction: Annotated[
        float | None, option(metavar="SHARE", help="Share of the train split to learn from.", default="1")
    ] = None,
    choose_by: Annotated[
        Literal["auto", "mcc", "exon_f1", "gene_f1"] | None,
        option(help="Score on valid that chooses the checkpoint; auto takes mcc for genes.", default="auto"),
    ] = None,
    patience: Patience = None,
    accumulate: Accumulate = None,
    max_minutes: Minutes = None,
    precision: Precision = None,
    accelerator: TrainingAccelerator = None,
    devices: Devices = None,
    num_nodes: Nodes = None,
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train a model on the labels of a dataset.

    A pretrained encoder is fine-tuned together with a task head; without --encoder both are trained from scratch. The checkpoint
    with the best score on valid is kept.

    --resume with more --epochs or --steps extends a finished run: the steps that are left take the learning rates of a run of
    the new length, so the rate rises again and falls to its end.

    Genes get a gene model: it is estimated in a minute or two, and the encoder scores its splice sites, start and stop codons
    (without --encoder letters do). With --network the class scores of a fine-tuned crf or softmax are added.

    Example: dnaspt finetune data/genes --encoder runs/pre --out runs/genes
    """
    from dnaspt import api

    run = _saved_run(lambda: api.finetune(**given(context), progress=True))
    scored = "train: out of fold; valid" if run.result.is_estimated else "best checkpoint on valid"
    _tell(run, f"{out}: {scored}", as_json=as_json)


for command in (evaluate, predict, decode, embed, explain, variants, baseline, compare_annotations, study):
    app.command(cls=Command)(command)


@app.command(cls=Command)
def ensemble(
    context: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Runs of 'dnaspt finetune' on one dataset.")],
    data: Annotated[Path, option(metavar="DATA", help="Dataset folder.")],
    out: Annotated[Path, option("--out", "-o", metavar="RUN", help="Run folder to write.")],
    weights: Annotated[
        Literal["equal", "valid"],
        option(help="equal, or, for windows, those by which the labels of valid are most probable."),
    ] = "equal",
    composition: Annotated[bool, option("--composition", help="Windows: add what k-mers say.", default="off")] = False,
    fold: Fold = None,
    accelerator: TrainingAccelerator = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Join fine-tuned models to one.

    Models that differ, such as other seeds, make other mistakes, and their sum makes fewer. The ensemble is a run like any other:
    'dnaspt evaluate', 'predict' and 'variants' take it.

    Example: dnaspt ensemble runs/peaks0 runs/peaks1 runs/peaks2 --data data/peaks --out runs/peaks
    """
    from dnaspt import api

    _tell(api.ensemble(**given(context)), f"{out}: valid", as_json=as_json)


@app.command(cls=Command)
def report(
    context: typer.Context,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Evaluated runs, one or several, in the order to show them.")
    ],
    data: Annotated[Path, option(metavar="DATA", help="Dataset folder.")],
    out: Annotated[Path, option("--out", "-o", metavar="FILE", help="HTML file to write.")],
    pretrain: Annotated[Path | None, option(metavar="RUN", help="The pretraining run.", default="leave it out")] = None,
    baselines: Annotated[
        list[Path] | None,
        option(
            "--baseline",
            metavar="FOLDER",
            help="Folder of 'dnaspt baseline' to show, too; may be repeated.",
            default="none",
        ),
    ] = None,
    loci: Annotated[
        str | None,
        option(
            metavar="NAMES",
            callback=loci_of,
            help="Logos of 'dnaspt explain' to draw, with commas: names of windows, or chr1:5001-5100.",
            default="windows of the highest prediction",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare evaluated runs in one HTML file.

    It has tables of scores, curves, and example loci in an interactive view: annotation, predictions, posteriors, labels.

    Example: dnaspt report runs/scratch runs/spt --pretrain runs/pre --data data/genes --out report.html
    """
    from dnaspt import api
    from dnaspt.cli.terminal import show

    written = api.report(**given(context))
    show(f"{written}: written; its figures also lie in {written.stem}_figures")


@app.command(cls=Command)
def browse(
    context: typer.Context,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|RUN",
            help="GFF3, GTF, BED, bigWig, bedGraph and VCF files, runs of 'dnaspt finetune', folders of baselines.",
        ),
    ] = None,
    *,
    genome: Annotated[Path, option(metavar="FASTA", help="Genome: plain, gzip or bgzip.")],
    locus: Annotated[
        str | None,
        option(
            metavar="LOCUS",
            help="What to show first: CONTIG, CONTIG:POSITION or CONTIG:FIRST-LAST, from 1.",
            default="the first row of a file",
        ),
    ] = None,
    port: Annotated[
        int | None, option(metavar="N", help="Port of this machine to serve on.", default="a free one")
    ] = None,
    no_open: Annotated[
        bool, option("--no-open", help="Do not open the page in a web browser.", default="open it")
    ] = False,
) -> None:
    """Look at a genome, annotation and predictions.

    Shows any locus in a web browser (igv.js). Runs predict where you look. The page is served on 127.0.0.1, until Ctrl-C, to this
    machine alone; nothing is loaded from the network.

    Example: dnaspt browse genes.gff3 runs/genes --genome g.fa --locus chr1:1-20,000
    """
    from dnaspt import api
    from dnaspt.cli.terminal import open_in_browser, show

    settings = given(context)
    settings.pop("no_open", None)
    with api.browse(settings.pop("inputs", ()), **settings) as browser:
        try:
            for name in browser.tracks:
                show(f"track: {name}")
            show(f"{genome} at {browser.locus}: {browser.url}")
            show("Ctrl-C ends it.")
            if not no_open:
                open_in_browser(browser.url)
            browser.wait()
        except KeyboardInterrupt:
            show("ended")


@app.command(cls=Command)
def inspect(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="Dataset folder, run or baseline.")],
    as_json: Json = False,
) -> None:
    """Describe a dataset, a run or a baseline.

    A dataset: its size, class balance, what was dropped and why, leakage between splits. A run: its settings and scores.

    Example: dnaspt inspect data/genes
    """
    from dnaspt import api
    from dnaspt.cli.terminal import print_json, show_tables

    about = api.inspect(**given(context))
    if as_json:
        print_json(about.to_dict())
    else:
        show_tables(about.tables)


@app.command(cls=Command)
def simulate(
    context: typer.Context,
    out: Annotated[Path, option("--out", "-o", metavar="FOLDER", help="Folder to write.")],
    n_contigs: Annotated[int | None, option(metavar="N", help="Contigs.", default="4")] = None,
    contig_bp: Annotated[int | None, option(metavar="BP", help="Length of each contig.", default="150000")] = None,
    seed: Seed = None,
    config: Config = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Simulate a small genome with known truth.

    Writes its sequence, genes, peaks with their motifs, and methylation (FASTA, GFF3, BED, bedMethyl) for a first trial.

    Example: dnaspt simulate --out demo/genome
    """
    from dnaspt import api
    from dnaspt.cli.terminal import show_summary

    show_summary(f"{out}: simulated", api.simulate(**given(context)).model_dump(mode="json"), as_json=as_json)


@app.command(cls=Command)
def export(
    context: typer.Context,
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run or checkpoint; with --push also an exported folder, as it is.")
    ],
    to: Annotated[
        Path | None, option("--to", "--out", "-o", metavar="FOLDER", help="Folder to write.", default="--push alone")
    ] = None,
    push: Annotated[
        str | None,
        option(metavar="OWNER/NAME", help="Upload to the Hugging Face hub, as who is logged in.", default="no upload"),
    ] = None,
    license: Annotated[
        str | None,
        option(metavar="WORD", help="Licence as the hub calls it: mit, apache-2.0, cc-by-4.0.", default="unknown"),
    ] = None,
    datasets: Annotated[
        str | None,
        option(
            "--dataset",
            metavar="NAMES",
            callback=names,
            help="Names of the data on the hub, with commas.",
            default="none",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        option(metavar="DATA", help="Dataset folder, for the card.", default="where the run found it"),
    ] = None,
    public: Annotated[
        bool, option("--public", help="Let everybody see what is pushed.", default="the owner alone")
    ] = False,
    format: Annotated[
        Literal["hub", "bend"], option(help="bend: a pretrained model as BEND's ConvNet, without a card.")
    ] = "hub",
    offline: Offline = False,
    overwrite: Annotated[
        bool, option("--overwrite", help="Replace an exported folder, and a model on the hub.", default="keep them")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a run for others, with a model card.

    The folder holds safetensors, config.json and README.md, and is a checkpoint like any other. After 'import
    dnaspt.transformers', AutoModel and AutoTokenizer load it, too. What the card says comes from the run: data, splits, scores.

    Example: dnaspt export runs/genes --to my_genes --license cc-by-4.0

    Example: dnaspt export my_genes --push me/my_genes
    """
    from dnaspt import api
    from dnaspt.cli.terminal import show_summary

    exported = api.export(**given(context))
    show_summary(f"{to or push}: written", exported.summary(), as_json=as_json)


app.add_typer(bend_app, name="bend")


def _saved_run(train: Callable[[], "Run"]) -> "Run":
    """The run of a training, also of one that a signal has stopped."""
    from dnaspt.training.runs import RunStopped

    try:
        return train()
    except RunStopped as stop:
        return stop.run


def _has_result(run: "Run") -> bool:
    """Whether there are scores to show: those of a finished run, or of one that time has stopped."""
    return bool(run.scores) and run.rank == 0 and (run.finished or run.stopped_by == "time")


def _tell(run: "Run", title: str, *, as_json: bool) -> None:
    """Show the scores of a run, and how to go on after a stop; a signal ends with the shell's code for it."""
    from dnaspt.cli.terminal import mapping_table, print_json, show

    if as_json and run.rank == 0:
        content = {"path": run.path, "finished": run.finished, "stopped_by": run.stopped_by or None}
        print_json(content | {"result": run.result.to_dict()})
    elif _has_result(run):
        mapping_table(title, run.result.summary())
    if run.finished:
        return
    if run.rank == 0:
        show(f"stopped by {run.stopped_by} at step {run.step}; go on with the same command and --resume")
    codes = {"SIGINT": 130, "SIGTERM": 143}
    raise typer.Exit(codes.get(run.stopped_by, 0))


def _usage_line(error: Any) -> str:
    """What is wrong with the words of a command line, as one line; the help where there are no words."""
    if (message := error.format_message()).startswith("Usage:"):
        return f"{message}\n"
    message = " ".join(message.replace("Value error, ", "").split()).rstrip(".")
    see = f"{' See' if message.endswith('?') else '; see'} '{error.ctx.command_path} -h'" if error.ctx else ""
    return f"error: {message}{see}\n"


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line: a user's error is one line and exit code 2 (76: training diverged).

    SIGTERM ends as Ctrl-C does, with nothing half-written. Letters that the terminal does not have are shown by their numbers.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.platform == "darwin":  # read when PyTorch is imported: what Apple's GPU cannot do, the CPU does
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(app(prog_name="dnaspt", standalone_mode=False))
    except UsageError as error:
        sys.stderr.write(_usage_line(error))
        sys.exit(2)
    except DnasptError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
