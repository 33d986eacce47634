"""A study in words: what it answers, a sentence for each question and verdict, how it was made; and the whole as Markdown."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

import numpy as np

from dnaspt.reports.compare import (
    BASELINE,
    BASELINES,
    GENE_MODEL_QUESTIONS,
    JOINED,
    LETTERS,
    MODEL_BASELINE,
    OTHER_SEQUENCE,
    RANDOM,
    WITH_KMERS,
    Difference,
    Group,
)
from dnaspt.reports.genes_as_predicted import GenesAsPredicted, PairedGain, genes_differ, standing
from dnaspt.reports.resamples import ERROR_RATE, POWER
from dnaspt.reports.run_tables import FEW_BLOCKS
from dnaspt.reports.study_tables import IN_THESE_RUNS, level_text
from dnaspt.reports.tables import Table, markdown_table, written
from dnaspt.studies.records import Record
from dnaspt.studies.settings import OWN_WINDOWS, PRETRAINED, StudyConfig
from dnaspt.tasks import TASKS
from dnaspt.training.runs import RunResult

_SUBJECTS = {
    LETTERS: "Site scores of a self-pretrained encoder instead of letters",
    RANDOM: "Site scores of a self-pretrained encoder instead of a random one",
    "the gene model": "The gene model instead of the CRF",
    MODEL_BASELINE: "The gene model instead of the best baseline",
    "pretraining": "Self-pretraining",
    "pretraining, the same bases in all": "Self-pretraining instead of training longer",
    "pretraining, fewer labels": "Self-pretraining with fewer labels",
    "pretraining with more sequence": "Pretraining on more sequence than the task's own",
    "pretraining with more sequence, the same bases in all": "Pretraining on more sequence instead of training longer",
    "more sequence for pretraining": "More sequence than the task's own in pretraining",
    OTHER_SEQUENCE: "Pretraining on other sequence than the task's own windows",
    "another encoder": "The given encoder instead of a random one",
    "the CRF": "The CRF instead of softmax",
    "training longer": "Training longer",
    "the encoder trained too": "Training the encoder too",
    "other settings": "Another choice of settings",
    WITH_KMERS: "Adding what k-mers say to the network",
    JOINED: "Joining several models",
    BASELINE: "A network instead of the best baseline",
}
"""Questions in the order of their sentences."""
_ORDER = list(_SUBJECTS)
_DISAGREE, _YES_HERE, _NO_HERE = 2, 3, 4
"""Signs of a gain in MCC that the genes speak against, and of a gain and a loss in these runs alone."""
_MEASURES = {"base": "F1 of coding bases", "exon": "F1 of exons", "gene": "F1 of genes", "mcc": "MCC"}
"""Measures of genes in the order in which sentences about gene models have them."""
_EFFECTS = {1: "raises test {metric}", -1: "lowers test {metric}", 0: "no evidence of a difference in test {metric}"}


def sentences(
    groups: Sequence[Group],
    differences: Sequence[Difference],
    metric: str,
    genes: Sequence[GenesAsPredicted] = (),
    *,
    leading: Sequence[str] = (),
    gain: Callable[[str, str], PairedGain | None] | None = None,
    protocols: Mapping[str, str] = MappingProxyType({}),
    beside: Sequence[Difference] = (),
) -> list[str]:
    """The answer in a word, then a sentence for each question and verdict; of genes first how good they are.

    Of the baselines that learned from the same labels, only comparisons with the best one are mentioned.

    Args:
        groups: runs by arm and label fraction.
        differences: what arms gain over others.
        metric: name of the metric.
        genes: scores of the arms with all labels, as `predict` writes genes; none for windows.
        leading: sentences about gene models (`gene_model_sentences`), which then come first, and whose comparisons are left out.
        gain: what one arm gains over another, as `standing` asks for it.
        protocols: names of the protocols by which arms are pretrained, by arm; left out, all on their own windows.
        beside: what arms gain by other measures, which tables have.
    """
    compared = [*differences, *beside]
    if leading:
        differences = [gain for gain in differences if gain.question not in GENE_MODEL_QUESTIONS]
        if not differences:
            return [*leading, *_of_one_training(groups, compared, leading)]
    leading = list(leading) or (standing(genes, gain) if genes else [])
    if not differences:
        return [*leading, "The study compares no two arms that differ in one thing alone."]
    best = _best_baseline(groups, differences)
    told = [gain for gain in differences if gain.question not in BASELINES or gain.before == best]
    told.sort(
        key=lambda gain: (_ORDER.index(_asked(gain.question)[0]), gain.question, -gain.sign, gain.is_of_these_runs)
    )
    headline = _headline(differences, {own.name: own for own in genes}, protocols)
    answer = [*leading, headline] if headline else leading
    for (question, sign, here), same in groupby(
        told, key=lambda gain: (gain.question, gain.sign, gain.is_of_these_runs)
    ):
        gains = "; ".join(_gain(difference) for difference in same)
        effect = _EFFECTS[sign].format(metric=metric) + (" in these runs" if here else "")
        asked, labels = _asked(question)
        subject = f"{_SUBJECTS[asked]} ({labels})" if labels else _SUBJECTS[asked]
        answer.append(f"{subject}{' ' if sign else ': '}{effect}{': ' if sign else ', '}{gains}.")
    if genes:
        answer.append("Gains are in the MCC of the heads alone.")
    answer += _of_one_training(groups, compared, answer)
    looks = max(difference.looks for difference in differences)
    if looks > 1:
        answer.append(f"Look {looks} at these questions: the intervals of gains, of {level_text(looks)}, allow for it.")
    return answer


def _asked(question: str) -> tuple[str, str]:
    """A question, and the group of labels that it is asked of; "" for all labels."""
    asked, _, labels = question.partition(": ")
    return asked, labels


def _of_one_training(groups: Sequence[Group], differences: Sequence[Difference], told: Sequence[str]) -> list[str]:
    """What one seed, or one training in each fold, means for the intervals of what was told; nothing where there are several."""
    if any(difference.is_of_these_runs for difference in differences) or any("in these runs" in own for own in told):
        return [IN_THESE_RUNS]
    if any(n > 1 for n in (*(own.n_seeds for own in differences), *(len(group.values) for group in groups))):
        return []
    if any(difference.is_over_folds for difference in differences):
        return ["One training in each fold: what is better or worse over blocks is so with the folds as repeats, too."]
    return ["One seed: the intervals do not cover its choice."]


def gene_model_sentences(
    groups: Mapping[str, Sequence[Group]], differences: Mapping[str, Sequence[Difference]]
) -> list[str]:
    """What a study with gene models answers: the scores of all arms, best exons first, then each comparison of a gene model.

    All are F1 of coding bases, exons and genes, and MCC, of the genes that `predict` writes, with paired intervals.

    Args:
        groups: runs by arm and label fraction, for each measure of genes.
        differences: what arms gain over others, for each measure of genes.
    """
    measures = list(_MEASURES)
    whole = [[group for group in groups[name] if group.fraction == 1] for name in measures]
    ranked = sorted(zip(*whole, strict=True), key=lambda same: -np.nan_to_num(same[measures.index("exon")].score.value))
    scores = "; ".join(f"{same[0].arm} {', '.join(written(group.score) for group in same)}" for same in ranked)
    answer = [f"On the test split, by F1 of coding bases, of exons and of genes, and MCC: {scores}."] if scores else []
    best = _best_baseline(groups["exon"], differences["exon"])
    told = [
        same
        for same in zip(*(differences[name] for name in measures), strict=True)
        if same[0].question in GENE_MODEL_QUESTIONS and (same[0].question not in BASELINES or same[0].before == best)
    ]
    told.sort(key=lambda same: _ORDER.index(same[0].question))
    for same in told:
        gains = ", ".join(
            f"{name} {gain.gain_and_detectable}" for name, gain in zip(_MEASURES.values(), same, strict=True)
        )
        answer.append(f"{_SUBJECTS[same[0].question]} ({same[0].sides(' to ')}): {_over_measures(same)}: {gains}.")
    return answer


def _over_measures(same: Sequence[Difference]) -> str:
    """By which measures a gain is better, worse or undecided."""
    by_verdict: dict[str, list[str]] = {}
    for name, gain in zip(_MEASURES.values(), same, strict=True):
        by_verdict.setdefault(gain.verdict.split(" (")[0], []).append(name)
    if len(by_verdict) == 1:
        return f"{next(iter(by_verdict))} by all four"
    ranked = sorted(by_verdict, key=lambda verdict: ("better", "worse", "undecided").index(verdict.split(" ")[0]))
    return ", ".join(f"{verdict} by {_listed(by_verdict[verdict])}" for verdict in ranked)


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _best_baseline(groups: Sequence[Group], differences: Sequence[Difference]) -> str:
    """Name of the best baseline with these labels, or of the best one where none learned from them; "" for none."""
    baselines = {difference.before for difference in differences if difference.question in BASELINES}
    compared = [group for group in groups if group.arm in baselines]
    learned = [group for group in compared if ":" not in group.baseline] or compared
    means = {group.arm: group.score.value for group in learned}
    return max(means, key=lambda arm: means[arm], default="")


def sentences_over(datasets: Mapping[str, Sequence[Difference]]) -> list[str]:
    """For each comparison, on which datasets it is better, worse or undecided; those with baselines are left out."""
    verdicts: dict[tuple[str, str], dict[int, list[str]]] = {}
    for name, differences in datasets.items():
        for difference in differences:
            if difference.question not in BASELINES:
                by_sign = verdicts.setdefault((difference.question, difference.sides(" to ")), {})
                here = " (in these runs)" if difference.is_of_these_runs else ""
                by_sign.setdefault(difference.sign, []).append(f"{name}{here}")
    words = {1: "better on", -1: "worse on", 0: "undecided on"}
    return [
        f"{_SUBJECTS[question]} ({sides}): "
        + "; ".join(f"{word} {', '.join(by_sign[sign])}" for sign, word in words.items() if sign in by_sign)
        + "."
        for (question, sides), by_sign in sorted(verdicts.items(), key=lambda item: _ORDER.index(item[0][0]))
    ]


def _headline(
    differences: Sequence[Difference], genes: Mapping[str, GenesAsPredicted], protocols: Mapping[str, str]
) -> str:
    """What self-pretraining does with all labels, for equal fine-tuning and for equal bases; "" where no arms say so.

    Where it is not on the task's own windows alone, each protocol has an answer of its own.
    """
    by_protocol: dict[str, list[Difference]] = {}
    for difference in differences:
        by_protocol.setdefault(protocols.get(difference.after, OWN_WINDOWS), []).append(difference)
    answers = []
    for protocol, own in by_protocol.items():
        plain = _verdict(own, "pretraining", genes)
        in_all = _verdict(own, "pretraining, the same bases in all", genes)
        if not plain and not in_all:
            continue
        which = f" on {protocol}" if set(protocols.values()) - {OWN_WINDOWS} else ""
        plain, in_all = plain or "Not tested.", in_all or "Not tested."
        answers.append(
            f"Does self-pretraining{which} help here, for as many bases of fine-tuning? {plain} For as many bases in all? "
            f"{in_all}"
        )
    return " ".join(answers)


def _verdict(differences: Sequence[Difference], question: str, genes: Mapping[str, GenesAsPredicted]) -> str:
    """Yes, no or undecided over the comparisons with all labels that ask a question; "" where none does."""
    signs = [_sign(gain, genes) for gain in differences if gain.question == question and gain.fraction == 1]
    if not signs:
        return ""
    alike = {
        1: "yes",
        _YES_HERE: "in these runs, yes, but the folds as repeats leave it open",
        -1: "no, it hurts",
        _NO_HERE: "in these runs it hurts, but the folds as repeats leave it open",
        0: "no evidence that it does",
        _DISAGREE: "MCC and genes disagree",
    }
    mixed = {
        1: "in {n} of {all} comparisons it does",
        _YES_HERE: "in {n} of {all} it does in these runs, but the folds as repeats leave it open",
        -1: "in {n} it hurts",
        _NO_HERE: "in {n} it hurts in these runs, but the folds as repeats leave it open",
        0: "in {n} there is no evidence",
        _DISAGREE: "in {n} MCC and genes disagree",
    }
    counts = [(sign, signs.count(sign)) for sign in mixed if sign in signs]
    words = alike[signs[0]] if len(counts) == 1 else ", ".join(mixed[s].format(n=n, all=len(signs)) for s, n in counts)
    return f"{words[0].upper()}{words[1:]}."


def _sign(difference: Difference, genes: Mapping[str, GenesAsPredicted]) -> int:
    """The sign of a gain; `_YES_HERE` or `_NO_HERE` where the folds as repeats leave it open.

    `_DISAGREE` where F1 of coding bases or of exons, as `predict` writes genes, goes the other way.
    """
    before, after = genes.get(difference.before), genes.get(difference.after)
    if before is not None and after is not None and genes_differ(before, after, difference.sign):
        return _DISAGREE
    return {1: _YES_HERE, -1: _NO_HERE}[difference.sign] if difference.is_of_these_runs else difference.sign


def _gain(difference: Difference) -> str:
    return f"{difference.gain_and_detectable} ({difference.sides(' to ')})"


def method(
    study: StudyConfig,
    groups: Sequence[Group],
    records: Sequence[Record],
    pretrainings: Mapping[str, RunResult] = MappingProxyType({}),
) -> str:
    """How the study was made: what was resampled, how rates were chosen, what is equal, how often test was scored.

    Args:
        study: settings of the study.
        groups: runs by arm and label fraction.
        records: final runs.
        pretrainings: results of the pretrainings, by what the jobs of the records name as their encoder.
    """
    stops_early = any("patience" in given for given in (*study.settings_of("pretrain"), *study.settings_of("finetune")))
    words = [
        *_folds(study, records),
        _intervals(study, groups, records),
        *_power(study, groups),
        *_rates(study, groups),
    ]
    words += _pretrained_on(study, pretrainings)
    if any(group.fraction < 1 for group in groups):
        words.append(
            "Fewer labels: a random share of the train windows (by stretches of 10 kb where windows overlap), with checkpoints "
            "chosen on all of valid, rates on all labels"
            + ("." if stops_early else "; they are trained on for about as many bases as all labels.")
        )
    if any(arm.extended for arm in study.arms) and not stops_early:
        words.append(
            "Longer training reads as many bases as pretraining on top; steps differ by the padding of batches."
        )
    words.append("Minutes: the quickest seed's fine-tuning, and the quickest pretraining, where that was made here.")
    words.append(_test_evaluations(records))
    return " ".join(words)


def _folds(study: StudyConfig, records: Sequence[Record]) -> list[str]:
    """How every base is tested once; nothing where the splits are fixed."""
    if study.folds is None:
        return []
    together = "Scores count the bases, genes or windows of all folds together"
    if records and records[0].scored.windows is not None:
        together = "AUROC and AUPRC are means over the folds, each of which ranks its own windows"
    which = "with one contig left out" if study.folds == "contigs" else f"in {study.folds} folds"
    rates = ", learning rates" if len(study.learning_rates) > 1 else ""
    return [
        f"Cross-validation {which}: every base is tested once, by models that have not seen it; pretraining{rates} and weights "
        f"are those of the fold. {together}; steps and bases are sums over the folds, minutes too if all ran on one device."
    ]


def _pretrained_on(study: StudyConfig, pretrainings: Mapping[str, RunResult]) -> list[str]:
    """Which arms are pretrained on other data than their own windows, and what was cut out; nothing where none is."""
    arms: dict[str, list[str]] = {}
    for arm in study.arms:
        if arm.init in PRETRAINED:
            arms.setdefault(study.protocol_of(arm), []).append(arm.name)
    if set(arms) <= {OWN_WINDOWS}:
        return []
    users = (f"{name}: {', '.join(own)}" for name, own in arms.items())
    words = [f"Pretrained on {'; on '.join(users)}."]
    if cut := {result.cut_out for result in pretrainings.values() if result.cut_out is not None}:
        counts = "; ".join(sorted(map(str, cut)))
        words.append(
            "What valid and test parts share with these sequences in 32 bases or more, on either strand, was cut out before: "
            f"{counts}."
        )
    return words


def _intervals(study: StudyConfig, groups: Sequence[Group], records: Sequence[Record]) -> str:
    """What the intervals cover."""
    n_blocks = min(group.n_blocks for group in groups)
    what = TASKS[records[0].scored.task if records else "genes"].drawn
    if n_blocks < 2:
        return "Means over the seeds, where there are several. The test split is one block of 10 kb: there are no intervals."
    has_seeds = len(study.seeds) > 1
    drawn = "Means over the seeds; intervals cover the seeds (Student's t) and" if has_seeds else "Intervals cover"
    end = "." if has_seeds else "; with one seed they do not cover its choice."
    few = "; few, so they are rough" if n_blocks < FEW_BLOCKS else ""
    is_of_windows = bool(records) and records[0].scored.windows is not None
    folds = "" if study.folds is None else ", drawn within each fold" if is_of_windows else ", of all folds together"
    blocks = f"the choice of test sequence (1,000 resamples of its {n_blocks:,} {what}{folds}{few})"
    joined = ", ".join(arm.name for arm in study.arms if arm.is_ensemble) if has_seeds else ""
    alone = f" Of {joined} there is one model of all seeds: its intervals do not cover their choice." if joined else ""
    return f"{drawn} {blocks}, paired in comparisons{end}{alone}"


def _power(study: StudyConfig, groups: Sequence[Group]) -> list[str]:
    """What a detectable gain is, and what several looks mean; nothing where there are no intervals."""
    if min(group.n_blocks for group in groups) < 2:
        return []
    words = [
        "Detectable gain, where a verdict is undecided: the smallest gain that these blocks and seeds would have shown with "
        f"{POWER:.0%} power at the two-sided {ERROR_RATE / study.looks:.3g} level, from the standard error of the paired "
        "difference alone, whatever gain was observed"
        + (" (of seeds and blocks)." if len(study.seeds) > 1 else "; of blocks alone: with other seeds it is larger.")
    ]
    if study.looks > 1:
        words.append(
            f"These comparisons were put to this test split {study.looks} times, so intervals of gains are of "
            f"{level_text(study.looks)}: all looks together err one time in twenty at most."
        )
    return words


def _rates(study: StudyConfig, groups: Sequence[Group]) -> list[str]:
    """How the learning rates were chosen, and which were given."""
    words = []
    rates = ", ".join(f"{rate:g}" for rate in study.learning_rates)
    networks = [arm for arm in study.arms if not arm.is_baseline and not arm.is_gene_model]
    chosen = [arm for arm in networks if not arm.learning_rate]
    if len(study.learning_rates) > 1 and chosen:
        share = f"at {study.tuning_share:.0%} of the budget, with one seed"
        whose = (
            "Each arm's learning rate was" if len(chosen) == len(networks) else "Learning rates of the other arms were"
        )
        words.append(f"{whose} chosen on valid from {rates}, {share}.")
        edges = {min(study.learning_rates), max(study.learning_rates)}
        rates_of = {group.arm: group.rate for group in groups}
        if at_edge := [arm.name for arm in chosen if rates_of.get(arm.name) in edges]:
            words.append(f"At an end of these rates, so that a rate beyond may be better: {', '.join(at_edge)}.")
    given = [f"{arm.name}: {arm.learning_rate:g}" for arm in study.arms if arm.learning_rate]
    if len(study.learning_rates) == 1 and chosen:
        given.append(f"all {'others' if given else 'arms'}: {rates}")
    if given:
        chosen_on = " What they were chosen on may be among what is tested." if study.folds is not None else ""
        words.append(f"Learning rates that were given: {'; '.join(given)}.{chosen_on}")
    return words


def _test_evaluations(records: Sequence[Record]) -> str:
    """How often test was scored, by the logs of the runs."""
    counts = [record.n_test_evaluations for record in records if record.n_test_evaluations is not None]
    if not counts:
        return "How often test was evaluated is not on record; a study does it once for each run."
    often = "once" if max(counts) == 1 else f"up to {max(counts)} times"
    older = f"; {n} older records do not say" if (n := len(records) - len(counts)) else ""
    return f"Test was evaluated {often} for each run, by its own log{older}."


def markdown(title: str, answer: Sequence[str], how: str, tables: Sequence[Table], commands: Sequence[str]) -> str:
    """The whole report without its figures.

    Args:
        title: heading.
        answer: sentences.
        how: how the study was made.
        tables: tables with their titles and notes.
        commands: lines that make it anew.
    """
    parts = [f"# {title}", "\n".join(f"- {sentence}" for sentence in answer), how]
    for table in tables:
        parts += [part for part in (f"## {table.title}", markdown_table(table), table.note) if part]
    return "\n\n".join([*parts, "## Commands", "```\n" + "\n".join(commands) + "\n```"]) + "\n"
