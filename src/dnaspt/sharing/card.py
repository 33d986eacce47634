"""The model card of an exported run: README.md with metadata for the Hugging Face hub above its text."""

import math
from collections.abc import Iterator
from typing import Any

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import HuggingFaceConfig
from dnaspt.evaluation.results import Evaluation
from dnaspt.optional_imports import import_optional
from dnaspt.reports.records import init_of
from dnaspt.sharing.card_text import card_text, dataset_of, shown_scores
from dnaspt.sharing.options import CardOptions
from dnaspt.sharing.source import ShareableRun
from dnaspt.tasks import TASKS

LIBRARY = "dnaspt"


def write_card(run: ShareableRun, options: CardOptions, n_parameters: int) -> str:
    """The model card as text.

    Raises:
        ConfigError: huggingface_hub, which writes the metadata, is not installed.
    """
    hub: Any = import_optional("huggingface_hub", "model cards")
    metadata = card_data(run, options, hub).to_yaml()
    return f"---\n{metadata}\n---\n\n{card_text(run, options, n_parameters)}"


def card_data(run: ShareableRun, options: CardOptions, hub: Any) -> Any:
    """Metadata of the card, as huggingface_hub holds them (`ModelCardData`)."""
    config = run.config
    task = _hub_task(config)
    tests = [evaluation for evaluation in run.evaluations if evaluation.split == "test"]
    results = [result for evaluation in tests for result in _results(run, evaluation, task, hub)]
    names = list(dict.fromkeys(result.metric_type for result in results))
    encoder = config.encoder
    return hub.ModelCardData(
        library_name=LIBRARY,
        license=options.license,
        pipeline_tag=task,
        tags=_tags(config),
        datasets=list(options.datasets) or None,
        base_model=encoder.path if isinstance(encoder, HuggingFaceConfig) else None,
        metrics=names or None,
        model_name=options.name if results else None,
        eval_results=results or None,
    )


def _hub_task(config: CheckpointConfig) -> str:
    """What the hub calls the task."""
    if config.kind == "language":
        return "fill-mask"
    return "token-classification" if TASKS[config.task].per_base else "text-classification"


def _tags(config: CheckpointConfig) -> list[str]:
    what = ["masked-language-model"] if config.kind == "language" else [config.task, config.head]
    if config.kind == "task" and init_of(config, config.data_digest) == "SPT":
        what.append("self-pretraining")
    return [LIBRARY, "dna", "genomics", "biology", *what, *(["ensemble"] if config.members else [])]


def _results(run: ShareableRun, evaluation: Evaluation, task: str, hub: Any) -> Iterator[Any]:
    """The scores of an evaluation as results of the hub, each with its 95 % interval. What is not defined is left out."""
    for name, score in shown_scores(evaluation).items():
        is_part = name.endswith(("_sensitivity", "_precision"))  # of an F1, which is there
        if is_part or name.startswith("cpg_count_") or math.isnan(score.value):
            continue
        interval = {} if math.isnan(score.low) else {"low": score.low, "high": score.high, "interval": 0.95}
        strands = {} if evaluation.average_strands is None else {"average_strands": evaluation.average_strands}
        yield hub.EvalResult(
            task_type=task,
            task_name=evaluation.task,
            dataset_type=dataset_of(run, evaluation),
            dataset_name=dataset_of(run, evaluation),
            dataset_config=f"fold {evaluation.fold}" if evaluation.fold else None,
            dataset_split=evaluation.split,
            dataset_revision=evaluation.data_digest or None,
            metric_type=_metric(name),
            metric_name=name,
            metric_value=score.value,
            metric_args=interval | strands or None,
        )


def _metric(name: str) -> str:
    """What the hub calls a metric: "exon_f1" -> "f1", "auroc/peaks" -> "roc_auc"."""
    kind = name.split("/")[0]
    known = {"mcc": "matthews_correlation", "auroc": "roc_auc", "auprc": "average_precision"}
    last = kind.rsplit("_", 1)[-1]
    return known.get(last, last)
