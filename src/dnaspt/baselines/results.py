"""Results of baselines: their types, and the one reader of result.json of a baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnaspt.errors import InputError
from dnaspt.evaluation.numbers import NumberScores
from dnaspt.evaluation.results import BootstrapCounts, GeneEvaluation, WindowEvaluation
from dnaspt.genome.transcripts import Transcript
from dnaspt.json_files import UNFIT, check_types, read_json

RESULT_FILE = "result.json"


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """What `result.json` of a baseline says.

    Attributes:
        baseline: kmer, markov, cpg, augustus, augustus:SPECIES, or the path of an annotation.
        minutes: time it took; 0 until it is scored.
        n_bp: bases of the train split that it learned from; 0 where it did not learn.
        k: length of the k-mers or order of the chain that was asked for, for windows.
        chosen: what was chosen on valid for each label, for windows: strength of the penalty, order of the chain, or sign.
        metric: auroc, auprc or pearson, by which it was chosen; empty for genes.
        valid: mean over the labels by that metric, on valid; None where no label is defined there.
        left_out: for genes, what was left out or is odd in the annotation, by the reasons of docs/files.md, and genes that
            overlap a longer one.
    """

    baseline: str
    minutes: float = 0.0
    n_bp: int = 0
    k: int | None = None
    chosen: tuple[float | int | None, ...] = ()
    metric: str = ""
    valid: float | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Content of the JSON file; steps is 0, as a baseline has taken no training steps."""
        content: dict[str, Any] = {
            "baseline": self.baseline,
            "minutes": self.minutes,
            "n_bp": self.n_bp,
            "steps": 0,
        }
        if not self.metric:
            return content | {"left_out": dict(self.left_out)}
        return content | {"k": self.k, "chosen": list(self.chosen), f"valid_{self.metric}": self.valid}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "BaselineResult":
        """A result from the content of a JSON file.

        Raises:
            KeyError, TypeError, ValueError: it is no result of a baseline.
        """
        metric = next((name.removeprefix("valid_") for name in raw if name.startswith("valid_")), "")
        result = cls(
            baseline=str(raw["baseline"]),
            minutes=float(raw["minutes"]),
            n_bp=int(raw["n_bp"]),
            k=raw.get("k"),
            chosen=tuple(raw.get("chosen", ())),
            metric=metric,
            valid=raw[f"valid_{metric}"] if metric else None,
            left_out=dict(raw.get("left_out", {})),
        )
        return check_types(result)


@dataclass(frozen=True, slots=True)
class ScoredBaseline:
    """A baseline and its scores on test.

    Attributes:
        result: what was chosen.
        scores: of windows, numbers or genes.
        n_windows: windows or segments that were scored.
        counts: what a bootstrap resamples.
        genes: predicted genes as they were scored, on the dataset's own contigs; None for windows.
    """

    result: BaselineResult
    scores: WindowEvaluation | GeneEvaluation | NumberScores
    n_windows: int
    counts: BootstrapCounts
    genes: Sequence[Transcript] | None = None


def read_result(folder: Path) -> BaselineResult | None:
    """The result of a baseline's folder; None where the folder holds none."""
    try:
        return BaselineResult.from_dict(read_json(folder / RESULT_FILE))
    except (InputError, *UNFIT):
        return None
