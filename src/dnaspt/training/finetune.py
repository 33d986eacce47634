"""Fine-tuning: a dataset and an encoder, pretrained or fresh, to a model with a task head, chosen on the valid split.

Settings, dataset, encoder and run folder are checked before torch is imported, so that a mistake fails fast.
"""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaspt.checkpoint_config import (
    TENSORS,
    CheckpointConfig,
    NetworkConfig,
    find_checkpoint,
    has_class_scores,
    read_config,
)
from dnaspt.config import BASELINE_ENCODERS, OF_GRADIENTS, PRESETS, AnyEncoderConfig, EnsembleConfig, FinetuneConfig
from dnaspt.data.dataset import Split, read_split, split_file
from dnaspt.data.manifest import Manifest, Source, read_manifest
from dnaspt.data.segments import segments
from dnaspt.data.subset import label_subset
from dnaspt.data.transcript_table import TRANSCRIPTS, read_transcripts, shortest_intron_bp
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.gene_metrics import LEVELS, TRUE, ScoredRegion, count_levels
from dnaspt.genome.genetic_code import STANDARD, GeneticCode, genetic_code
from dnaspt.genome.transcripts import Transcript
from dnaspt.output import refuse_inputs
from dnaspt.tasks import GENE_MODEL, TASKS
from dnaspt.training.processes import check_processes
from dnaspt.training.recipe import LEAST_WINDOWS
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run

if TYPE_CHECKING:
    from dnaspt.training.loop import Reporter

log = logging.getLogger(__name__)

VALIDATION_BP = 4_000_000
"""Bases of the valid split on which a checkpoint is chosen, about."""


def finetune(
    config: FinetuneConfig, *, resume: bool = False, overwrite: bool = False, reporter: "Reporter | None" = None
) -> Run:
    """Train a task head and, unless it is frozen, the encoder; the best checkpoint on valid, by `choose_by`, is kept.

    Args:
        config: settings.
        resume: go on with a run that was broken off, or, with more epochs or steps, with one that is finished (`schedule`).
        overwrite: replace a run that is there.
        reporter: shows the progress.

    Returns:
        The run. Its scores are those of the best checkpoint on valid.

    Raises:
        DatasetError: no dataset, or one without train and valid, or without that fold.
        ConfigError: settings that do not fit the task, or a run folder where something is read.
        CheckpointError: the encoder or the network is no checkpoint; the run folder is there already, was started with other
            settings, or is none to resume.
        BusyError: another process writes the run folder.
        DivergedError: the loss is no longer finite.
    """
    hint = check_processes(config)
    manifest = read_manifest(config.data, config.fold)
    head = check_settings(config, manifest, _head_of(config.out) if resume else "")
    pretrained = None if config.encoder is None else read_config(config.encoder)
    embeddings = Path(config.embeddings) if config.embeddings else None  # no path where it is a name on the hub
    refuse_inputs(
        config.out,
        {
            **{"data": config.data, "encoder": config.encoder, "embeddings": embeddings},
            **{"network": config.network, "teacher": config.teacher},
        },
    )
    if pretrained is not None:
        if pretrained.members:
            raise ConfigError(
                f"{config.encoder}: is an ensemble, which has no encoder of its own; give one of its models"
            )
        if pretrained.encoder.architecture == "basset" and manifest.per_base:
            raise ConfigError(f"{config.encoder}: Basset is for windows; {config.data} has labels per base")
        _warn_of_test_sequences(config, manifest, pretrained)
    network = None if config.network is None else _read_network(config, config.network, manifest)
    if config.teacher is not None:
        _check_teacher(config, config.teacher, manifest)
    with RunFolder(config.out, config, resume=resume, overwrite=overwrite, hint=hint) as folder:
        if config.n_processes == 1:
            folder.claim()  # of several, rank 0 claims it later
        return _train(config, manifest, _describe(config, manifest, head, pretrained, network), folder, reporter)


def _train(
    config: FinetuneConfig,
    manifest: Manifest,
    checkpoint: CheckpointConfig,
    folder: RunFolder,
    reporter: "Reporter | None",
) -> Run:
    """Read the windows, and train."""
    train = label_subset(read_split(config.data, "train", config.fold), config.label_fraction, config.seed)
    valid = read_split(config.data, "valid", config.fold)
    _check_valid(config, manifest, valid)
    if checkpoint.head == GENE_MODEL:
        from dnaspt.training.fit_gene_model import run_gene_model  # torch: seconds

        return run_gene_model(config, manifest, checkpoint, (train, valid), folder, reporter)
    valid = spread_evenly(valid, VALIDATION_BP)
    annotated = scored_transcripts(config, manifest, valid)

    from dnaspt.training.train_task_model import FinetuningData, train_task_model  # torch: seconds

    data = FinetuningData(manifest, train, valid, annotated)
    return train_task_model(config, data, checkpoint, folder, reporter)


def scored_transcripts(
    config: FinetuneConfig | EnsembleConfig, manifest: Manifest, valid: Split
) -> list[tuple[Transcript, bool]]:
    """Annotated transcripts of the valid split by which validations score genes; none where no gene can be scored.

    Raises:
        DatasetError: none, and checkpoints are to be chosen by them.
    """
    annotated: list[tuple[Transcript, bool]] = []
    if manifest.per_base and split_file(config.data, TRANSCRIPTS).is_file():
        annotated = read_transcripts(config.data, "valid", config.fold)
        regions = [ScoredRegion.whole(own.chrom, own.start, own.labels) for own in segments(valid)]
        if not count_levels(annotated, (), regions)[0][:, LEVELS.index("gene"), TRUE].any():
            annotated = []
    if not annotated and isinstance(config, FinetuneConfig) and config.choose_by in ("exon_f1", "gene_f1"):
        problem = f"no whole gene of the annotation lies on the valid split, so choose_by = {config.choose_by!r} chooses nothing"
        raise DatasetError(f"{config.data}: {problem}; say mcc, or split otherwise")
    return annotated


def _head_of(run: Path) -> str:
    """Head of the checkpoints of a run; "" where it has none. Runs of earlier versions took another head for `auto`.

    Raises:
        CheckpointError: a checkpoint that cannot be read.
    """
    checkpoints = [path for name in ("best", "last") for path in (run / name).glob("step-*")]
    return read_config(run).head if checkpoints else ""


def check_settings(config: FinetuneConfig, manifest: Manifest, begun_with: str = "") -> str:
    """Check that settings and dataset fit, warn of settings without effect, and choose the head.

    Args:
        config: settings.
        manifest: of the dataset.
        begun_with: head of the run that goes on, which `auto` then stands for.

    Raises:
        ConfigError: head and task do not fit, a split is missing, or settings contradict each other.
        DatasetError: it has no labels.
    """
    task = TASKS[manifest.task]
    manifest.check_has_labels(config.data)
    if not task.heads:
        raise ConfigError(f"{config.data}: {task.name} are scored without training; see 'dnaspt evaluate'")
    head = (begun_with or manifest.default_head) if config.head == "auto" else config.head
    if head not in task.heads:
        raise ConfigError(f"head {head!r} does not fit task {task.name!r}; expected {' or '.join(task.heads)}")
    if missing := [name for name in ("train", "valid") if name not in manifest.splits]:
        raise ConfigError(
            f"{config.data}: has no {missing[0]} split; fine-tuning learns on train and chooses on valid{manifest.hint}"
        )
    _check_genes(config, manifest)
    if config.embeddings and (config.encoder is not None or "preset" in config.model_fields_set):
        raise ConfigError("--embeddings takes the place of --encoder and --preset; give one of them")
    if config.preset == "basset" and manifest.per_base:
        raise ConfigError(f"preset 'basset' is for windows; {config.data} has labels per base")
    if config.choose_by != "auto" and not manifest.per_base:
        raise ConfigError(f"choose_by = {config.choose_by!r} is for genes; {config.data} has labels of windows")
    if config.positive_weight and manifest.per_base:
        raise ConfigError("positive_weight is for labels of windows and bins; see class_weights")
    if config.pool == "normalized":
        _check_pool(config, manifest)
    idle = [name for name in ("composition", "positive_weight", "teacher") if getattr(config, name)]
    idle += ["class_weights"] if task.numbers and config.class_weights != "none" else []
    if (task.one_of or task.numbers) and idle:
        raise ConfigError(f"{idle[0]} is for labels that are true or false; {config.data} has {task.has}")
    if head == "poisson":
        _check_counts(manifest)
    if config.composition and (manifest.per_base or manifest.resolution_bp):
        raise ConfigError(f"composition is for labels of windows; {config.data} has labels of bases or bins")
    if config.average_strands != "auto" and manifest.per_base:
        raise ConfigError(f"average_strands is for labels of windows; {config.data} has labels of bases")
    if config.teacher is not None and (manifest.per_base or manifest.resolution_bp):
        raise ConfigError(f"teacher is for labels of windows; {config.data} has labels of bases or bins")
    if code_of(config, manifest) is not STANDARD and head == "crf":
        raise ConfigError(
            "a crf knows genetic code 1 and the start codon ATG alone; take --head gene-model for other genetic codes"
        )
    if head == GENE_MODEL:
        _refuse_settings_of_gradients(config)
    elif config.network is not None:
        raise ConfigError(
            f"--network has no effect on a {head} head: it is for --head gene-model, which adds its scores"
        )
    _warn_of_idle_settings(config, head)
    return head


def code_of(config: FinetuneConfig, manifest: Manifest) -> GeneticCode:
    """The genetic code that was asked for, else the dataset's.

    Raises:
        ConfigError: no such code or codon.
    """
    table = manifest.genetic_code if config.genetic_code is None else config.genetic_code
    return genetic_code(table, config.start_codons)


def _check_genes(config: FinetuneConfig, manifest: Manifest) -> None:
    """Refuse genes without a coding base to learn from, and warn where there is none to choose the checkpoint by.

    Raises:
        ConfigError: the train split of genes has no coding base.
    """
    labels = [name for name in manifest.labels if name.startswith("CDS")]
    n_coding = {
        name: sum(split.label_counts.get(label, 0) for label in labels) for name, split in manifest.splits.items()
    }
    if labels and not n_coding["train"]:
        raise ConfigError(f"{config.data}: the train split has no coding base; prepare it with genes in every split")
    if labels and not n_coding["valid"]:
        log.warning("%s: the valid split has no coding base: it tells no good checkpoint from a bad one", config.data)


def _check_counts(manifest: Manifest) -> None:
    """Refuse to learn counts from numbers below 0.

    Raises:
        ConfigError: names the label.
    """
    for split, summary in manifest.splits.items():
        for label, numbers in summary.numbers.items():
            if numbers.least < 0:
                raise ConfigError(
                    f"head 'poisson' is for counts; {label!r} has {numbers.least:g} in {split}; say --head mse"
                )


def _check_pool(config: FinetuneConfig, manifest: Manifest) -> None:
    """Refuse to normalize pooled vectors if a batch is no fair sample of the windows.

    Raises:
        ConfigError: no windows, Basset, more than one process, or too few windows in a batch.
    """
    if manifest.per_base or manifest.resolution_bp or config.preset == "basset":
        raise ConfigError(f'pool = "normalized" is for windows, with another encoder than basset; {config.data}')
    if config.n_processes > 1:
        raise ConfigError('pool = "normalized" learns in one process: what windows are like is counted in each alone')
    if (n_windows := config.batch_bp // manifest.window_bp) < LEAST_WINDOWS:
        n_bp = LEAST_WINDOWS * manifest.window_bp
        raise ConfigError(
            f'pool = "normalized": a batch has {n_windows} windows; expected batch_bp of {n_bp:,} or more'
        )


def _refuse_settings_of_gradients(config: FinetuneConfig) -> None:
    """Refuse settings that a gene model has no use for: who gives them expects something to be trained by them.

    Raises:
        ConfigError: names them.
    """
    fields = FinetuneConfig.model_fields
    names = OF_GRADIENTS - {"tensorboard", "save_every", "max_minutes"}
    given = sorted(name for name in names if getattr(config, name) != fields[name].default)
    if given:
        raise ConfigError(
            f"{', '.join(given)}: no effect on a gene model, which is estimated and not trained by gradients; "
            "leave that out, or say head 'crf' (--head crf)"
        )


def _warn_of_idle_settings(config: FinetuneConfig, head: str) -> None:
    """Warn of settings that have no effect with this head and encoder."""
    is_crf = head.startswith("crf")
    if config.class_weights != "none" and is_crf:
        log.warning("class weights have no effect on a CRF head")
    if head != GENE_MODEL and {"genetic_code", "start_codons"} & config.model_fields_set:
        log.warning("--genetic-code and --start-codons change nothing that a %s head learns: it knows no codons", head)
    if (
        head == GENE_MODEL
        and config.encoder is None
        and "preset" in config.model_fields_set
        and config.preset != "onehot"
    ):
        log.warning(
            "--preset %s without --encoder: an encoder of random weights scores the sites, which is a control; leave it out "
            "for letters, or train a network with --head crf",
            config.preset,
        )
    if config.encoder is not None and "preset" in config.model_fields_set:
        log.warning("--preset has no effect: the pretrained encoder has its own size")
    if config.crf_rate != FinetuneConfig.model_fields["crf_rate"].default and not is_crf:
        log.warning("crf_rate has no effect on a %s head", head)
    if config.freeze_encoder and config.encoder_rate != 1:
        log.warning("encoder_rate has no effect on a frozen encoder")
    if config.freeze_encoder and head == GENE_MODEL:
        log.warning("--freeze-encoder has no effect: the encoder of a gene model is always frozen")
    elif config.freeze_encoder and config.encoder is None:
        log.warning("the encoder is frozen and not pretrained: only the head learns")


def _warn_of_test_sequences(config: FinetuneConfig, manifest: Manifest, pretrained: CheckpointConfig) -> None:
    """Warn where the encoder has read, or may have read, sequences on which it will be chosen or scored.

    Raises:
        ConfigError: it was pretrained for another fold, or for none, so it has read what this fold tests.
    """
    dataset = read_manifest(config.data)
    if serves := pretrained.provenance.get("held_out", []):
        folds = {fold for digest in serves if (fold := dataset.fold_of_digest(digest)) is not None}
        if config.fold in folds:
            return  # what this run chooses on and tests was cut out
        if folds:
            of_other = f"fold {min(folds)} tests" if min(folds) else "the splits of the whole dataset hold out"
            do = f"with --fold {config.fold}" if config.fold else "without --fold"
            raise ConfigError(
                f"{config.encoder}: was pretrained without what {of_other} of this dataset, but may have read what is tested "
                f"here; pretrain {do}"
            )
    read = [pretrained.data_digest, *pretrained.provenance.get("read", [])]
    others = [fold for digest in read if (fold := dataset.fold_of_digest(digest)) is not None]
    other = next((fold for fold in others if fold != config.fold), others[0] if others else None)
    if (
        config.fold
        and other not in (None, config.fold)
        and "train" in pretrained.provenance.get("read_splits", ["train"])
    ):
        what = f"fold {other}" if other else "the whole train split"
        raise ConfigError(
            f"{config.encoder}: was pretrained on {what} of this dataset, and has read what fold {config.fold} tests; "
            f"pretrain with --fold {config.fold}"
        )
    held_out = [name for name in pretrained.provenance.get("read_splits", ()) if name in ("valid", "test")]
    if held_out and pretrained.data_digest == manifest.digest:
        log.warning("%s: was pretrained on the %s split of this dataset too", config.encoder, " and ".join(held_out))
    elif other is None:
        log.warning(
            "%s: was pretrained on other data, which may hold sequences of this test split; that is not checked: pretrain with "
            "--held-out %s",
            config.encoder,
            config.data,
        )


def _read_network(config: FinetuneConfig, path: Path, manifest: Manifest) -> CheckpointConfig:
    """The description of the network whose class scores a gene model is to add.

    Raises:
        CheckpointError: no checkpoint. ConfigError: it has no class scores of genes, or learned other labels, or those of
            another fold of the dataset.
    """
    network = read_config(path)
    if network.kind != "task" or not has_class_scores(network.task, network) or network.labels != manifest.labels:
        what = f"a {network.head} head for {network.task}" if network.kind == "task" else "a language model"
        raise ConfigError(f"{path}: holds {what}; expected a run of 'dnaspt finetune --head crf' or 'softmax' on genes")
    other = read_manifest(config.data).fold_of_digest(network.data_digest)
    if other not in (None, config.fold):
        trained = f"on fold {other}" if other else "on the splits of the whole dataset"
        do = f"with --fold {config.fold}" if config.fold else "without --fold"
        raise ConfigError(
            f"{path}: was trained {trained}, and has learned what is chosen or tested here; train it {do}"
        )
    if (network.stop_in_cds is False) != (manifest.stop_in_cds is False):
        where = "outside" if network.stop_in_cds is False else "inside"
        raise ConfigError(
            f"{path}: was trained on stop codons {where} the CDS, unlike {config.data}; train it on this dataset"
        )
    if other is None:
        log.warning(
            "%s: was trained on other data, which may hold genes of the valid or test split here; that is not checked",
            path,
        )
    return network


def _check_teacher(config: FinetuneConfig, path: Path, manifest: Manifest) -> None:
    """Refuse a teacher of other labels, and settings that have no sense where probabilities are learned.

    Raises:
        ConfigError: says which.
    """
    teacher = read_config(path)
    check_same_labels(path, teacher, config, manifest)
    if config.class_weights != "none" or config.positive_weight:
        raise ConfigError(
            "class_weights and positive_weight are for labels; a teacher gives probabilities: leave them out"
        )
    learned = [teacher.provenance, *(own.get("provenance", {}) for own in teacher.provenance.get("members", ()))]
    fractions = [own.get("settings", {}).get("label_fraction", 1.0) for own in learned]
    if any(fraction > config.label_fraction for fraction in fractions):
        log.warning("%s: has learned from more labels than the share of %g here", path, config.label_fraction)


def check_same_labels(
    run: Path, model: CheckpointConfig, config: FinetuneConfig | EnsembleConfig, manifest: Manifest
) -> None:
    """Refuse a model that predicts other labels than those of the dataset, or that may have learned what is tested.

    Raises:
        ConfigError: says why.
    """
    if model.kind != "task":
        raise ConfigError(f"{run}: holds a language model; expected a run of 'dnaspt finetune'")
    if (model.task, model.labels) != (manifest.task, manifest.labels):
        raise ConfigError(f"{run}: predicts other labels than {config.data} has")
    other = read_manifest(config.data).fold_of_digest(model.data_digest)
    if other != config.fold:
        trained = "on other data" if other is None else f"on fold {other}" if other else "on the splits of all folds"
        wanted = f"fold {config.fold} of {config.data}" if config.fold else f"the splits of {config.data}"
        raise ConfigError(f"{run}: was trained {trained}; expected a run that was trained on {wanted}")


def source_of(path: Path, config: CheckpointConfig) -> dict[str, Any]:
    """What to know of a checkpoint that goes into another model."""
    checkpoint = find_checkpoint(path)
    return {
        "path": str(checkpoint),
        "sha256": Source.of(checkpoint / TENSORS).sha256,
        "data_digest": config.data_digest,
        "provenance": config.provenance,
    }


def _describe(
    config: FinetuneConfig,
    manifest: Manifest,
    head: str,
    pretrained: CheckpointConfig | None,
    network: CheckpointConfig | None = None,
) -> CheckpointConfig:
    """Description of the model that is trained."""
    provenance: dict[str, Any] = {"command": "finetune", "settings": json.loads(config.model_dump_json())}
    if config.encoder is not None and pretrained is not None:
        provenance["encoder"] = source_of(config.encoder, pretrained)
    if config.network is not None and network is not None:
        provenance["network"] = source_of(config.network, network)
    if config.teacher is not None:
        provenance["teacher"] = source_of(config.teacher, read_config(config.teacher))
    if numbers := manifest.numbers_are:
        provenance["numbers"] = numbers
    code = code_of(config, manifest)
    return CheckpointConfig(
        kind="task",
        encoder=BASELINE_ENCODERS["onehot"]
        if pretrained is None and head == GENE_MODEL and "preset" not in config.model_fields_set
        else _fresh_encoder(config, manifest)
        if pretrained is None
        else pretrained.encoder.for_windows(manifest.window_bp),
        task=manifest.task,
        head=head,
        labels=manifest.labels,
        pool=config.pool,
        window_bp=manifest.window_bp,
        stop_in_cds=manifest.stop_in_cds,
        shortest_intron_bp=shortest_intron_bp(config.data, config.fold) if manifest.per_base else None,
        genetic_code=code.table,
        start_codons=code.starts,
        network=None
        if network is None
        else NetworkConfig(encoder=network.encoder, head=network.head, members=network.members),
        composition=0.0 if config.composition else None,  # its share is chosen after training
        data_digest=manifest.digest,
        provenance=provenance,
    )


def _fresh_encoder(config: FinetuneConfig, manifest: Manifest) -> AnyEncoderConfig:
    """The encoder where no run of `pretrain` is given: a size, a baseline, or a language model from Hugging Face."""
    if config.embeddings:
        from dnaspt.models.huggingface import read_huggingface_config  # torch: seconds

        return read_huggingface_config(config.embeddings, config.revision)
    encoder = PRESETS.get(config.preset) or BASELINE_ENCODERS[config.preset]
    return encoder.for_windows(manifest.window_bp)


def spread_evenly(split: Split, n_bp: int) -> Split:
    """The split, or, where it is larger than n_bp bases, groups of neighboring windows, evenly spread over it."""
    if len(split.codes) <= n_bp:
        return split
    n_runs = max(1, min(100, len(split) // 10))
    starts = np.linspace(0, len(split.codes), n_runs, endpoint=False)
    firsts = split.offsets[:-1]
    inside = firsts - starts[np.searchsorted(starts, firsts, side="right") - 1] < n_bp / n_runs
    log.info("checkpoints are chosen on %d of %d windows of the valid split", inside.sum(), len(split))
    return split.take(np.flatnonzero(inside))


def _check_valid(config: FinetuneConfig, manifest: Manifest, valid: Split) -> None:
    """Refuse valid windows on which no checkpoint can be chosen, before anything is trained.

    Raises:
        DatasetError: no label has both windows where it is true and windows where it is not, or two different numbers.
    """
    if manifest.per_base:
        return
    labels = valid.labels.reshape(-1, len(manifest.labels))
    if TASKS[manifest.task].numbers:
        if not any(len(np.unique(column[~np.isnan(column)])) > 1 for column in labels.T):
            problem = "no label has two different numbers in the valid split"
            raise DatasetError(f"{config.data}: {problem}, so no checkpoint can be chosen on it; prepare more data")
        return
    if not ((labels == 1).any(axis=0) & (labels == 0).any(axis=0)).any():
        problem = "no label has both positive and negative windows in the valid split"
        do = "split otherwise, or prepare more data"
        raise DatasetError(f"{config.data}: {problem}, so no checkpoint can be chosen on it; {do}")
