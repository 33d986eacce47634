"""The command line: each command builds a config, calls one function, says what happened. torch is imported late."""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer

from dnaspt import __version__
from dnaspt.cli_bend import bend_app
from dnaspt.cli_prepare import prepare_app
from dnaspt.cli_study import study
from dnaspt.errors import DnasptError
from dnaspt.permits import OFFLINE, TRUST, allow

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
TrustCode = Annotated[
    bool,
    typer.Option("--trust-remote-code", envvar=TRUST, help="Let a published model that brings its own code run it."),
]
Offline = Annotated[
    bool, typer.Option("--offline", envvar=OFFLINE, help="Take published models from disk; never touch the network.")
]


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
    from dnaspt.config import PretrainConfig, build_config
    from dnaspt.display import RichReporter, mapping_table
    from dnaspt.training.pretrain import pretrain as run

    settings = build_config(PretrainConfig, options, config)
    outcome, result = run(settings, resume=resume, overwrite=overwrite, reporter=RichReporter("pretrain"))
    mapping_table(f"{out}: nats per masked base on fixed valid positions", result)
    _say_if_stopped(outcome)


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
    from dnaspt.config import FinetuneConfig, build_config
    from dnaspt.display import RichReporter, mapping_table
    from dnaspt.training.finetune import finetune as run

    settings = build_config(FinetuneConfig, options, config)
    outcome, result = run(settings, resume=resume, overwrite=overwrite, reporter=RichReporter("finetune"))
    mapping_table(f"{out}: best checkpoint on valid", result)
    _say_if_stopped(outcome)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt finetune'.")],
    data: Annotated[Path, typer.Option(help="Dataset folder.")],
    split: Annotated[str, typer.Option(help="test or valid.")] = "test",
    average_strands: Annotated[bool, typer.Option("--average-strands", help="Average over both strands.")] = False,
    any_data: Annotated[bool, typer.Option("--any-data", help="Accept a model trained on another dataset.")] = False,
    accelerator: Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="Where to compute.")] = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Score a run on a split: MCC or AUROC and AUPRC with 95 % intervals, gene structures for genes.

    Example: dnaspt evaluate runs/genes --data data/genes --split test
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dnaspt.evaluation.evaluate import evaluate as score
    from dnaspt.inspection import show_evaluation

    result = score(run, data, split=split, any_data=any_data, average_strands=average_strands, accelerator=accelerator)
    show_evaluation(result, str(run))


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt finetune'.")],
    genome: Annotated[Path, typer.Option(help="FASTA: plain, gzip or bgzip.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="genes: .gff3; windows: .bed, .bw or .parquet.")],
    regions: Annotated[Path | None, typer.Option(help="BED of the stretches to predict.")] = None,
    stride_bp: Annotated[int, typer.Option(help="Windows: step along the contig.")] = 128,
    threshold: Annotated[float, typer.Option(help="Windows: probability from which a BED row is written.")] = 0.5,
    average_strands: Annotated[bool, typer.Option("--average-strands", help="Average over both strands.")] = False,
    codons: Annotated[
        bool,
        typer.Option(
            "--codons/--no-codons", help="Genes of a CRF: start and stop codons, frame, GT-AG or GC-AG introns."
        ),
    ] = True,
    complete_genes: Annotated[
        bool, typer.Option("--complete-genes", help="With codons: no gene goes on beyond its contig.")
    ] = False,
    accelerator: Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="Where to compute.")] = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Predict on a FASTA file: genes to GFF3, window labels to BED, bigWig or Parquet.

    Example: dnaspt predict runs/genes --genome new.fa --out genes.gff3
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dataclasses import asdict

    from dnaspt.display import mapping_table
    from dnaspt.evaluation.predict_file import PredictOptions, predict_file

    options = PredictOptions(stride_bp, threshold, average_strands, codons, complete_genes, accelerator)
    summary = predict_file(run, genome, out, options, regions=regions)
    mapping_table(f"{out}: written", asdict(summary))


@app.command()
def variants(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt pretrain' or 'dnaspt finetune'.")],
    vcf: Annotated[Path, typer.Option(help="VCF, plain, gzip or bgzip.")],
    genome: Annotated[Path, typer.Option(help="FASTA: plain, gzip or bgzip.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Scored variants: .vcf, .vcf.gz or .parquet.")],
    window_bp: Annotated[
        int | None, typer.Option(help="Letters around an allele [a model of windows: its own; else 512].")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A REF that differs from the genome is an error.")] = False,
    accelerator: Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="Where to compute.")] = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Score variants, both strands averaged: by what an allele does to hidden states (SPT_COSINE), and to the language model's
    likelihood (SPT_LLR, pretrained runs) or to each label (SPT_DELTA, fine-tuned runs).

    Example: dnaspt variants runs/pre --vcf calls.vcf.gz --genome g.fa --out scored.vcf.gz
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dnaspt.display import mapping_table
    from dnaspt.evaluation.variant_file import score_file

    summary = score_file(run, vcf, genome, out, window_bp=window_bp, strict=strict, accelerator=accelerator)
    counts = {"records": summary.records, "alleles scored": summary.scored, **summary.not_scored}
    mapping_table(f"{out}: written", counts)


app.command()(study)


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
    from dnaspt.config import build_config
    from dnaspt.data.simulate import SimulateConfig
    from dnaspt.data.simulate import simulate as run
    from dnaspt.display import mapping_table

    summary = run(build_config(SimulateConfig, options | {"overwrite": overwrite}, config))
    mapping_table(f"{out}: simulated", summary.model_dump(mode="json"))


@app.command()
def inspect(path: Annotated[Path, typer.Argument(help="Dataset folder or run.")]) -> None:
    """Describe a dataset folder or a run.

    Example: dnaspt inspect data/genes
    """
    from dnaspt.inspection import inspect as describe

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
    from dnaspt.display import show

    export_bend(run, out)
    show(f"{out}: written")


@app.command()
def baseline(
    data: Annotated[Path, typer.Argument(help="Dataset folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the scores.")],
    model: Annotated[
        str, typer.Option(help="Windows: kmer (logistic regression on counts), markov (two chains), cpg (CpG count).")
    ] = "kmer",
    annotation: Annotated[
        Path | None, typer.Option(help="Genes: GFF3 or GTF that another tool predicted on the dataset's contigs.")
    ] = None,
    species: Annotated[str, typer.Option(help="Genes: run AUGUSTUS with this species model.")] = "",
    k: Annotated[int | None, typer.Option("-k", help="Length of k-mers [4], or order of a chain [by valid].")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score on the test split what a model has to beat: composition for windows, another tool's genes for genes.

    Example: dnaspt baseline data/peaks --out runs/kmers
    """
    from dnaspt.display import show

    if annotation is not None or species:
        from dnaspt.evaluation.other_genes import score_other_genes
        from dnaspt.inspection import show_evaluation

        found = score_other_genes(data, out, annotation=annotation, species=species, overwrite=overwrite)
        show_evaluation(found, str(out))
        return
    from dnaspt.evaluation.baseline import run_baseline

    scores = run_baseline(data, out, model=model, k=k, overwrite=overwrite)
    area, count = scores["mean_auroc"], scores["cpg_count"]["mean_auroc"]
    show(
        f"mean test AUROC {area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}] (CpG count {count['value']:.3f}); {out}"
    )


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
    from dnaspt.display import show
    from dnaspt.report.page import write_report

    write_report(out, data, runs, pretrain)
    show(f"{out}: written")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are settings of a run."""
    return {name: value for name, value in options.items() if name not in ("config", "resume", "overwrite")}


def _say_if_stopped(outcome: Any) -> None:
    """Say how to go on after a stop; a signal ends with the shell's code for it."""
    if outcome.finished:
        return
    from dnaspt.display import show

    if outcome.rank == 0:
        show(
            f"stopped by {outcome.stopped_by} at step {outcome.progress.step}; go on with the same command and --resume"
        )
    codes = {"SIGINT": 130, "SIGTERM": 143}
    raise typer.Exit(codes.get(outcome.stopped_by, 0))


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    """Entry point: a user's error is one line and exit code 2; SIGTERM ends as Ctrl-C does, with nothing half-written."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except DnasptError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
