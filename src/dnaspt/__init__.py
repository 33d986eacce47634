"""Self-pretraining for DNA: a language model of your own task's sequences, fine-tuned on your labels (arXiv 2506.17766).

Every public name is listed below and imported when it is first used, so that `import dnaspt` takes milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "dnaspt.api": (
        *(
            "baseline",
            "browse",
            "compare_annotations",
            "decode_emissions",
            "evaluate",
            "explain",
            "finetune",
            "ensemble",
            "export",
            "inspect",
            "load",
            "prepare_bend",
            "prepare_genes",
            "prepare_methylation",
        ),
        *("prepare_regions", "prepare_sequences", "prepare_unlabeled", "pretrain", "report", "score_variants"),
        *("simulate", "study"),
    ),
    "dnaspt.browser.browse": ("GenomeBrowser",),
    "dnaspt.data.dataset": ("Dataset",),
    "dnaspt.errors": (
        *("BusyError", "CheckpointError", "ConfigError", "DatasetError", "DivergedError", "DnasptError", "InputError"),
        *("NoMemoryError", "NoSpaceError", "NotFiniteError"),
    ),
    "dnaspt.estimators.classifier": ("SPTClassifier",),
    "dnaspt.estimators.regressor": ("SPTRegressor",),
    "dnaspt.evaluation.compare_annotations": ("AnnotationComparison",),
    "dnaspt.evaluation.gene_metrics": ("GeneScores",),
    "dnaspt.evaluation.metrics": ("Score",),
    "dnaspt.evaluation.results": ("BesideBaseline", "Evaluation"),
    "dnaspt.genome.transcripts": ("Transcript",),
    "dnaspt.inference.explain_file": ("ExplanationSummary",),
    "dnaspt.inference.model": ("Model", "to_frame"),
    "dnaspt.reports.describe": ("Description",),
    "dnaspt.reports.study_report": ("StudyResult",),
    "dnaspt.simulation.simulate": ("SimulationSummary",),
    "dnaspt.studies.records": ("Record",),
    "dnaspt.training.runs": ("Run", "RunResult", "RunStopped"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 (names of functions and classes, each a string)

if TYPE_CHECKING:
    from dnaspt.api import baseline as baseline
    from dnaspt.api import browse as browse
    from dnaspt.api import compare_annotations as compare_annotations
    from dnaspt.api import decode_emissions as decode_emissions
    from dnaspt.api import ensemble as ensemble
    from dnaspt.api import evaluate as evaluate
    from dnaspt.api import explain as explain
    from dnaspt.api import export as export
    from dnaspt.api import finetune as finetune
    from dnaspt.api import inspect as inspect
    from dnaspt.api import load as load
    from dnaspt.api import prepare_bend as prepare_bend
    from dnaspt.api import prepare_genes as prepare_genes
    from dnaspt.api import prepare_methylation as prepare_methylation
    from dnaspt.api import prepare_regions as prepare_regions
    from dnaspt.api import prepare_sequences as prepare_sequences
    from dnaspt.api import prepare_unlabeled as prepare_unlabeled
    from dnaspt.api import pretrain as pretrain
    from dnaspt.api import report as report
    from dnaspt.api import score_variants as score_variants
    from dnaspt.api import simulate as simulate
    from dnaspt.api import study as study
    from dnaspt.browser.browse import GenomeBrowser as GenomeBrowser
    from dnaspt.data.dataset import Dataset as Dataset
    from dnaspt.errors import BusyError as BusyError
    from dnaspt.errors import CheckpointError as CheckpointError
    from dnaspt.errors import ConfigError as ConfigError
    from dnaspt.errors import DatasetError as DatasetError
    from dnaspt.errors import DivergedError as DivergedError
    from dnaspt.errors import DnasptError as DnasptError
    from dnaspt.errors import InputError as InputError
    from dnaspt.errors import NoMemoryError as NoMemoryError
    from dnaspt.errors import NoSpaceError as NoSpaceError
    from dnaspt.errors import NotFiniteError as NotFiniteError
    from dnaspt.estimators.classifier import SPTClassifier as SPTClassifier
    from dnaspt.estimators.regressor import SPTRegressor as SPTRegressor
    from dnaspt.evaluation.compare_annotations import AnnotationComparison as AnnotationComparison
    from dnaspt.evaluation.gene_metrics import GeneScores as GeneScores
    from dnaspt.evaluation.metrics import Score as Score
    from dnaspt.evaluation.results import BesideBaseline as BesideBaseline
    from dnaspt.evaluation.results import Evaluation as Evaluation
    from dnaspt.genome.transcripts import Transcript as Transcript
    from dnaspt.inference.explain_file import ExplanationSummary as ExplanationSummary
    from dnaspt.inference.model import Model as Model
    from dnaspt.inference.model import to_frame as to_frame
    from dnaspt.reports.describe import Description as Description
    from dnaspt.reports.study_report import StudyResult as StudyResult
    from dnaspt.simulation.simulate import SimulationSummary as SimulationSummary
    from dnaspt.studies.records import Record as Record
    from dnaspt.training.runs import Run as Run
    from dnaspt.training.runs import RunResult as RunResult
    from dnaspt.training.runs import RunStopped as RunStopped


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'dnaspt' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
