"""A baseline scored on the test split, in a folder as a run's: composition for windows, another gene finder for genes.

The folder holds result.json (what was chosen), the files of an evaluation (see `evaluation.results`) and for genes genes.gff3.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dnaspt.atomic import publish_folder, write_text_atomically
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.evaluation.results import (
    GENES_FILE,
    LOG,
    BootstrapCounts,
    Evaluation,
    GeneEvaluation,
    WindowEvaluation,
    write_evaluation,
)
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.transcripts import Transcript
from dnaspt.json_files import read_json, write_json

RESULT_FILE = "result.json"
AUGUSTUS = "augustus"
"""AUGUSTUS, trained on the train split."""
WINDOW_MODELS = ("kmer", "markov", "cpg")
"""Baselines for windows: logistic regression on k-mer counts, two Markov chains, the CpG count."""
MAX_K = 6
"""Longest k-mer, and highest order of a chain."""


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """What `result.json` of a baseline says.

    Attributes:
        baseline: kmer, markov, cpg, augustus, augustus:SPECIES, or the path of an annotation.
        minutes: time it took; 0 until it is scored.
        n_bp: bases of the train split that it learned from; 0 where it did not learn.
        k: length of the k-mers or order of the chain that was asked for, for windows.
        chosen: what was chosen on valid for each label, for windows: strength of the penalty, order of the chain, or sign.
        metric: auroc or auprc, by which it was chosen; empty for genes.
        valid: mean over the labels by that metric, on valid; None where no label is defined there.
        left_out: genes of the annotation that were left out, by reason.
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
        """Content of the JSON file; a baseline has taken no training steps."""
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
        return cls(
            baseline=str(raw["baseline"]),
            minutes=float(raw["minutes"]),
            n_bp=int(raw["n_bp"]),
            k=raw.get("k"),
            chosen=tuple(raw.get("chosen", ())),
            metric=metric,
            valid=raw[f"valid_{metric}"] if metric else None,
            left_out=dict(raw.get("left_out", {})),
        )


@dataclass(frozen=True, slots=True)
class ScoredBaseline:
    """A baseline and its scores on test.

    Attributes:
        result: what was chosen.
        scores: of windows or genes.
        n_windows: windows or segments that were scored.
        counts: what a bootstrap resamples.
        genes: predicted genes as they were scored, on the dataset's own contigs; None for windows.
    """

    result: BaselineResult
    scores: WindowEvaluation | GeneEvaluation
    n_windows: int
    counts: BootstrapCounts
    genes: Sequence[Transcript] | None = None


def run_baseline(
    data: str | Path,
    out: str | Path,
    *,
    model: str = "",
    k: int | None = None,
    annotation: str | Path | None = None,
    species: str = "",
    overwrite: bool = False,
) -> Evaluation:
    """Score a baseline on the test split of a dataset.

    A baseline learns from train, chooses on valid, and is scored once on test.

    Args:
        data: dataset folder.
        out: folder to write.
        model: for windows kmer (the default), markov or cpg; for genes augustus, which is trained on the train split.
        k: windows: length of the k-mers (4 where left out), or order of the chains (left out: chosen on valid).
        annotation: genes: GFF3 or GTF that another tool predicted on the dataset's contigs.
        species: genes: run AUGUSTUS with this model of its authors.
        overwrite: replace the folder of a baseline.

    Raises:
        DatasetError: no dataset, or one of another kind; `out` is there already, or is to be replaced and holds no baseline.
        ConfigError: no such model, k out of range, none or several of the ways to genes, or no AUGUSTUS here.
        InputError: the annotation cannot be used. DnasptError: AUGUSTUS failed.
    """
    data, out = Path(data), Path(out)
    manifest = read_manifest(data)
    began = time.monotonic()
    if manifest.per_base:
        annotation = None if annotation is None else Path(annotation)
        _check_gene_options(data, model, annotation, species)
        _check_out(out, overwrite=overwrite)
        from dnaspt.baselines.genes import score_gene_finder

        scored = score_gene_finder(data, manifest, annotation=annotation, species=species)
    else:
        if annotation is not None or species or model == AUGUSTUS:
            raise DatasetError(f"{data}: has labels per window; this baseline is for genes")
        _check_window_options(model, k)
        _check_out(out, overwrite=overwrite)
        from dnaspt.baselines.windows import score_window_model

        scored = score_window_model(data, manifest, model or WINDOW_MODELS[0], k)
    result = replace(scored.result, minutes=(time.monotonic() - began) / 60)
    return _write(out, manifest, replace(scored, result=result))


def _check_gene_options(data: Path, model: str, annotation: Path | None, species: str) -> None:
    """Refuse options that do not name one way to genes."""
    n_ways = (annotation is not None) + bool(species) + (model == AUGUSTUS)
    if not n_ways:
        do = "say --model augustus, --species for its authors' models, or --annotation for any tool's GFF3"
        raise DatasetError(f"{data}: has labels per base; --model {model or WINDOW_MODELS[0]} is for windows; {do}")
    if n_ways > 1 or (model and model != AUGUSTUS):
        raise ConfigError("give one of --annotation, --species or --model augustus")


def _check_window_options(model: str, k: int | None) -> None:
    """Refuse a model or a k that there is not."""
    if model and model not in WINDOW_MODELS:
        raise ConfigError(f"no baseline is called {model!r}; known: {', '.join(WINDOW_MODELS)}")
    if k is not None and not 1 <= k <= MAX_K:
        raise ConfigError(f"k = {k}; expected 1 to {MAX_K}")


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that may not be written.

    Raises:
        DatasetError: it is there, or is to be replaced and holds no baseline.
    """
    if out.exists() and not overwrite:
        raise DatasetError(f"{out}: already there; choose another --out, or say --overwrite")
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and read_result(out) is None):
        raise DatasetError(f"{out}: is there and holds no baseline; choose another --out")


def read_result(folder: Path) -> BaselineResult | None:
    """The result of a baseline's folder; None where the folder holds none."""
    try:
        return BaselineResult.from_dict(read_json(folder / RESULT_FILE))
    except (InputError, ValueError, KeyError, TypeError):
        return None


def _write(out: Path, manifest: Manifest, scored: ScoredBaseline) -> Evaluation:
    """Write the folder of a baseline, which appears whole; the log of a folder that is replaced goes on."""
    scores = scored.scores
    evaluation = Evaluation(
        split="test",
        task=manifest.task,
        data_digest=manifest.digest,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        n_windows=scored.n_windows,
        genes=scores if isinstance(scores, GeneEvaluation) else None,
        windows=scores if isinstance(scores, WindowEvaluation) else None,
    )
    log = (out / LOG).read_text(encoding="utf-8") if (out / LOG).is_file() else ""
    with publish_folder(out) as folder:
        write_json(folder / RESULT_FILE, scored.result.to_dict())
        write_text_atomically(folder / LOG, log)
        write_evaluation(folder, evaluation, scored.counts)
        if scored.genes is not None:
            lines = (*gff3_header(()), *gff3_lines(scored.genes, source="baseline"))
            write_text_atomically(folder / GENES_FILE, "".join(lines))
    return evaluation
