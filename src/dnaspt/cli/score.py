"""The commands that use models, or score without one: evaluate, predict, variants, baseline, compare-annotations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dnaspt.cli.options import (
    Accelerator,
    Fold,
    Json,
    NameColumn,
    Offline,
    Overwrite,
    SequenceColumn,
    TrustCode,
    given,
    loci_of,
    names,
    option,
)
from dnaspt.errors import ConfigError
from dnaspt.words import words_of

if TYPE_CHECKING:
    from dnaspt.evaluation.results import Evaluation

Genome = Annotated[Path, option(metavar="FASTA", help="Genome: plain, gzip or bgzip.")]
BothStrands = Annotated[
    bool | None,
    option(
        "--average-strands/--one-strand",
        help="Average over both strands, or take the forward strand alone.",
        default="windows: as was better on valid; genes: one strand",
    ),
]
CompleteGenes = Annotated[
    bool, option("--complete-genes", help="No gene goes on beyond its contig.", default="genes may be partial")
]


def evaluate(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run of 'dnaspt finetune'.")],
    data: Annotated[Path, option(metavar="DATA", help="Dataset folder.")],
    split: Annotated[
        str,
        option(metavar="<test|valid|train>", help="What to score.", autocompletion=lambda: ["test", "valid", "train"]),
    ] = "test",
    baseline: Annotated[
        list[str] | None,
        option(
            metavar="NAME",
            help="Also score what a model has to beat, on test: kmer, markov or cpg; for numbers kmer; for genes augustus.",
            default="none",
        ),
    ] = None,
    fold: Fold = None,
    average_strands: BothStrands = None,
    any_data: Annotated[
        bool, option("--any-data", help="Accept a model of another dataset.", default="refuse it")
    ] = False,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Score a run on a split, with 95 % intervals.

    Genes: MCC, and how many exons and genes are exact. Windows: AUROC and AUPRC. Numbers: Pearson, Spearman and R2.

    Example: dnaspt evaluate runs/genes --data data/genes --split test

    Example: dnaspt evaluate runs/promoters --data data/promoters --baseline kmer
    """
    from dnaspt import api

    _show_evaluation(api.evaluate(**given(context)), model, as_json=as_json)


def _show_evaluation(evaluation: "Evaluation", scored: Path, *, as_json: bool) -> None:
    """Show scores as tables or as JSON, those of baselines beside them."""
    from dnaspt.cli.terminal import print_json, show_tables
    from dnaspt.reports.beside_baselines import beside_table
    from dnaspt.reports.describe import evaluation_tables

    if as_json:
        beside = [own.to_dict() for own in evaluation.beside]
        print_json(evaluation.to_dict() | ({"beside": beside} if beside else {}))
        return
    tables = evaluation_tables(evaluation, str(scored))
    show_tables([*tables, beside_table(scored, evaluation.beside)] if evaluation.beside else tables)


def predict(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run of 'dnaspt finetune'.")],
    out: Annotated[
        Path,
        option(
            "--out",
            "-o",
            metavar="FILE",
            help="genes: .gff3 or .gtf; windows: .bed, .bw or .parquet; --sequences: .csv, .tsv, .jsonl or .parquet.",
        ),
    ],
    genome: Annotated[
        Path | None, option(metavar="FASTA", help="Genome: plain, gzip or bgzip.", default="none: --sequences")
    ] = None,
    sequences: Annotated[
        Path | None,
        option(
            metavar="FILE",
            help="Instead of a genome: sequences, each predicted as a whole: CSV, TSV, JSON lines, Parquet or FASTA.",
            default="none: --genome",
        ),
    ] = None,
    sequence_column: SequenceColumn = None,
    name_column: NameColumn = None,
    regions: Annotated[
        Path | None, option(metavar="BED", help="Intervals to predict.", default="the whole genome")
    ] = None,
    proteins: Annotated[
        Path | None, option(metavar="FASTA", help="Genes: proteins to write too.", default="none")
    ] = None,
    cds: Annotated[
        Path | None, option(metavar="FASTA", help="Genes: coding sequences to write too.", default="none")
    ] = None,
    tracks: Annotated[
        Path | None,
        option(
            metavar="PREFIX",
            help="Gene models: bigWig files to write too, PREFIX.coding_plus.bw and others: the probability of each base.",
            default="none",
        ),
    ] = None,
    stride_bp: Annotated[int, option(metavar="BP", help="Windows of regions: step along the contig.")] = 128,
    threshold: Annotated[
        float,
        option(metavar="P", help="Windows: probability from which a BED row is written; lower it for rare labels."),
    ] = 0.5,
    average_strands: BothStrands = None,
    codons: Annotated[
        bool,
        option("--codons/--no-codons", help="Genes of a CRF: start and stop codons, frame, GT-AG or GC-AG introns."),
    ] = True,
    complete_genes: CompleteGenes = False,
    min_intron_bp: Annotated[
        int | None,
        option(
            metavar="BP",
            help="Genes with codons: shortest intron, 10 or more.",
            default="the shortest of the training annotation, 10 at least",
        ),
    ] = None,
    min_score: Annotated[
        float, option(metavar="P", help="Genes: lowest score, or probability of a gene model's gene, that is written.")
    ] = 0.0,
    min_coding_bp: Annotated[
        int, option("--min-coding-length", metavar="BP", help="Genes: fewest coding bases that are written.")
    ] = 0,
    softmask: Annotated[
        float,
        option(metavar="NATS", help="Gene models: what each soft-masked (lower-case) base costs as a coding one."),
    ] = 0.0,
    sensitivity: Annotated[
        float | None,
        option(
            metavar="SHARE",
            help="Gene models: share of exons to find, both ends exact, by the model's valid split: more genes, less precision.",
            default="genes as they were learned",
        ),
    ] = None,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Predict genes, or labels of windows or sequences.

    Genes are written as GFF3 or GTF; labels of windows as BED, bigWig or Parquet; those of sequences as a table.

    Example: dnaspt predict runs/genes --genome new.fa --out genes.gff3
    """
    from dataclasses import asdict

    from dnaspt.cli.terminal import show_summary

    settings = given(context)
    if sequences is not None or genome is None:
        _predict_sequences(context, settings, as_json=as_json)
        return
    from dnaspt.inference.predict import PredictOptions, predict_file

    if idle := [name for name in ("sequence_column", "name_column") if settings.get(name)]:
        raise ConfigError(f"--{idle[0].replace('_', '-')} is for --sequences")
    options = PredictOptions(
        **{name: settings[name] for name in PredictOptions.__dataclass_fields__ if name in settings}
    )
    files = {"proteins": proteins, "cds": cds, "tracks": tracks}
    summary = predict_file(run, genome, out, options, regions=regions, **files, overwrite=overwrite, progress=True)
    show_summary(f"{out}: written", {"out": str(out)} | asdict(summary), as_json=as_json)


def _predict_sequences(context: typer.Context, settings: dict[str, Any], *, as_json: bool) -> None:
    """Predict on sequences, and say what was written.

    Raises:
        ConfigError: no sequences, or an option that is for a genome.
    """
    from dataclasses import asdict

    from dnaspt.cli.terminal import show_summary
    from dnaspt.inference.sequence_file import predict_sequences_file

    taken = {"run", "out", "sequences", "sequence_column", "name_column", "average_strands", "accelerator", "overwrite"}
    if settings.get("sequences") is None:
        raise ConfigError("nothing to predict on; say --genome FASTA, or --sequences FILE")
    if idle := sorted(settings.keys() - taken):
        (named,) = (own for own in context.command.params if own.name == idle[0])
        option_name = named.secondary_opts[-1] if settings[idle[0]] is False and named.secondary_opts else named.opts[0]
        raise ConfigError(f"{option_name} is for a genome; leave it out, or leave out --sequences")
    own = {name: value for name, value in settings.items() if name in taken}
    summary = predict_sequences_file(own.pop("run"), own.pop("sequences"), own.pop("out"), **own, progress=True)
    show_summary(f"{summary.files[0]}: written", {"out": summary.files[0]} | asdict(summary), as_json=as_json)


def embed(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run of 'dnaspt pretrain' or 'dnaspt finetune'.")],
    out: Annotated[Path, option("--out", "-o", metavar="FILE", help=".parquet, or .npz for what fits into memory.")],
    sequences: Annotated[
        Path | None,
        option(metavar="FILE", help="Sequences: CSV, TSV, JSON lines, Parquet or FASTA.", default="none: --genome"),
    ] = None,
    genome: Annotated[
        Path | None, option(metavar="FASTA", help="Genome: plain, gzip or bgzip.", default="none: --sequences")
    ] = None,
    regions: Annotated[
        Path | None,
        option(
            metavar="BED",
            help="Intervals of the genome, a vector each; of BED12 each block is one.",
            default="windows, end to end",
        ),
    ] = None,
    window_bp: Annotated[
        int | None, option(metavar="BP", help="Length of the windows of a genome.", default="512")
    ] = None,
    per_base: Annotated[
        bool, option("--per-base", help="A vector for each base; its size is said before.", default="the mean")
    ] = False,
    sequence_column: SequenceColumn = None,
    name_column: NameColumn = None,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write hidden states of sequences or windows.

    Parquet has the columns name, start, end and embedding (a list of numbers); npz the arrays names, start, end and embeddings.

    Example: dnaspt embed runs/pre --genome g.fa --regions peaks.bed --out peaks.parquet
    """
    from dataclasses import asdict

    from dnaspt.cli.terminal import show_summary
    from dnaspt.inference.embeddings import embed_file

    settings = given(context)
    summary = embed_file(settings.pop("model"), settings.pop("out"), **settings, progress=True)
    show_summary(f"{out}: written", {"out": str(out)} | asdict(summary), as_json=as_json)


def explain(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run of 'dnaspt finetune' on windows or sequences.")],
    out: Annotated[
        list[Path] | None,
        option(
            "--out",
            "-o",
            metavar="FILE",
            help=".npz (attributions as modisco-lite reads them) or, of a genome, .bw; may be repeated.",
            default="with --data: attributions-SPLIT.npz in the run",
        ),
    ] = None,
    method: Annotated[
        Literal["ism", "gradient", "deeplift"],
        option(help="ism: change each base to each other letter. gradient: gradient x input. deeplift: DeepLIFT/SHAP."),
    ] = "ism",
    label: Annotated[str | None, option(metavar="NAME", help="The label to explain.", default="the only one")] = None,
    sequences: Annotated[
        Path | None, option(metavar="FILE", help="Sequences: CSV, TSV, JSON lines, Parquet or FASTA.", default="none")
    ] = None,
    genome: Annotated[
        Path | None, option(metavar="FASTA", help="Genome, with --regions: plain, gzip or bgzip.", default="none")
    ] = None,
    regions: Annotated[
        Path | None,
        option(
            metavar="BED", help="Intervals of the genome; a window of the model around each middle.", default="none"
        ),
    ] = None,
    data: Annotated[
        Path | None, option(metavar="DATA", help="Dataset: windows of a split that have the label.", default="none")
    ] = None,
    split: Annotated[
        str,
        option(metavar="<test|valid|train>", help="Of --data.", autocompletion=lambda: ["test", "valid", "train"]),
    ] = "test",
    fold: Fold = None,
    n_windows: Annotated[
        int | None, option(metavar="N", help="Of --data: windows at most, drawn at random.", default="200")
    ] = None,
    logo: Annotated[
        Path | None, option(metavar="FILE", help="Logos to draw: .svg, .png or .pdf.", default="none")
    ] = None,
    loci: Annotated[
        str | None,
        option(
            metavar="NAMES",
            callback=loci_of,
            help="What to draw, with commas: names of windows, or chr1:5001-5100.",
            default="windows of the highest prediction",
        ),
    ] = None,
    average_strands: Annotated[
        bool | None,
        option(
            "--average-strands/--one-strand",
            help="Explain the mean of both strands, or the forward strand alone.",
            default="as the model predicts: as was better on valid",
        ),
    ] = None,
    n_references: Annotated[
        int, option(metavar="N", help="deeplift: shuffled sequences to compare each one with.")
    ] = 20,
    seed: Annotated[int, option(metavar="N", help="Of windows that are drawn, and of shuffles.")] = 0,
    sequence_column: SequenceColumn = None,
    name_column: NameColumn = None,
    overwrite: Overwrite = False,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Say how much each base speaks for a label.

    Attributions of a label's log-odds, or of a predicted number, by in-silico mutagenesis, gradient x input or DeepLIFT,
    with the package tangermeme (pip install tangermeme). 'dnaspt report' draws those of the test split that lie in a run.

    Example: dnaspt explain runs/peaks --genome g.fa --regions peaks.bed --label CTCF --out ctcf.npz --out ctcf.bw
    """
    from dataclasses import asdict

    from dnaspt import api
    from dnaspt.cli.terminal import show_summary

    summary = api.explain(**given(context), progress=True)
    show_summary(f"{summary.files[0]}: written", asdict(summary), as_json=as_json)


def decode(
    context: typer.Context,
    emissions: Annotated[
        Path, option(metavar="NPZ", help="Array (bases, 9, 15 or 29 classes) for each contig (docs/files.md).")
    ],
    genome: Genome,
    out: Annotated[Path, option("--out", "-o", metavar="FILE", help="Genes: .gff3 or .gtf.")],
    logits: Annotated[
        bool,
        option("--logits/--probabilities", help="What the arrays hold.", default="probabilities"),
    ] = False,
    weight: Annotated[
        float, option(metavar="FACTOR", help="What log-probabilities are multiplied by, against lengths and sensors.")
    ] = 1.0,
    lengths: Annotated[
        Path | None,
        option(
            metavar="RUN",
            help="Run of a gene model, for its lengths and sensors.",
            default="lengths of most eukaryotes",
        ),
    ] = None,
    genes_per_mb: Annotated[
        float, option(metavar="N", help="Genes in a megabase between genes, without --lengths.")
    ] = 100.0,
    genetic_code: Annotated[
        int | None, option(metavar="N", help="NCBI's number: 1, 4, 6, 10 or 12.", default="that of --lengths, else 1")
    ] = None,
    start_codons: Annotated[
        str | None,
        option(metavar="CODONS", callback=names, help="With commas.", default="those of --lengths, else ATG"),
    ] = None,
    proteins: Annotated[Path | None, option(metavar="FASTA", help="Proteins to write too.", default="none")] = None,
    cds: Annotated[Path | None, option(metavar="FASTA", help="Coding sequences to write too.", default="none")] = None,
    complete_genes: CompleteGenes = False,
    min_intron_bp: Annotated[
        int | None, option(metavar="BP", help="Shortest intron, 10 or more.", default="that of --lengths, else 10")
    ] = None,
    min_score: Annotated[
        float, option(metavar="P", help="Lowest probability of a gene that is written, 0 to 1.")
    ] = 0.0,
    min_coding_bp: Annotated[
        int, option("--min-coding-length", metavar="BP", help="Fewest coding bases that are written.")
    ] = 0,
    softmask: Annotated[
        float, option(metavar="NATS", help="What each soft-masked (lower-case) base costs as a coding one.")
    ] = 0.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Decode class probabilities to whole genes.

    The probabilities may come from any network. Every gene is legal: start and stop codon, frame, introns.

    Example: dnaspt decode --emissions classes.npz --genome g.fa --out genes.gff3
    """
    from dataclasses import asdict

    from dnaspt import api
    from dnaspt.cli.terminal import show_summary

    summary = {"out": str(out)} | asdict(api.decode_emissions(**given(context)))
    show_summary(f"{out}: written", summary, as_json=as_json)


def variants(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run of 'dnaspt pretrain' or 'dnaspt finetune'.")],
    vcf: Annotated[Path, option(metavar="VCF", help="Variants: plain, gzip or bgzip.")],
    genome: Genome,
    out: Annotated[Path, option("--out", "-o", metavar="FILE", help="Scored variants: .vcf, .vcf.gz or .parquet.")],
    window_bp: Annotated[
        int | None,
        option(metavar="BP", help="Bases around an allele.", default="the model's windows, else 512"),
    ] = None,
    strict: Annotated[
        bool,
        option("--strict", help="Refuse a REF that differs from the genome.", default="count and warn"),
    ] = False,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score alleles of a VCF file, both strands averaged.

    Scores say how much an allele changes the hidden states (SPT_COSINE), and the language model's likelihood (SPT_LLR,
    pretrained runs) or each label (SPT_DELTA, fine-tuned runs). They do not depend on how an allele is written.

    Example: dnaspt variants runs/pre --vcf calls.vcf.gz --genome g.fa --out scored.vcf.gz
    """
    from dataclasses import asdict

    from dnaspt.cli.terminal import mapping_table, print_json
    from dnaspt.inference.variants_vcf import score_file

    given(context)
    summary = score_file(
        model, vcf, genome, out, window_bp=window_bp, strict=strict, accelerator=accelerator, overwrite=overwrite
    )
    if as_json:
        print_json({"out": out} | asdict(summary))
        return
    not_scored = {f"not scored: {words_of(reason)}": number for reason, number in summary.not_scored.items()}
    mapping_table(f"{out}: written", {"records": summary.records, "scored": summary.scored, **not_scored})


def baseline(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Dataset folder.")],
    out: Annotated[Path, option("--out", "-o", metavar="FOLDER", help="Folder for the scores.")],
    model: Annotated[
        Literal["kmer", "markov", "cpg", "augustus"] | None,
        option(
            help="Windows: logistic regression on k-mer counts, two Markov chains, or the CpG count. "
            "Genes: AUGUSTUS, trained on the train split.",
            default="kmer",
        ),
    ] = None,
    annotation: Annotated[
        Path | None,
        option(metavar="GFF", help="Genes: what another tool predicted on the dataset's contigs.", default="none"),
    ] = None,
    species: Annotated[
        str | None,
        option(metavar="NAME", help="Genes: run AUGUSTUS with this model of its authors.", default="none"),
    ] = None,
    optimize_minutes: Annotated[
        float | None,
        option(metavar="N", help="AUGUSTUS: then search its meta-parameters for N minutes.", default="0"),
    ] = None,
    k: Annotated[
        int | None,
        option("-k", metavar="N", help="Length of k-mers, or order of a chain.", default="4; the order by valid"),
    ] = None,
    fold: Fold = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score what a model has to beat, on the test split.

    Windows: k-mers, Markov chains or the CpG count. Genes: AUGUSTUS, or the GFF3 of any other tool.

    Example: dnaspt baseline data/peaks --out runs/kmers
    """
    from dnaspt import api

    _show_evaluation(api.baseline(**given(context)), out, as_json=as_json)


def compare_annotations(
    context: typer.Context,
    reference: Annotated[Path, typer.Argument(metavar="REF", help="Annotation to compare with: GFF3 or GTF.")],
    prediction: Annotated[Path, typer.Argument(metavar="PRED", help="Predicted annotation: GFF3 or GTF.")],
    genome: Annotated[
        Path | None,
        option(metavar="FASTA", help="Genome: illegal structures are counted, too.", default="compare without it"),
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", "-o", metavar="FILE", help="File to write too: .csv or .json.", default="none"),
    ] = None,
    genetic_code: Annotated[
        int, option(metavar="N", help="Structures: NCBI's number of the genetic code, 1, 4, 6, 10 or 12.")
    ] = 1,
    start_codons: Annotated[
        str | None,
        option(metavar="CODONS", callback=names, help="Structures: start codons, with commas.", default="ATG"),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Compare two annotations of one genome.

    Sensitivity, precision and F1 of coding bases, splice sites, exons, intron chains, transcripts and genes, with 95 %
    intervals. The files of any gene finder are read, all isoforms count, and no model is needed.

    Example: dnaspt compare-annotations reference.gff3 predicted.gtf --genome g.fa
    """
    from dnaspt import api
    from dnaspt.cli.terminal import print_json, show_tables
    from dnaspt.reports.annotation_tables import comparison_tables

    compared = api.compare_annotations(**given(context))
    if as_json:
        print_json(compared.to_dict())
    else:
        show_tables(comparison_tables(compared))
