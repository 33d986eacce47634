"""A baseline scored on the test split, in a folder as a run's: composition for windows, another gene finder for genes.

The folder holds result.json (what was chosen), the files of an evaluation (see `evaluation.results`) and for genes genes.gff3.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dnaspt.atomic import atomic_folder, write_text_atomically
from dnaspt.baselines.results import RESULT_FILE, ScoredBaseline, read_result
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.numbers import NumberScores
from dnaspt.evaluation.results import (
    GENES_FILE,
    LOG,
    Evaluation,
    GeneEvaluation,
    WindowEvaluation,
    write_evaluation,
)
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.json_files import write_json
from dnaspt.output import locked_output, refuse_existing, refuse_inputs
from dnaspt.tasks import TASKS

AUGUSTUS = "augustus"
"""AUGUSTUS, trained on the train split."""
WINDOW_MODELS = ("kmer", "markov", "cpg")
"""Baselines for windows: logistic regression on k-mer counts, two Markov chains, the CpG count."""
MAX_K = 6
"""Longest k-mer, and highest order of a chain."""


def run_baseline(
    data: str | Path,
    out: str | Path,
    *,
    model: str = "",
    k: int | None = None,
    annotation: str | Path | None = None,
    species: str = "",
    optimize_minutes: float = 0,
    fold: int = 0,
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
        optimize_minutes: genes: minutes for optimize_augustus.pl after the training of AUGUSTUS.
        fold: fold whose splits are read, from 1; 0 for those of the whole dataset.
        overwrite: replace the folder of a baseline.

    Raises:
        DatasetError: no dataset, or one of another kind; `out` is there already, or is to be replaced and holds no baseline.
        ConfigError: no such model, k out of range, none or several of the ways to genes, or no AUGUSTUS here.
        InputError: the annotation cannot be used. BusyError: another process writes `out`. DnasptError: AUGUSTUS failed.
    """
    data, out = Path(data), Path(out)
    manifest = read_manifest(data, fold)
    manifest.check_has_labels(data)
    began = time.monotonic()
    annotation = None if annotation is None else Path(annotation)
    if manifest.per_base:
        _check_gene_options(data, model, annotation, species, optimize_minutes)
    else:
        if annotation is not None or species or optimize_minutes:
            raise DatasetError(f"{data}: has labels per window; this baseline is for genes")
        _check_window_options(data, manifest, model, k)
    refuse_inputs(out, {"data": data, "annotation": annotation})
    with locked_output(out):
        _check_out(out, overwrite=overwrite)
        if manifest.per_base:
            from dnaspt.baselines.genes import score_gene_finder

            scored = score_gene_finder(
                data, manifest, annotation=annotation, species=species, optimize_minutes=optimize_minutes
            )
        else:
            from dnaspt.baselines.windows import score_window_model

            scored = score_window_model(data, manifest, model or WINDOW_MODELS[0], k)
        result = replace(scored.result, minutes=(time.monotonic() - began) / 60)
        return _write(out, manifest, replace(scored, result=result))


def check_models(data: Path, manifest: Manifest, models: Sequence[str]) -> None:
    """Refuse names of baselines that there are not, or that do not fit a dataset.

    Raises:
        DatasetError: no labels, or a baseline for genes and labels of windows. ConfigError: no such baseline.
    """
    manifest.check_has_labels(data)
    for model in models:
        if manifest.per_base and model != AUGUSTUS:
            raise ConfigError(f"no baseline for genes is called {model!r}; expected {AUGUSTUS}")
        if not model:
            raise ConfigError(f"no baseline is called ''; known: {', '.join(WINDOW_MODELS)}")
        if not manifest.per_base:
            _check_window_options(data, manifest, model)


def _check_gene_options(data: Path, model: str, annotation: Path | None, species: str, optimize_minutes: float) -> None:
    """Refuse options that do not name one way to genes."""
    n_ways = (annotation is not None) + bool(species) + (model == AUGUSTUS)
    if not n_ways:
        do = "say --model augustus, --species for its authors' models, or --annotation for any tool's GFF3"
        raise DatasetError(f"{data}: has labels per base; --model {model or WINDOW_MODELS[0]} is for windows; {do}")
    if n_ways > 1 or (model and model != AUGUSTUS):
        raise ConfigError("give one of --annotation, --species or --model augustus")
    if optimize_minutes < 0 or not math.isfinite(optimize_minutes) or (optimize_minutes and model != AUGUSTUS):
        raise ConfigError(f"--optimize-minutes {optimize_minutes:g}: minutes, 0 or more, with --model augustus")


def _check_window_options(data: Path, manifest: Manifest, model: str, k: int | None = None) -> None:
    """Refuse a model or a k that there is not, or that does not fit the labels."""
    if model == AUGUSTUS:
        raise DatasetError(f"{data}: has labels per window; this baseline is for genes")
    if model and model not in WINDOW_MODELS:
        raise ConfigError(f"no baseline is called {model!r}; known: {', '.join(WINDOW_MODELS)}")
    if model not in ("", WINDOW_MODELS[0]) and TASKS[manifest.task].numbers:
        raise ConfigError(f"model {model!r} is for labels that are true or false; for numbers say {WINDOW_MODELS[0]}")
    if k is not None and not 1 <= k <= MAX_K:
        raise ConfigError(f"k = {k}; expected 1 to {MAX_K}")


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that may not be written.

    Raises:
        DatasetError: it is there, or is to be replaced and holds no baseline.
    """
    refuse_existing(out, overwrite=overwrite, error=DatasetError)
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and read_result(out) is None):
        raise DatasetError(f"{out}: is there and holds no baseline; choose another --out")


def _write(out: Path, manifest: Manifest, scored: ScoredBaseline) -> Evaluation:
    """Write the folder of a baseline, which appears whole; the log of a folder that is replaced goes on."""
    scores = scored.scores
    evaluation = Evaluation(
        split="test",
        task=manifest.task,
        data_digest=manifest.digest,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        n_windows=scored.n_windows,
        fold=manifest.fold or None,
        genes=scores if isinstance(scores, GeneEvaluation) else None,
        windows=scores if isinstance(scores, WindowEvaluation) else None,
        numbers=scores if isinstance(scores, NumberScores) else None,
    )
    log = (out / LOG).read_text(encoding="utf-8") if (out / LOG).is_file() else ""
    with atomic_folder(out) as folder:
        write_json(folder / RESULT_FILE, scored.result.to_dict())
        write_text_atomically(folder / LOG, log)
        write_evaluation(folder, evaluation, scored.counts)
        if scored.genes is not None:
            lines = (*gff3_header(()), *gff3_lines(scored.genes, source="baseline"))
            write_text_atomically(folder / GENES_FILE, "".join(lines))
    return evaluation
