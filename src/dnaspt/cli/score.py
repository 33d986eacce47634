"""The commands that use models or score what models have to beat: evaluate, predict, variants, baseline."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from dnaspt.policy import OFFLINE, TRUST, allow

Accelerator = Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="Where to compute.")]
TrustCode = Annotated[
    bool,
    typer.Option("--trust-remote-code", envvar=TRUST, help="Let a published model that brings its own code run it."),
]
Offline = Annotated[
    bool, typer.Option("--offline", envvar=OFFLINE, help="Take published models from disk; never touch the network.")
]


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt finetune'.")],
    data: Annotated[Path, typer.Option(help="Dataset folder.")],
    split: Annotated[str, typer.Option(help="test or valid.")] = "test",
    average_strands: Annotated[bool, typer.Option("--average-strands", help="Average over both strands.")] = False,
    any_data: Annotated[bool, typer.Option("--any-data", help="Accept a model trained on another dataset.")] = False,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Score a run on a split: MCC or AUROC and AUPRC with 95 % intervals, gene structures for genes.

    Example: dnaspt evaluate runs/genes --data data/genes --split test
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dnaspt.cli.inspect import show_evaluation
    from dnaspt.evaluation.evaluate import evaluate as score

    result = score(run, data, split=split, any_data=any_data, average_strands=average_strands, accelerator=accelerator)
    show_evaluation(result, str(run))


def predict(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt finetune'.")],
    genome: Annotated[Path, typer.Option(help="FASTA: plain, gzip or bgzip.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="genes: .gff3; windows: .bed, .bw or .parquet.")],
    regions: Annotated[Path | None, typer.Option(help="BED of the stretches to predict.")] = None,
    stride_bp: Annotated[int, typer.Option(help="Windows of regions: step along the contig.")] = 128,
    threshold: Annotated[
        float, typer.Option(help="Windows: probability from which a BED row is written; rare labels want less.")
    ] = 0.5,
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
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Predict on a FASTA file: genes to GFF3, window labels to BED, bigWig or Parquet.

    Example: dnaspt predict runs/genes --genome new.fa --out genes.gff3
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dataclasses import asdict

    from dnaspt.cli.terminal import mapping_table
    from dnaspt.inference.predict import PredictOptions, predict_file

    options = PredictOptions(stride_bp, threshold, average_strands, codons, complete_genes, accelerator)
    summary = predict_file(run, genome, out, options, regions=regions)
    mapping_table(f"{out}: written", asdict(summary))


def variants(
    run: Annotated[Path, typer.Argument(help="Run of 'dnaspt pretrain' or 'dnaspt finetune'.")],
    vcf: Annotated[Path, typer.Option(help="VCF, plain, gzip or bgzip.")],
    genome: Annotated[Path, typer.Option(help="FASTA: plain, gzip or bgzip.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Scored variants: .vcf, .vcf.gz or .parquet.")],
    window_bp: Annotated[
        int | None, typer.Option(help="Letters around an allele [a model of windows: its own; else 512].")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A REF that differs from the genome is an error.")] = False,
    accelerator: Accelerator = "auto",
    trust_remote_code: TrustCode = False,
    offline: Offline = False,
) -> None:
    """Score variants, both strands averaged: by what an allele does to hidden states (SPT_COSINE), and to the language model's
    likelihood (SPT_LLR, pretrained runs) or to each label (SPT_DELTA, fine-tuned runs).

    Example: dnaspt variants runs/pre --vcf calls.vcf.gz --genome g.fa --out scored.vcf.gz
    """
    allow(trust_remote_code=trust_remote_code, offline=offline)
    from dnaspt.cli.terminal import mapping_table
    from dnaspt.inference.variants_vcf import score_file

    summary = score_file(run, vcf, genome, out, window_bp=window_bp, strict=strict, accelerator=accelerator)
    counts = {"records": summary.records, "alleles scored": summary.scored, **summary.not_scored}
    mapping_table(f"{out}: written", counts)


def baseline(
    data: Annotated[Path, typer.Argument(help="Dataset folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the scores.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Windows: kmer (logistic regression on counts; the default), markov (two chains), cpg (CpG count). Genes: "
            "augustus, trained on the train split."
        ),
    ] = None,
    annotation: Annotated[
        Path | None, typer.Option(help="Genes: GFF3 or GTF that another tool predicted on the dataset's contigs.")
    ] = None,
    species: Annotated[str, typer.Option(help="Genes: run AUGUSTUS with this model of its authors.")] = "",
    k: Annotated[int | None, typer.Option("-k", help="Length of k-mers [4], or order of a chain [by valid].")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out.")] = False,
) -> None:
    """Score on the test split what a model has to beat: composition for windows, another tool's genes for genes.

    Example: dnaspt baseline data/peaks --out runs/kmers
    """
    from dnaspt.baselines.baseline import run_baseline
    from dnaspt.cli.inspect import show_evaluation
    from dnaspt.cli.terminal import show

    scores = run_baseline(
        data, out, model=model or "", k=k, annotation=annotation, species=species, overwrite=overwrite
    )
    if scores.windows is None:
        show_evaluation(scores, str(out))
        return
    area, count = scores.primary, scores.scores[f"cpg_count_{scores.metric}"]
    name = scores.metric.removeprefix("mean_").upper()
    show(f"mean test {name} {area.value:.3f} [{area.low:.3f}, {area.high:.3f}] (CpG count {count.value:.3f}); {out}")
