"""Evaluated runs in words: the sentences that open a report, and the commands that make the runs again.

Every claim is a comparison of numbers that the report shows. Two runs differ where the interval of a paired bootstrap of their
difference (`reports.compare`) excludes 0.
"""

import json
import math
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnaspt.config import FinetuneConfig, PretrainConfig, TrainingConfig
from dnaspt.evaluation.metrics import Score, sign_of
from dnaspt.evaluation.results import METRIC_NAMES, BootstrapCounts
from dnaspt.reports.compare import paired_gain
from dnaspt.reports.genes_as_predicted import GenesAsPredicted, PairedGain, as_predicted, genes_differ, standing
from dnaspt.reports.records import HEAD_NAMES, PretrainRecord, RunRecord
from dnaspt.reports.resamples import Resamples
from dnaspt.reports.tables import SIGNED, written
from dnaspt.training.recipe import recipe_settings

_SAME_NATS = 0.005
_MANY = 6
_NEUTRAL = frozenset(
    {"out", "data", "encoder", "preset", "head", "devices", "num_nodes", "accelerator", "tensorboard", "save_every"}
    | {"max_minutes", "freeze_encoder", "seed"}
)
"""Settings that may differ between two runs without changing what the comparison is about."""


def answer(
    runs: Sequence[RunRecord], pretraining: PretrainRecord | None = None, cpg_count: BootstrapCounts | None = None
) -> list[str]:
    """Say what the runs show, the most important first.

    Args:
        runs: runs that were evaluated on one dataset.
        pretraining: the pretraining run, if it is part of the report.
        cpg_count: scores of the test windows by their CpG count; None for genes.
    """
    metric = METRIC_NAMES[runs[0].scores.metric]
    genes = [own for run in runs if (own := GenesAsPredicted.of_run(run))]
    sentences = [*(standing(genes, _gain_of(runs)) if genes else [_standing(runs, metric)]), *_pairs(runs, metric)]
    if runs[0].scores.windows is not None:
        sentences.append(_against_count(runs, metric, cpg_count))
    if pretraining is not None:
        sentences.append(_language(pretraining))
    return [*sentences, _seeds(runs)]


def _compared(run: RunRecord) -> Score:
    """The score by which runs are compared: the primary one; of genes as `predict` writes them."""
    genes = as_predicted(run.scores)
    return run.scores.primary if genes is None else genes.mcc


def _resampled(run: RunRecord) -> Resamples | None:
    """That score on resamples of test; None where the run lacks what a bootstrap resamples."""
    counts = run.counts
    if counts is not None and run.scores.codons is not None:
        counts = replace(counts, confusions=counts.confusions_codons) if counts.confusions_codons.size else None
    return None if counts is None else Resamples.of(_compared(run).value, counts, run.scores.metric)


def _gain_of(runs: Sequence[RunRecord]) -> Callable[[str, str], PairedGain | None]:
    """What one run gains over another by F1 of exons, or by MCC where an earlier version did not count exons by block."""
    counts = {run.name: run.counts for run in runs}

    def gain(before: str, after: str) -> PairedGain | None:
        first, second = counts[before], counts[after]
        if first is None or second is None or first.n_blocks != second.n_blocks:
            return None
        measure = "exon" if first.levels.size and second.levels.size else "mcc"
        paired = paired_gain(Resamples.of_genes(first, measure), Resamples.of_genes(second, measure))
        return PairedGain("F1 of exons" if measure == "exon" else "MCC", paired)

    return gain


def _standing(runs: Sequence[RunRecord], metric: str) -> str:
    """The best run, then the others, or the best and the last of many."""
    ranked = sorted(runs, key=_rank, reverse=True)
    if len(ranked) > _MANY:
        ranked = [*ranked[: _MANY - 1], ranked[-1]]
    best, *others = ranked
    sentence = f"On the test split {best.name} reaches {metric} {written(best.scores.primary)}"
    if others:
        sentence += "; " + "; ".join(f"{run.name} {written(run.scores.primary)}" for run in others)
    return sentence + "."


def _rank(run: RunRecord) -> float:
    value = run.scores.primary.value
    return -math.inf if math.isnan(value) else value


def _pairs(runs: Sequence[RunRecord], metric: str) -> list[str]:
    """What pretraining changes under one head, and what the CRF changes under one initialization."""
    own = [run for run in runs if not run.is_baseline]
    pairs = [(*told, before, after) for before in own for after in own if (told := _difference(before, after))]
    compared = {run.name: run for _, _, *pair in pairs for run in pair}
    resampled = {name: _resampled(run) for name, run in compared.items()}
    sentences = []
    for subject, where, before, after in pairs:
        first, second = resampled[before.name], resampled[after.name]
        gain = paired_gain(first, second) if first and second else None
        sentences.append(_change(subject, where, metric, before, after, gain))
    return sentences


def _difference(before: RunRecord, after: RunRecord) -> tuple[str, str] | None:
    """What the second of two runs has that the first has not, and the context; None if they do not differ."""
    if before.label_fraction != after.label_fraction:
        return None
    if before.head == after.head and not before.is_pretrained and after.is_pretrained:
        return _subject(after), "" if before.head == "sigmoid" else f" with {HEAD_NAMES[after.head]}"
    is_crf = before.init == after.init and (before.head, after.head) == ("softmax", "crf")
    if is_crf and before.is_frozen == after.is_frozen:
        where = " from scratch" if after.init == "scratch" else f" after {_pretraining(after)}"
        return "The CRF head instead of softmax", where
    return None


def _pretraining(run: RunRecord) -> str:
    return "self-pretraining" if run.init == "SPT" else "pretraining on another dataset"


def _subject(run: RunRecord) -> str:
    frozen = " with a frozen encoder" if run.is_frozen else ""
    return _pretraining(run).capitalize() + frozen


def _change(subject: str, where: str, metric: str, before: RunRecord, after: RunRecord, gain: Score | None) -> str:
    """What a subject (pretraining, the CRF) does to the score from one run to another; gain: None where it is not known."""
    first, second = _compared(before).value, _compared(after).value
    effect = f"The effect of {subject[0].lower()}{subject[1:]}{where}"
    if math.isnan(first) or math.isnan(second):
        return f"{effect} cannot be told: a score is not defined."
    between = f"from {first:.3f} ({before.name}) to {second:.3f} ({after.name})"
    if gain is None:
        return f"{effect} cannot be told, {between}: a run has no evaluation-test.npz; run 'dnaspt evaluate' again."
    told = written(gain, SIGNED)
    if differing := _differing(before, after):
        return (
            f"{effect} cannot be told from these runs: {before.name} ({first:.3f}) and {after.name} ({second:.3f}) "
            f"also differ in {' and '.join(differing)}; the difference is {told}."
        )
    if math.isnan(gain.low):
        return f"{effect} cannot be told, {between}: the test split is one block, so there is no interval."
    genes, is_contradicted = _genes_beside(before, after, sign_of(gain))
    if not sign_of(gain):
        return f"{subject}{where}: no clear difference in {metric}, {between}: {told}.{genes}"
    if is_contradicted:
        return f"{subject}{where}: {metric} and genes disagree. {metric} goes {between}: {told}.{genes}"
    verb = "raises" if gain.value > 0 else "lowers"
    return f"{subject} {verb} {metric}{where} by {abs(gain.value):.3f}, {between}: {told}.{genes}"


def _genes_beside(before: RunRecord, after: RunRecord, sign: int) -> tuple[str, bool]:
    """What happens to the genes beside their MCC, as a sentence, and whether that speaks against the sign of the gain in MCC."""
    first, second = (GenesAsPredicted.of_run(run) for run in (before, after))
    if first is None or second is None:
        return "", False
    changes = (
        f"{what} from {one.value:.3f} to {other.value:.3f}"
        for what, one, other in (
            ("F1 of coding bases goes", first.base_f1, second.base_f1),
            ("F1 of exons", first.exon_f1, second.exon_f1),
        )
    )
    return f" {', '.join(changes)}.", genes_differ(first, second, sign)


def _differing(before: RunRecord, after: RunRecord) -> list[str]:
    """Other settings in which two runs differ, besides the one that is compared."""
    names = set(before.settings) | set(after.settings)
    # Steps, where given, make epochs idle.
    names -= _NEUTRAL | ({"epochs"} if before.settings.get("steps") and after.settings.get("steps") else set())
    differing = sorted(
        name.replace("_", " ") for name in names if before.settings.get(name) != after.settings.get(name)
    )
    encoders = [run.config.encoder for run in (before, after) if run.config is not None]
    if len(encoders) == 2 and encoders[0] != encoders[1]:
        differing.append("encoder size")
    if (before.result is None) != (after.result is None):
        differing.append("whether they came to their end")
    return differing


def _against_count(runs: Sequence[RunRecord], metric: str, cpg_count: BootstrapCounts | None) -> str:
    """Whether the best run knows more than the number of CpGs."""
    best = max(runs, key=_rank)
    assert best.scores.windows is not None
    count: Score = getattr(best.scores.windows.cpg_count, best.scores.metric)
    told = f"Counting the CpGs of a window alone reaches {metric} {written(count)}"
    resampled = _resampled(best)
    if resampled is None or cpg_count is None or math.isnan(resampled.value) or math.isnan(count.value):
        return f"{told}."
    gain = paired_gain(Resamples.of(count.value, cpg_count, best.scores.metric), resampled)
    if math.isnan(gain.low):
        return f"{told}; {best.name} differs by {written(gain, SIGNED)}, without an interval."
    if not sign_of(gain):
        return f"{told}: no clear difference from {best.name}, {written(gain, SIGNED)}."
    return f"{told}: {best.name} is {'above' if gain.value > 0 else 'below'} it, {written(gain, SIGNED)}."


def _language(pretraining: PretrainRecord) -> str:
    """How well the pretrained model guesses masked bases beside the n-gram models."""
    nats, ngram = pretraining.nats, pretraining.ngram
    markov, two_sided = ngram.markov_nats, ngram.two_sided_nats
    told = (
        f"The pretrained model needs {nats:.3f} nats per masked base, an order-{ngram.markov_order} Markov model "
        f"{markov:.3f} and the best two-sided k-mer model {two_sided:.3f}"
    )
    better = "the Markov model" if markov < two_sided else "the k-mer model"
    if nats < min(markov, two_sided) - _SAME_NATS:
        return f"{told}: it predicts better than both."
    if nats <= min(markov, two_sided) + _SAME_NATS:
        return f"{told}: it predicts about as well as {better}."
    worse = "both" if nats > max(markov, two_sided) + _SAME_NATS else better
    return f"{told}: it predicts worse than {worse}."


def _seeds(runs: Sequence[RunRecord]) -> str:
    """What the intervals do not cover."""
    runs = [run for run in runs if not run.is_baseline]
    seeds = {run.settings.get("seed") for run in runs}
    if len(runs) == 1:
        told = f"This is one training run with one seed ({seeds.pop()})"
    elif len(seeds) == 1:
        told = f"Each run was trained once, with seed {seeds.pop()}"
    else:
        told = f"Each run was trained once; there are {len(seeds)} seeds among them"
    return (
        f"{told}. The intervals resample the test split, the same for both runs of a comparison; they do not show how scores "
        "vary between seeds."
    )


OPTIONS = frozenset(
    {
        *("more_data", "held_out", "fold", "preset", "seed", "steps", "epochs", "batch_bp", "learning_rate"),
        *("mask_fraction", "repeat_weight", "patience", "accumulate", "max_minutes", "precision", "accelerator"),
        *(
            "devices",
            "num_nodes",
            "encoder",
            "head",
            "network",
            "genetic_code",
            "start_codons",
            "embeddings",
            "revision",
        ),
        *("encoder_rate", "freeze_encoder", "class_weights", "pool", "composition", "teacher", "label_fraction"),
        "choose_by",
    }
)
"""Settings of `pretrain` and `finetune` that have a command-line option; all others come from a TOML file."""


def commands(runs: Sequence[RunRecord], pretraining: PretrainRecord | None, data: Path) -> list[str]:
    """Commands that make the runs and their scores again, with every setting that is not the default."""
    lines = []
    if pretraining is not None:
        lines += _command("pretrain", pretraining.folder, pretraining.settings, PretrainConfig)
    for run in runs:
        if run.config is None:
            lines.append(_baseline_command(run, data))
            continue
        lines += (
            _ensemble_command(run)
            if run.is_ensemble
            else _command("finetune", run.folder, run.settings, FinetuneConfig, recipe_settings(run.config.task))
        )
        usual = bool(run.scores.average_strands) == run.config.both_strands
        both = [] if usual else ["--one-strand" if run.config.both_strands else "--average-strands"]
        lines.append(shlex.join(["dnaspt", "evaluate", str(run.folder), "--data", str(data), "--split", "test", *both]))
    return lines


def _baseline_command(run: RunRecord, data: Path) -> str:
    """The command that makes a baseline again."""
    words = ["dnaspt", "baseline", str(data), "--out", str(run.folder)]
    if run.baseline is not None:
        model, _, species = run.baseline.baseline.partition(":")
        if model == "augustus":
            words += ["--species", species] if species else ["--model", model]
        elif run.scores.genes is not None:
            words += ["--annotation", run.baseline.baseline]
        else:
            words += ["--model", model, *(["-k", str(run.baseline.k)] if run.baseline.k is not None else [])]
    return shlex.join(words)


def _ensemble_command(run: RunRecord) -> list[str]:
    """The command that joins models again."""
    runs, weights = run.settings.get("runs", ()), run.settings.get("weights", "equal")
    words = ["dnaspt", "ensemble", *map(str, runs), "--data", str(run.settings.get("data", "DATA"))]
    given = [] if weights == "equal" else ["--weights", str(weights)]
    given += ["--composition"] if run.settings.get("composition") else []
    given += ["--fold", str(run.settings["fold"])] if run.settings.get("fold") else []
    return [shlex.join([*words, "--out", str(run.folder), *given])]


def _command(
    name: str, folder: Path, settings: Mapping[str, Any], kind: type[TrainingConfig], spelled: Collection[str] = ()
) -> list[str]:
    """The command of one run, after a comment with the settings that need a TOML file; `spelled` ones also where default."""
    defaults = {key: field.default for key, field in kind.model_fields.items()}
    words, toml = ["dnaspt", name, str(settings.get("data", "DATA")), "--out", str(folder)], {}
    for key, value in settings.items():
        is_default = value == _plain(defaults.get(key)) and key not in spelled
        if key in ("data", "out") or is_default or (key == "epochs" and settings.get("steps")):
            continue
        if key in OPTIONS and not isinstance(value, Mapping):  # an encoder in full has no option
            words += _words_of(key, value)
        else:
            toml[key] = value
    lines = [shlex.join([*words, "--config", f"{folder.name}.toml"] if toml else words)]
    return [f"# {folder.name}.toml, as JSON: {json.dumps(toml)}", *lines] if toml else lines


def _words_of(key: str, value: Any) -> list[str]:
    """Words of the command line that give a setting."""
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if key == "start_codons":
        return [f"--{name}", ",".join(value)]
    return [word for own in (value if isinstance(value, list) else [value]) for word in (f"--{name}", str(own))]


def _plain(value: Any) -> Any:
    """A default in the form of JSON."""
    return list(value) if isinstance(value, tuple) else value
