"""The front door: what `import dnaspt` offers, one function for each command of the command line.

Paths are `str` or `Path`; a `Dataset`, a `Run` or a `Model` can be given wherever its folder can. Settings are keywords with the
names of the TOML settings (docs/settings.md); a misspelt one is an error that offers the right one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnaspt.arguments import (
    PathLike,
    Paths,
    as_path,
    as_path_or_none,
    as_paths,
    as_texts,
    check_numbers,
    check_switches,
    check_texts,
    check_whole_numbers,
)
from dnaspt.config import Config, EnsembleConfig, FinetuneConfig, PretrainConfig, build_config
from dnaspt.errors import ConfigError
from dnaspt.output import check_file_to_write, refuse_existing, refuse_inputs

if TYPE_CHECKING:
    import pandas as pd

    from dnaspt.browser.browse import GenomeBrowser
    from dnaspt.checkpoint import Accelerator
    from dnaspt.data.dataset import Dataset
    from dnaspt.evaluation.compare_annotations import AnnotationComparison
    from dnaspt.evaluation.results import Evaluation
    from dnaspt.inference.explain_file import ExplanationSummary
    from dnaspt.inference.explain_options import Method
    from dnaspt.inference.genes import GeneSummary
    from dnaspt.inference.model import Model
    from dnaspt.reports.describe import Description
    from dnaspt.reports.study_report import StudyResult
    from dnaspt.sharing.export import Exported
    from dnaspt.simulation.simulate import SimulationSummary
    from dnaspt.training.loop import Reporter
    from dnaspt.training.runs import Run


def simulate(out: PathLike, *, config: PathLike | None = None, **settings: Any) -> "SimulationSummary":
    """Simulate a small genome whose genes, peaks and methylation are known.

    Args:
        out: folder to write: genome.fa, annotation.gff3, peaks_A.bed, peaks_B.bed, motifs.bed (the motifs in the peaks),
            methylation.bedmethyl, truth.json.
        config: TOML file of settings; keywords win.
        **settings: n_contigs, contig_bp, seed, overwrite and others (docs/settings.md).

    Returns:
        What was written: numbers of contigs, bases and genes, and the folder as `out`.

    Raises:
        DatasetError: the folder is there already. ConfigError: a setting that does not exist or is out of range.

    Example:
        >>> genome = dnaspt.simulate("another_genome", n_contigs=2, contig_bp=20_000, seed=3)
        >>> genome.n_bp
        40000
    """
    from dnaspt.simulation.simulate import SimulateConfig
    from dnaspt.simulation.simulate import simulate as run

    return run(_settings(SimulateConfig, settings | {"out": as_path(out, "out")}, config))


def prepare_genes(
    genome: Paths | None = None,
    annotation: Paths | None = None,
    *,
    out: PathLike,
    config: PathLike | None = None,
    **settings: Any,
) -> "Dataset":
    """Make a dataset of gene structure per base (nine classes) from a genome and its annotation.

    Args:
        genome: FASTA, plain, gzip or bgzip; of more than one file the contigs must have different names.
        annotation: GFF3 or GTF; of more than one file the contigs are matched by name with those of all genome files.
        out: dataset folder to write.
        config: TOML file of settings; keywords win.
        **settings: split, valid_contigs, test_contigs, folds, windows, window_bp, strict and others (docs/settings.md).

    Returns:
        The dataset. Its manifest counts what was dropped, and why.

    Raises:
        InputError: a file that cannot be used, with its line. DatasetError: the folder is there already.
        ConfigError: a setting that does not exist or is out of range.

    Example:
        >>> data = dnaspt.prepare_genes("genome/genome.fa", "genome/annotation.gff3", out="data/my_genes", window_bp=2048)
        >>> data.task, data.splits
        ('genes', ('train', 'valid', 'test'))
    """
    from dnaspt.prepare.genes import PrepareGenesConfig
    from dnaspt.prepare.genes import prepare_genes as prepare

    given = {
        "genome": as_paths(genome, "genome"),
        "annotation": as_paths(annotation, "annotation"),
        "out": as_path(out, "out"),
    }
    return prepare(_settings(PrepareGenesConfig, settings | given, config))


def prepare_regions(
    genome: PathLike | None = None,
    regions: Paths | None = None,
    *,
    out: PathLike,
    config: PathLike | None = None,
    **settings: Any,
) -> "Dataset":
    """Make a dataset of labeled windows from a genome and its peaks (ATAC-seq, ChIP-seq, any BED), or tracks of signal (bigWig).

    Args:
        genome: FASTA, plain, gzip or bgzip.
        regions: BED or narrowPeak; each file is a label, or one file has a column of labels.
        out: dataset folder to write.
        config: TOML file of settings; keywords win.
        **settings: signal, window_bp, min_overlap, background, split, folds and others (docs/settings.md).

    Returns:
        The dataset.

    Raises:
        InputError: a file that cannot be used, with its line. DatasetError: the folder is there already.
        ConfigError: a setting that does not exist or is out of range.

    Example:
        >>> data = dnaspt.prepare_regions("genome/genome.fa", "genome/peaks_A.bed", out="data/my_peaks", window_bp=256)
        >>> data.labels
        ('peaks_A',)
    """
    from dnaspt.prepare.regions import PrepareRegionsConfig
    from dnaspt.prepare.regions import prepare_regions as prepare

    given = {
        "genome": as_path_or_none(genome, "genome"),
        "regions": as_paths(regions, "regions"),
        "out": as_path(out, "out"),
    }
    return prepare(_settings(PrepareRegionsConfig, settings | given, config))


def prepare_sequences(
    sequences: Paths | None = None,
    *,
    out: PathLike,
    config: PathLike | None = None,
    **settings: Any,
) -> "Dataset":
    """Make a dataset of labeled sequences that come from a table or FASTA files, without a genome.

    Args:
        sequences: CSV, TSV, JSON lines, Parquet or FASTA, plain or gzip; of several FASTA files each is a class.
        out: dataset folder to write.
        config: TOML file of settings; keywords win.
        **settings: valid, test, label_columns, positive, fractions and others (docs/settings.md).

    Returns:
        The dataset.

    Raises:
        InputError: a file that cannot be used, with its line. DatasetError: the folder is there already.
        ConfigError: a setting that does not exist or is out of range, or it is not clear which value of a label is true.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"sequence": [letter * n for letter in "ACGT" for n in range(9, 19)], "label": [0, 1] * 20})
        >>> rows.to_csv("rows.csv", index=False)
        >>> data = dnaspt.prepare_sequences("rows.csv", out="data/rows", fractions=(0.5, 0.25, 0.25))
        >>> data.labels
        ('label',)
    """
    from dnaspt.prepare.sequences import PrepareSequencesConfig
    from dnaspt.prepare.sequences import prepare_sequences as prepare

    paths = {name: as_paths(settings.pop(name), name) for name in ("valid", "test") if name in settings}
    given = {"sequences": as_paths(sequences, "sequences"), "out": as_path(out, "out")}
    return prepare(_settings(PrepareSequencesConfig, settings | paths | given, config))


def prepare_methylation(
    genome: PathLike | None = None,
    calls: Paths | None = None,
    *,
    out: PathLike,
    config: PathLike | None = None,
    **settings: Any,
) -> "Dataset":
    """Make a dataset of windows around CpGs, each labeled as methylated or not, from a genome and its methylation calls.

    Args:
        genome: FASTA, plain, gzip or bgzip.
        calls: bedMethyl, Bismark coverage or bigWig; one file for each sample.
        out: dataset folder to write.
        config: TOML file of settings; keywords win.
        **settings: names, threshold, min_coverage, window_bp, split, folds and others (docs/settings.md).

    Returns:
        The dataset.

    Raises:
        InputError: a file that cannot be used, with its line. DatasetError: the folder is there already.
        ConfigError: a setting that does not exist or is out of range.

    Example:
        >>> data = dnaspt.prepare_methylation("genome/genome.fa", "genome/methylation.bedmethyl", out="data/my_cpg")
        >>> data.task
        'methylation'
    """
    from dnaspt.prepare.methylation import PrepareMethylationConfig
    from dnaspt.prepare.methylation import prepare_methylation as prepare

    given = {"genome": as_path_or_none(genome, "genome"), "calls": as_paths(calls, "calls"), "out": as_path(out, "out")}
    return prepare(_settings(PrepareMethylationConfig, settings | given, config))


def prepare_unlabeled(
    genome: PathLike | None = None, *, out: PathLike, config: PathLike | None = None, **settings: Any
) -> "Dataset":
    """Make a dataset of sequence without labels, for `pretrain` alone: to score variants, for embeddings, or as an encoder.

    Args:
        genome: FASTA, plain, gzip or bgzip.
        out: dataset folder to write.
        config: TOML file of settings; keywords win.
        **settings: window_bp, split, max_n_fraction and others (docs/settings.md).

    Returns:
        The dataset.

    Raises:
        InputError: a file that cannot be used, with its line. DatasetError: the folder is there already.
        ConfigError: a setting that does not exist or is out of range.

    Example:
        >>> data = dnaspt.prepare_unlabeled("genome/genome.fa", out="data/genome")
        >>> data.splits
        ('train', 'valid')
    """
    from dnaspt.prepare.unlabeled import PrepareUnlabeledConfig
    from dnaspt.prepare.unlabeled import prepare_unlabeled as prepare

    given = {"genome": as_path_or_none(genome, "genome"), "out": as_path(out, "out")}
    return prepare(_settings(PrepareUnlabeledConfig, settings | given, config))


def prepare_bend(task: str, *, out: PathLike, config: PathLike | None = None, **settings: Any) -> "Dataset":
    """Make a dataset of a task of the BEND benchmark from BEND's own files.

    Args:
        task: gene_finding, chromatin_accessibility, histone_modification, cpg_methylation, enhancer_annotation, or
            variant_effects_expression or variant_effects_disease.
        out: dataset folder to write.
        config: TOML file of settings; keywords win.
        **settings: root (folder with the layout of BEND's share), genome, bed, fold and others (docs/bend.md).

    Returns:
        The dataset.

    Raises:
        InputError: a file that cannot be used. DatasetError: the folder is there already. ConfigError: no such task.

    Example:
        >>> dnaspt.prepare_bend("gene_finding", root="no_folder", out="data/bend")
        Traceback (most recent call last):
        ...
        dnaspt.errors.InputError: no_folder: no such folder; ...
    """
    from dnaspt.bend.prepare import PrepareBendConfig
    from dnaspt.bend.prepare import prepare_bend as prepare

    return prepare(_settings(PrepareBendConfig, settings | {"task": task, "out": as_path(out, "out")}, config))


def pretrain(
    data: PathLike,
    *,
    out: PathLike,
    more_data: Paths | None = None,
    held_out: Paths | None = None,
    config: PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    **settings: Any,
) -> "Run":
    """Pretrain a masked language model on a dataset's own train sequences (self-pretraining, arXiv 2506.17766).

    Args:
        data: dataset folder.
        out: run folder to write.
        more_data: further dataset folders whose train sequences are read; the best checkpoint is chosen on valid of `data`.
        held_out: dataset folders that the encoder is to serve. Bases of their valid and test parts, and of those of `data`, are
            cut out of all that is read: what they share in 32 bases or more, on either strand, becomes N, and is counted.
        config: TOML file of settings; keywords win.
        resume: go on with a run that was broken off; on a CPU the result is identical to the bit to that of an unbroken run. With
            more epochs or steps, extend a finished run: the steps that are left take the learning rates of a run of the new
            length, so the rate rises again and falls to its end.
        overwrite: replace a run that is there.
        progress: show a progress bar with the time left.
        **settings: preset, epochs, steps, learning_rate, mask_fraction, seed, fold and others (docs/settings.md).

    Returns:
        The run. Its scores are nats per masked base on fixed positions of valid, beside those of n-gram models.

    Raises:
        DatasetError: no dataset, or one without train and valid. CheckpointError: the run folder is there already, or is none to
        resume. ConfigError: a setting that does not exist or is out of range, or a run folder where something is read.
        BusyError: another process writes it. DivergedError: the loss is no longer finite.
        RunStopped: a signal (Ctrl-C, SIGTERM) stopped it; it is saved, and `resume` goes on.

    Example:
        >>> run = dnaspt.pretrain("data/genes", out="runs/my_pre", preset="tiny", steps=2, batch_bp=2048)
        >>> run.scores["valid_nats"] < 1.6
        True
    """
    check_switches(resume=resume, overwrite=overwrite, progress=progress)
    paths = {
        "data": as_path(data, "data"),
        "out": as_path(out, "out"),
        "more_data": as_paths(more_data, "more_data"),
        "held_out": as_paths(held_out, "held_out"),
    }
    given = _settings(PretrainConfig, settings | paths, config)
    from dnaspt.training.pretrain import pretrain as train

    run = train(given, resume=resume, overwrite=overwrite, reporter=_reporter("pretrain", progress=progress))
    return _unless_stopped(run)


def finetune(
    data: PathLike,
    *,
    out: PathLike,
    encoder: PathLike | None = None,
    head: str | None = None,
    network: PathLike | None = None,
    config: PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    **settings: Any,
) -> "Run":
    """Fine-tune a pretrained encoder with a task head, or train both from scratch; the best checkpoint on valid is kept.

    Args:
        data: dataset folder.
        out: run folder to write.
        encoder: run or checkpoint of `pretrain`; left out, training starts from scratch.
        head: gene-model, crf, softmax, sigmoid, mse or poisson; left out, gene-model for genes (crf for those of BEND), sigmoid
            for labels of windows or sequences, softmax for classes, mse for numbers (poisson is for counts).
            A gene model is estimated in minutes, without gradients, and leaves the encoder as it is.
        network: of a gene model: run of `finetune` with head crf or softmax on the same dataset and fold; its class scores are
            added with a weight that is chosen on valid.
        config: TOML file of settings; keywords win.
        resume: go on with a run that was broken off; on a CPU the result is identical to the bit to that of an unbroken run. With
            more epochs or steps, extend a finished run: the steps that are left take the learning rates of a run of the new
            length, so the rate rises again and falls to its end.
        overwrite: replace a run that is there.
        progress: show a progress bar with the time left.
        **settings: epochs, steps, learning_rate, freeze_encoder, label_fraction, seed, fold and others (docs/settings.md).

    Returns:
        The run. Its scores are those of the best checkpoint on valid.

    Raises:
        DatasetError: no dataset, or one without train and valid. CheckpointError: the encoder is no checkpoint, or the run
        folder is there already, or is none to resume. ConfigError: a setting that does not exist or is out of range, or a run
        folder where something is read. BusyError: another process writes it. DivergedError: the loss is no longer finite.
        RunStopped: a signal (Ctrl-C, SIGTERM) stopped it; it is saved, and `resume` goes on.

    Example:
        >>> run = dnaspt.finetune("data/genes", out="runs/my_genes", encoder="runs/pre")
        >>> run.finished, run.scores["valid_exon_f1"] > 0
        (True, True)
    """
    check_switches(resume=resume, overwrite=overwrite, progress=progress)
    given = {
        "data": as_path(data, "data"),
        "out": as_path(out, "out"),
        "encoder": as_path_or_none(encoder, "encoder"),
        "head": head,
        "network": as_path_or_none(network, "network"),
    }
    checked = _settings(FinetuneConfig, settings | given, config)
    from dnaspt.training.finetune import finetune as train
    from dnaspt.training.recipe import with_recipe

    run = train(
        with_recipe(checked, resume=resume),
        resume=resume,
        overwrite=overwrite,
        reporter=_reporter("finetune", progress=progress),
    )
    return _unless_stopped(run)


def ensemble(
    data: PathLike,
    runs: Paths,
    *,
    out: PathLike,
    weights: Literal["equal", "valid"] = "equal",
    composition: bool = False,
    fold: int = 0,
    accelerator: "Accelerator" = "auto",
    overwrite: bool = False,
) -> "Run":
    """Join fine-tuned models to one, which predicts the weighted sum of their log-odds (windows) or emissions (genes).

    Args:
        data: dataset folder on which they were fine-tuned.
        runs: two or more runs of `finetune` with one head, any but gene-model; with a composition one run will do.
        out: run folder to write.
        weights: equal: the mean. valid: fitted on the valid split, for windows.
        composition: windows: add what their k-mers say, with the share that makes the labels of valid most probable.
        fold: fold of the dataset for which they were trained, from 1; 0 for the splits of the whole dataset.
        accelerator: auto takes a GPU where there is one; cpu or gpu.
        overwrite: replace a run that is there.

    Returns:
        The run; `load`, `evaluate`, `predict_file` and `score_variants` take it like any other. Its scores are those on valid.

    Raises:
        ConfigError: models of other labels, heads, folds or data than the others, or gene models. CheckpointError: a run without
        a checkpoint, or the run folder is there already. DatasetError: no dataset, or one without valid.

    Example:
        >>> other = dnaspt.finetune("data/peaks", out="runs/other", preset="tiny", steps=2, batch_bp=2048, seed=1)
        >>> run = dnaspt.ensemble("data/peaks", ["runs/peaks", other], out="runs/both")
        >>> sorted(run.scores)
        ['valid_auprc', 'valid_auroc']
    """
    check_switches(composition=composition, overwrite=overwrite)
    given = {
        "data": as_path(data, "data"),
        "runs": as_paths(runs, "runs"),
        "out": as_path(out, "out"),
        "weights": weights,
        "composition": composition,
        "fold": fold,
        "accelerator": accelerator,
    }
    checked = _settings(EnsembleConfig, given, None)
    from dnaspt.training.ensemble import ensemble as join

    return join(checked, overwrite=overwrite)


def load(path: PathLike, *, revision: str = "", accelerator: "Accelerator" = "auto") -> "Model":
    """Load a model for predictions, embeddings and variant scores.

    Args:
        path: run of `pretrain` or `finetune`, a checkpoint folder, a folder of `export`, or a name on the Hugging Face hub
            (OWNER/NAME, or OWNER/NAME@REVISION), of which config.json and model.safetensors are downloaded.
        revision: of a name on the hub, commit, tag or branch; pin the commit to get the same model again.
        accelerator: auto takes a GPU where there is one; cpu or gpu.

    Returns:
        The model, in eval mode on its device.

    Raises:
        CheckpointError: nothing there, no checkpoint, or the hub cannot be reached. ConfigError: no GPU where one is asked for,
        or a revision of a folder.

    Example:
        >>> model = dnaspt.load("runs/genes")
        >>> model.task, model.head
        ('genes', 'crf')
    """
    from dnaspt.inference.model import load as load_model

    check_texts(revision=revision)
    return load_model(as_path(path, "path"), revision=revision, accelerator=accelerator)


def evaluate(
    model: "PathLike | Model",
    data: PathLike,
    *,
    split: str = "test",
    baseline: str | Sequence[str] = (),
    fold: int = 0,
    average_strands: bool | None = None,
    any_data: bool = False,
    accelerator: "Accelerator" = "auto",
) -> "Evaluation":
    """Score a model on a split of a dataset, with 95 % intervals over blocks of the genome.

    The scores are also written into the run, and every measurement is logged there.

    Args:
        model: fine-tuned run, checkpoint, or loaded model; for variants a pretrained one too.
        data: dataset folder.
        split: test, valid or train.
        baseline: also score what the model has to beat, on test: one or several of kmer, markov and cpg; for numbers kmer; for
            genes augustus. They are kept in the run.
        fold: fold whose split is scored, from 1; 0 for the split of the whole dataset.
        average_strands: average the scores of both strands; None: models of windows as was better on valid, of genes not.
        any_data: accept a model that was trained on another dataset.
        accelerator: auto takes a GPU where there is one; cpu or gpu.

    Returns:
        The scores: `.primary` (MCC of genes, mean AUROC of windows, mean Pearson correlation of numbers), `.scores`,
        `.intervals`, `.to_frame()`; with a baseline also `.beside`, what the model has over each of them.

    Raises:
        CheckpointError: not a fine-tuned model, of another task, or (unless any_data) trained on another dataset; with a
        baseline, no folder of a run. DatasetError: no dataset, or without that split, or a baseline for other labels.
        ConfigError: with a baseline: no such one, another split than test, a loaded model, a run that cannot be written, or
        no AUGUSTUS here.

    Example:
        >>> scores = dnaspt.evaluate("runs/genes", "data/genes", split="valid")
        >>> scores.metric
        'mcc'
        >>> list(scores.to_frame().columns)
        ['metric', 'value', 'low', 'high']
    """
    check_switches(any_data=any_data, **({} if average_strands is None else {"average_strands": average_strands}))
    beaten, own, folder = as_texts(baseline, "baseline"), _model_or_path(model), as_path(data, "data")
    from dnaspt.evaluation.evaluate import evaluate as score

    asked: dict[str, Any] = {"any_data": any_data, "average_strands": average_strands, "accelerator": accelerator}
    if not beaten:
        return score(own, folder, split=split, fold=fold, **asked)
    from dnaspt.reports.beside_baselines import beside_baselines, check_beside

    if not isinstance(own, Path):
        raise ConfigError("baselines are kept in the run; give its folder instead of a loaded model")
    check_beside(own, folder, beaten, split=split, fold=fold)
    evaluation = score(own, folder, split=split, fold=fold, **asked)
    return replace(evaluation, beside=tuple(beside_baselines(own, evaluation, folder, beaten)))


def explain(
    model: "PathLike | Model",
    out: Paths | None = None,
    *,
    sequences: PathLike | None = None,
    genome: PathLike | None = None,
    regions: PathLike | None = None,
    data: PathLike | None = None,
    split: str = "test",
    fold: int = 0,
    n_windows: int | None = None,
    label: str | None = None,
    method: "Method" = "ism",
    average_strands: bool | None = None,
    n_references: int = 20,
    seed: int = 0,
    logo: PathLike | None = None,
    loci: str | Sequence[str] = (),
    sequence_column: str | None = None,
    name_column: str | None = None,
    accelerator: "Accelerator" = "auto",
    overwrite: bool = False,
    progress: bool = False,
) -> "ExplanationSummary":
    """Say how much each base speaks for a label: attributions of sequences or windows, to files (docs/explain.md).

    It needs tangermeme: pip install tangermeme.

    Args:
        model: fine-tuned run, checkpoint, or loaded model of windows or sequences.
        out: the files to write. NAME.npz, beside which NAME.onehot.npz appears: attributions of all four letters and the letters,
            as modisco-lite reads them. NAME.bw: contributions of the letters of a genome. None, with data: attributions-SPLIT.npz
            in the run, where `report` finds it.
        sequences: table (CSV, TSV, JSON lines, Parquet) or FASTA of sequences, each a window.
        genome: FASTA of a genome, with regions.
        regions: BED of intervals: around the middle of each a window as long as those of the model.
        data: dataset: windows of a split that have the label, or a number for it.
        split: of data: test, valid or train.
        fold: of data: fold whose split it is, from 1.
        n_windows: of data: windows at most, drawn at random; 200 if left out.
        label: the label that is explained; None where the model has one label only.
        method: ism (each base is changed to each other letter), gradient (gradient x input) or deeplift (DeepLIFT/SHAP).
        average_strands: explain the mean of both strands; None: as the model predicts by default.
        n_references: deeplift: shuffled sequences with which each is compared.
        seed: of the windows that are drawn, and of the shuffles.
        logo: figure of logos to write, too: .svg, .png or .pdf.
        loci: what is drawn: names of windows, or intervals such as chr1:5001-5100 (1-based, the last base included); left out,
            five windows of the highest prediction. Of a window the 100 bases with the largest contributions are drawn.
        sequence_column: column of the sequences; None for the one with a usual name (docs/files.md), such as sequence.
        name_column: column of the names; None for the one with a usual name, such as name or id.
        accelerator: auto takes a GPU where there is one; cpu or gpu.
        overwrite: replace files that are there.
        progress: show a progress bar with the time left.

    Returns:
        Counts of what was explained and left out, and the files.

    Raises:
        ConfigError: settings that contradict each other, a model of genes or bins, no such label, or tangermeme is not installed.
        InputError: a file that cannot be used, or nothing to explain. CheckpointError: not a fine-tuned model.
        BusyError: another process writes one of the files.

    Example:
        >>> summary = dnaspt.explain("runs/peaks", "peaks.npz", data="data/peaks", n_windows=3, method="gradient")
        >>> summary.files
        ('peaks.npz', 'peaks.onehot.npz')
    """
    from dnaspt.inference.explain_options import ExplainOptions, ExplainSource
    from dnaspt.reports.explanation import explain_files

    check_switches(
        progress=progress,
        overwrite=overwrite,
        **({} if average_strands is None else {"average_strands": average_strands}),
    )
    check_whole_numbers(fold=fold, n_windows=n_windows, n_references=n_references, seed=seed)
    source = ExplainSource(
        sequences=as_path_or_none(sequences, "sequences"),
        genome=as_path_or_none(genome, "genome"),
        regions=as_path_or_none(regions, "regions"),
        data=as_path_or_none(data, "data"),
        split=split,
        fold=fold,
        n_windows=n_windows,
        sequence_column=sequence_column,
        name_column=name_column,
    )
    return explain_files(
        _model_or_path(model),
        source,
        ExplainOptions(method, average_strands, n_references, seed),
        label=label,
        out=as_paths(out, "out") or (),
        logo=as_path_or_none(logo, "logo"),
        loci=as_texts(loci, "loci"),
        accelerator=accelerator,
        overwrite=overwrite,
        reporter=_reporter("explain", progress=progress),
    )


def score_variants(
    model: "PathLike | Model",
    vcf: PathLike,
    genome: PathLike,
    *,
    out: PathLike | None = None,
    window_bp: int | None = None,
    strict: bool = False,
    accelerator: "Accelerator" = "auto",
    overwrite: bool = False,
) -> "pd.DataFrame":
    """Score the alleles of a VCF file, both strands averaged.

    A score does not depend on how an allele is written: for scoring, each is trimmed and left-aligned, as by `bcftools norm`.

    Args:
        model: run or checkpoint of `pretrain` or `finetune`, or a loaded model.
        vcf: VCF, plain, gzip or bgzip.
        genome: FASTA.
        out: file to write too: .vcf, .vcf.gz or .parquet.
        window_bp: bases around an allele that the model sees; left out, the model's own windows, else 512.
        strict: a REF that differs from the genome is an error.
        accelerator: auto takes a GPU where there is one; cpu or gpu.
        overwrite: replace `out` if it is there. It stays until the new file is whole.

    Returns:
        A row for each allele with letters that are not those of REF, in the order of the file: chrom, pos (1-based), ref, alt,
        cosine (change of the hidden states at the allele), and llr (nats; pretrained models) or a column "delta LABEL" for each
        label (fine-tuned models, but not those of methylation, which label CpGs). Scores are missing (NaN) where an allele could
        not be scored.

    Raises:
        InputError: a file that cannot be used; with `strict`, a REF that differs. CheckpointError: no model.

    Example:
        >>> table = dnaspt.score_variants("runs/pre", "calls.vcf", "genome/genome.fa")
        >>> list(table.columns)
        ['chrom', 'pos', 'ref', 'alt', 'cosine', 'llr']
    """
    check_switches(strict=strict, overwrite=overwrite)
    check_whole_numbers(window_bp=window_bp)
    from dnaspt.inference.variants_vcf import score_variants as score

    return score(
        _model_or_path(model),
        as_path(vcf, "vcf"),
        as_path(genome, "genome"),
        out=as_path_or_none(out, "out"),
        window_bp=window_bp,
        strict=strict,
        accelerator=accelerator,
        overwrite=overwrite,
    )


def baseline(
    data: PathLike,
    *,
    out: PathLike,
    model: str = "",
    annotation: PathLike | None = None,
    species: str = "",
    optimize_minutes: float = 0,
    k: int | None = None,
    fold: int = 0,
    overwrite: bool = False,
) -> "Evaluation":
    """Score on the test split what a model has to beat: composition for windows, another gene finder for genes.

    Args:
        data: dataset folder.
        out: folder to write: scores as those of a run, for genes also genes.gff3.
        model: for windows kmer (logistic regression on k-mer counts, the default), markov (two Markov chains) or cpg (CpG
            count); for genes augustus (AUGUSTUS, trained on the train split).
        annotation: for genes, GFF3 or GTF that another tool predicted on the dataset's contigs.
        species: for genes, run AUGUSTUS with this model of its authors.
        optimize_minutes: for genes, minutes for the search of meta-parameters by optimize_augustus.pl, after the training of
            AUGUSTUS; what it has found by then is kept.
        k: length of the k-mers (4 if left out), or order of the Markov chains (chosen on valid if left out).
        fold: fold of a dataset with folds, from 1: learn from its train, score what it tests.
        overwrite: replace a baseline that is there.

    Returns:
        The scores on test.

    Raises:
        DatasetError: no dataset, or the folder is there already. ConfigError: a model that does not fit the task.

    Example:
        >>> scores = dnaspt.baseline("data/peaks", out="runs/cpg", model="cpg")
        >>> scores.metric
        'mean_auroc'
    """
    check_switches(overwrite=overwrite)
    check_numbers(optimize_minutes=optimize_minutes)
    check_whole_numbers(k=k, fold=fold)
    from dnaspt.baselines.baseline import run_baseline

    return run_baseline(
        as_path(data, "data"),
        as_path(out, "out"),
        model=model,
        annotation=as_path_or_none(annotation, "annotation"),
        species=species,
        optimize_minutes=optimize_minutes,
        k=k,
        fold=fold,
        overwrite=overwrite,
    )


def compare_annotations(
    reference: PathLike,
    prediction: PathLike,
    genome: PathLike | None = None,
    *,
    out: PathLike | None = None,
    genetic_code: int = 1,
    start_codons: Sequence[str] = (),
    overwrite: bool = False,
) -> "AnnotationComparison":
    """Compare a predicted annotation with a reference: coding bases, splice sites, exons, intron chains, transcripts, genes.

    All isoforms of both sides count. Both files are read by the rules of docs/files.md. A stop codon belongs to the CDS: rows of
    `stop_codon` are added to it, and with a genome the stop codon behind a CDS that has none.

    Args:
        reference: GFF3 or GTF of any tool, plain, gzip or bgzip.
        prediction: the same.
        genome: FASTA; with it, illegal structures of both sides are counted, too: no start codon, no stop codon, stop codons in
            frame, a length that is not a multiple of 3, introns that are not GT-AG or GC-AG.
        out: file to write too: .csv (the table of `to_frame`) or .json (everything).
        genetic_code: number of the genetic code at NCBI: 1, 4, 6, 10 or 12; has an effect with a genome.
        start_codons: codons that a complete gene begins with; none given: ATG.
        overwrite: replace `out` if it is there.

    Returns:
        Sensitivity, precision and F1 by level, with 95 % intervals over blocks of the genome, and counts.

    Raises:
        InputError: a file that cannot be used, a reference without genes, annotations without a contig in common, or a gene that
        ends off its contig. ConfigError: `out` is read, is there already, or has another suffix; no such genetic code.

    Example:
        >>> compared = dnaspt.compare_annotations("genome/annotation.gff3", "genome/annotation.gff3", "genome/genome.fa")
        >>> compared.levels["gene"].f1.value, compared.prediction.structures.n_illegal
        (1.0, 0)
    """
    from dnaspt.evaluation.compare_annotations import compare_annotations as compare
    from dnaspt.evaluation.compare_annotations import write_comparison
    from dnaspt.genome.genetic_code import genetic_code as code_of

    check_switches(overwrite=overwrite)
    true, predicted = as_path(reference, "reference"), as_path(prediction, "prediction")
    fasta, file = as_path_or_none(genome, "genome"), as_path_or_none(out, "out")
    if file is not None:
        if file.suffix.lower() not in (".csv", ".json"):
            raise ConfigError(f"{file}: expected a name that ends in .csv or .json")
        refuse_inputs(file, {"reference": true, "prediction": predicted, "genome": fasta}, is_file=True)
        check_file_to_write(file)
        refuse_existing(file, overwrite=overwrite)
    check_whole_numbers(genetic_code=genetic_code)
    compared = compare(true, predicted, fasta, code=code_of(genetic_code, start_codons))
    if file is not None:
        write_comparison(compared, file)
    return compared


def decode_emissions(
    emissions: PathLike,
    genome: PathLike,
    out: PathLike,
    *,
    logits: bool = False,
    weight: float = 1.0,
    lengths: "PathLike | Model | None" = None,
    genes_per_mb: float = 100.0,
    genetic_code: int | None = None,
    start_codons: Sequence[str] | None = None,
    proteins: PathLike | None = None,
    cds: PathLike | None = None,
    complete_genes: bool = False,
    min_intron_bp: int | None = None,
    min_score: float = 0.0,
    min_coding_bp: int = 0,
    softmask: float = 0.0,
    overwrite: bool = False,
) -> "GeneSummary":
    """Decode class probabilities of each base, from any network, to whole genes, and write them as GFF3 or GTF.

    Every gene is legal: start and stop codon, frame, and GT-AG or GC-AG introns (docs/gene_models.md).

    Args:
        emissions: npz file with an array (L, K) for each contig, under its name; K is 9, 15 or 29 (docs/files.md).
        genome: FASTA with these contigs.
        out: .gff3 or .gtf to write; it appears whole or not at all.
        logits: whether the arrays hold logits; else probabilities, which sum to 1 at each base.
        weight: what log-probabilities are multiplied by; below 1 the network counts less against the lengths.
        lengths: run of a gene model, whose lengths and sensors are used; None for lengths that fit most eukaryotes.
        genes_per_mb: genes in a megabase of sequence between genes; of no effect with `lengths`.
        genetic_code: number of the genetic code at NCBI; None for that of `lengths`, else 1.
        start_codons: codons that a gene may begin with; None for those of `lengths`, else ATG.
        proteins: FASTA of the proteins to write too.
        cds: FASTA of the coding sequences to write too.
        complete_genes: no gene goes on beyond its contig.
        min_intron_bp: bases of the shortest intron; None for that of `lengths`, else 10.
        min_score: lowest probability of a whole gene that is written, 0 to 1.
        min_coding_bp: fewest coding bases that are written.
        softmask: nats that each soft-masked (lower-case) base costs as a coding one.
        overwrite: replace files that are there. They stay until the new ones are whole.

    Returns:
        Counts of what was decoded and written.

    Raises:
        InputError: a file that cannot be used: arrays of another shape, contigs without one, NaN, or no probabilities.
        ConfigError: an option out of range, or `out` is read or there already. CheckpointError: `lengths` has no gene
        model. BusyError: another process writes one of the files.

    Example:
        >>> import numpy as np
        >>> contigs = ("chr1", "chr2", "chr3")
        >>> np.savez("classes.npz", **{name: np.full((40_000, 9), 1 / 9) for name in contigs})
        >>> dnaspt.decode_emissions("classes.npz", "genome/genome.fa", "decoded.gff3").n_contigs
        3
    """
    from dnaspt.inference.decode_emissions import DecodeOptions, decode_file
    from dnaspt.inference.predict import PredictOptions, checked_outputs

    arrays, fasta, written = as_path(emissions, "emissions"), as_path(genome, "genome"), as_path(out, "out")
    run = None if lengths is None else _model_or_path(lengths)
    sequences = {"proteins": as_path_or_none(proteins, "proteins"), "cds": as_path_or_none(cds, "cds")}
    inputs = {"emissions": arrays, "genome": fasta, "run": run if isinstance(run, Path) else None}
    check_switches(logits=logits, overwrite=overwrite)
    check_numbers(weight=weight, genes_per_mb=genes_per_mb)
    check_whole_numbers(genetic_code=genetic_code)
    genes = PredictOptions(
        complete_genes=complete_genes,
        min_intron_bp=min_intron_bp,
        min_score=min_score,
        min_coding_bp=min_coding_bp,
        softmask=softmask,
    )
    options = DecodeOptions(logits, weight, genes_per_mb, genetic_code, start_codons, genes)
    with checked_outputs(written, sequences, inputs, overwrite=overwrite) as files:
        return decode_file(arrays, fasta, written, options, lengths=run, sequences=files)


def study(
    config: PathLike | Mapping[str, Any],
    *,
    out: PathLike,
    data: PathLike | None = None,
    records: PathLike | None = None,
    jobs: int = 1,
    engine: Literal["local", "ray"] = "local",
    report_only: bool = False,
    progress: bool = False,
) -> "StudyResult":
    """Tell whether self-pretraining, a CRF or longer training helps on these data, by comparing ways to a model over seeds.

    Finished runs are skipped, so that a study that was broken off goes on when it is called again.

    Args:
        config: TOML file of a study of one dataset (docs/settings.md), or its content as a dictionary.
        out: folder of the runs, their records and the report (study.html, study.md, tables).
        data: another dataset than the file names.
        records: folder of the records of finished runs; left out, OUT/records.
        jobs: runs at a time; they share the cores.
        engine: local, or ray for the workers of a Ray cluster.
        report_only: train nothing; report what is finished in all folds and seeds, and name the rest.
        progress: say what is being run.

    Returns:
        The answer in sentences, the scores of the arms and the differences between them with intervals.

    Raises:
        ConfigError: unknown settings. DnasptError: a run failed; what is finished stays. Or nothing is finished.

    Example:
        >>> settings = {"data": "data/peaks", "seeds": [0], "learning_rates": [1e-3],
        ...             "arms": [{"name": "CpG count", "init": "cpg"}]}
        >>> result = dnaspt.study(settings, out="studies/peaks")
        >>> len(result.groups)
        1
    """
    check_switches(report_only=report_only, progress=progress)
    from dnaspt.studies.context import StudyContext
    from dnaspt.studies.settings import StudyConfig, check_settings, read_study

    if isinstance(config, Mapping):
        settings = build_config(StudyConfig, {**config, **({"data": as_path(data, "data")} if data else {})})
    else:
        settings = read_study(as_path(config, "config"), as_path_or_none(data, "data"))
    settings = check_settings(settings, as_path(out, "out"), report_only=report_only)
    from dnaspt.reports.study_report import study_report  # with PyTorch and matplotlib: a mistake is told before

    kept = as_path(records, "records") if records else as_path(out, "out") / "records"
    context = StudyContext(settings, as_path(out, "out"), kept, jobs, engine, _say if progress else _say_nothing)
    return study_report(context, report_only=report_only)


def report(
    runs: Paths,
    *,
    data: PathLike,
    out: PathLike,
    pretrain: PathLike | None = None,
    baselines: Paths = (),
    loci: str | Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Compare evaluated runs of one dataset in one HTML file: tables, curves, and example loci in an interactive view.

    Args:
        runs: fine-tuned runs that are evaluated on test, in the order to show them.
        data: their dataset.
        out: HTML file to write; its figures go into a folder beside it.
        pretrain: the pretraining run.
        baselines: folders of `baseline` on the same dataset, to show after the runs.
        loci: of attributions that `explain` keeps in a run: what to draw, names of windows or intervals such as chr1:5001-5100
            (1-based, the last base included); none for the windows of the highest predictions.
        overwrite: replace a report that is there.

    Returns:
        The file.

    Raises:
        DnasptError: a run that is not evaluated on the test split of this dataset. ConfigError: the file is there already.

    Example:
        >>> scores = dnaspt.evaluate("runs/genes", "data/genes")
        >>> dnaspt.report("runs/genes", data="data/genes", out="report.html").name
        'report.html'
    """
    from dnaspt.baselines.results import read_result
    from dnaspt.checkpoint_config import find_checkpoint
    from dnaspt.data.manifest import read_manifest

    check_switches(overwrite=overwrite)
    drawn = as_texts(loci, "loci")
    folders, pretrained = as_paths(runs, "runs") or (), as_path_or_none(pretrain, "pretrain")
    read_manifest(as_path(data, "data"))
    for folder in folders:
        if read_result(folder) is not None:
            raise ConfigError(f"{folder}: holds a baseline, not a run; give it with --baseline")
    for folder in (*folders, *([pretrained] if pretrained else [])):
        find_checkpoint(folder)
    from dnaspt.reports.run_page import write_report  # with PyTorch and matplotlib: a mistake is told before

    beside = as_paths(baselines, "baselines") or ()
    given = (as_path(out, "out"), as_path(data, "data"), folders, pretrained, beside)
    return write_report(*given, loci=drawn, overwrite=overwrite)


def export(
    run: PathLike,
    *,
    to: PathLike | None = None,
    push: str = "",
    license: str = "unknown",
    datasets: str | Sequence[str] = (),
    data: PathLike | None = None,
    public: bool = False,
    overwrite: bool = False,
    format: Literal["hub", "bend"] = "hub",
) -> "Exported":
    """Write a run for others: a folder with safetensors, config.json and a model card, or a model on the Hugging Face hub.

    The folder is a checkpoint like any other: what takes a run takes it. After `import dnaspt.transformers`, AutoModel and
    AutoTokenizer of transformers load it too. The card (README.md) says what data, splits, scores and settings the run has on
    record, without any path. It needs the package huggingface_hub.

    Args:
        run: run or checkpoint of `pretrain`, `finetune` or `ensemble`; to push, also a folder that was exported before, as it is.
        to: folder to write.
        push: name on the hub, OWNER/NAME, to upload it with the token of who is logged in (`hf auth login`, or HF_TOKEN).
        license: licence of the model as the hub calls it, such as mit or cc-by-4.0; unknown says that none was chosen.
        datasets: names on the hub of the data, if they are there.
        data: dataset folder of the run, for the card; None looks where the run found it.
        public: let everybody see what is pushed; else only its owner does.
        overwrite: replace an exported folder, and all files of a model that is on the hub.
        format: hub; bend writes a pretrained model in the format of BEND's ConvNet, without a card.

    Returns:
        What was written: files, bytes, and name, commit and address on the hub as `pushed`.

    Raises:
        CheckpointError: no checkpoint, one that others could not load, or the folder is there already. ConfigError: neither `to`
        nor `push`, an option that does not fit, a dataset that is not the run's, or the hub cannot be reached or refuses it.

    Example:
        >>> dnaspt.export("runs/pre", to="shared/pre", license="mit").files
        ('config.json', 'model.safetensors', 'tokenizer_config.json', 'README.md')
    """
    check_switches(public=public, overwrite=overwrite)
    check_texts(push=push, license=license, format=format)
    names = as_texts(datasets, "datasets")
    from dnaspt.sharing.export import export_run
    from dnaspt.sharing.options import ExportOptions

    options = ExportOptions(
        to=as_path_or_none(to, "to"),
        push=push,
        license=license.lower(),
        datasets=names,
        data=as_path_or_none(data, "data"),
        public=public,
        overwrite=overwrite,
        format=format,
    )
    return export_run(as_path(run, "run"), options)


def browse(
    inputs: Paths = (),
    *,
    genome: PathLike,
    locus: str | None = None,
    port: int = 0,
) -> "GenomeBrowser":
    """Show a genome with annotation, predictions and runs in a web browser, at any locus, served on this machine alone.

    Runs are asked for genes and posteriors, or for labels of windows, where the page looks. igv.js is part of dnaspt: nothing is
    loaded from the network.

    Args:
        inputs: GFF3, GTF, BED, bigWig, bedGraph and VCF files, fine-tuned runs, and folders of baselines.
        genome: FASTA, plain, gzip or bgzip; indexed in a temporary folder where it has no .fai beside it.
        locus: what is shown first: CONTIG, CONTIG:POSITION or CONTIG:FIRST-LAST, 1-based; left out, the first row of a file.
        port: port of the server; 0 for a free one.

    Returns:
        The browser, with its address as `url`. It serves until `close()`, or to the end of a `with`.

    Raises:
        InputError: a file that cannot be shown. CheckpointError: a folder that is no run of `finetune`.
        ConfigError: a locus that is not on the genome, or a port that is taken.

    Example:
        >>> browser = dnaspt.browse(["genome/annotation.gff3", "runs/genes"], genome="genome/genome.fa", locus="chr1:1-5,000")
        >>> browser.tracks
        ('annotation.gff3', 'genes', 'genes: P(coding), reverse strand below')
        >>> browser.close()
    """
    check_whole_numbers(port=port)
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port = {port}; expected 0 to 65,535")
    from dnaspt.browser.browse import serve

    return serve(as_paths(inputs, "inputs") or (), as_path(genome, "genome"), locus=locus or "", port=port)


def inspect(path: PathLike) -> "Description":
    """Describe a dataset folder, a run or a baseline: sizes, class balance, what was dropped and why, leakage, scores.

    Args:
        path: dataset folder, run, checkpoint, or folder of a baseline.

    Returns:
        Tables with titles; `print` shows them all, and `to_dict` has the numbers as they are.

    Raises:
        DnasptError: none of these.

    Example:
        >>> print(dnaspt.inspect("data/genes").tables[0].title)
        data/genes: genes
    """
    from dnaspt.reports.describe import describe

    return describe(as_path(path, "path"))


def _settings(kind: type[Config], options: Mapping[str, Any], config: PathLike | None) -> Config:
    """Checked settings from keywords and a TOML file, whose folder to write must not hold that file.

    Raises:
        ConfigError: see `build_config`.
    """
    toml = as_path_or_none(config, "config")
    settings = build_config(kind, options, toml)
    refuse_inputs(settings.out, {"config": toml})  # type: ignore[attr-defined]
    return settings


def _unless_stopped(run: "Run") -> "Run":
    """The run.

    Raises:
        RunStopped: a signal stopped it.
    """
    from dnaspt.training.runs import RunStopped

    if run.stopped_by.startswith("SIG"):
        raise RunStopped(run)
    return run


def _model_or_path(model: "PathLike | Model") -> "Path | Model":
    from dnaspt.inference.model import Model

    return model if isinstance(model, Model) else as_path(model, "model")


def _reporter(title: str, *, progress: bool) -> "Reporter | None":
    """A progress bar, where one is asked for."""
    if not progress:
        return None
    from dnaspt.progress import ProgressBar

    return ProgressBar(title)


def _say(text: str) -> None:
    """Show a line of text."""
    from dnaspt.progress import say

    say(text)


def _say_nothing(text: str) -> None:
    """Show nothing."""
