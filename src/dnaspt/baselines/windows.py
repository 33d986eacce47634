"""Cheap baselines for windows, one model a label: k-mers, Markov chains, CpG count. What does not beat them knows composition.

Fitted on train; what there is to choose is chosen on valid, like a checkpoint; test is scored once.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dnaspt.atomic import publish_file, publish_folder, write_text_atomically
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.evaluate import LOG, cpg_counts, score_windows
from dnaspt.evaluation.metrics import auprc, auroc, primary_metric
from dnaspt.evaluation.results import GENES_FILE
from dnaspt.genome import alphabet
from dnaspt.genome.gff3_writer import gff3_header, gff3_lines
from dnaspt.genome.kmers import canonical_kmers, known_kmers, number_kmers, reverse_complement_kmers
from dnaspt.genome.transcripts import Transcript
from dnaspt.tasks import MISSING, TASKS

_CHUNK_BP = 1 << 22
"""Bases whose k-mers are held at once."""


def kmer_counts(split: Split, k: int) -> np.ndarray:
    """Share of each k-mer among those of a window, k-mers and their reverse complements as one: (n, M) float32.

    k-mers with an N are not counted.
    """
    column = np.unique(canonical_kmers(np.arange(4**k), k), return_inverse=True)[1]
    n_columns = int(column.max()) + 1
    features = np.zeros((len(split), n_columns), dtype=np.float32)
    for rows, words, owner in window_words(split, k):
        n_rows = rows.stop - rows.start
        counts = np.bincount(owner * n_columns + column[words], minlength=n_rows * n_columns)
        counts = counts.reshape(n_rows, n_columns)
        features[rows] = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return features


def window_words(split: Split, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """k-mers without N of some windows at a time: the rows, numbers of their k-mers (m,), and whose each is, from 0 on (m,)."""
    first = 0
    while first < len(split):
        beyond = int(np.searchsorted(split.offsets, split.offsets[first] + _CHUNK_BP, side="right")) - 1
        last = min(max(beyond, first + 1), len(split))
        tokens = alphabet.tokens(split.codes[split.offsets[first] : split.offsets[last]])
        owner = np.repeat(np.arange(last - first), np.diff(split.offsets[first : last + 1]))
        words, known = number_kmers(tokens, k).astype(np.int64), known_kmers(tokens, k)
        n_words = len(words)
        known &= owner[:n_words] == owner[len(tokens) - n_words :]
        yield slice(first, last), words[known], owner[:n_words][known]
        first = last


def class_counts(split: Split, k: int, truth: np.ndarray) -> np.ndarray:
    """How often each k-mer, on either strand, occurs in windows without and with each label (n, K): (K, 2, 4**k) int64."""
    n_labels = truth.shape[1]
    counts = np.zeros((n_labels, 2, 4**k), dtype=np.int64)
    for rows, words, owner in window_words(split, k):
        for label in range(n_labels):
            for value in (0, 1):
                inside = (truth[rows, label] == value)[owner]
                counts[label, value] += np.bincount(words[inside], minlength=4**k)
    return counts + counts[:, :, reverse_complement_kmers(np.arange(4**k), k)]


def word_scores(split: Split, k: int, scores: np.ndarray) -> np.ndarray:
    """Mean score of a window's k-mers and of their reverse complements: (n,) float64; scores: (4**k,)."""
    both = (scores + scores[reverse_complement_kmers(np.arange(4**k), k)]) / 2
    means = np.zeros(len(split))
    for rows, words, owner in window_words(split, k):
        n_rows = rows.stop - rows.start
        n_words = np.bincount(owner, minlength=n_rows)
        means[rows] = np.bincount(owner, weights=both[words], minlength=n_rows) / np.maximum(1, n_words)
    return means


STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties to choose from."""
KMER_BP = 4
MARKOV_ORDERS = (1, 2, 3, 4, 5)
"""Orders to choose from."""

Splits = dict[str, Split]
Area = Callable[[np.ndarray, np.ndarray], float]
"""Labels (n,) and scores (n,) to the area under a curve, NaN where it is not defined."""


class Fitted(NamedTuple):
    """Of one label: what was chosen, its area on valid (NaN where not defined), and scores (n,) of the test windows."""

    chosen: float | int | None
    valid: float
    scores: np.ndarray


def kmer_model(splits: Splits, k: int | None, area: Area) -> Iterator[Fitted]:
    """Logistic regression on the counts of k-mers of both strands, balanced by class; chosen: the strength of the penalty."""
    features = {name: kmer_counts(split, k or KMER_BP) for name, split in splits.items()}
    scaler = StandardScaler().fit(features["train"])
    features = {name: scaler.transform(values) for name, values in features.items()}
    truth = _truth(splits)
    for label in range(truth["train"].shape[1]):
        known = truth["train"][:, label] != MISSING
        target = truth["train"][known, label]
        if len(np.unique(target)) < 2:
            yield Fitted(None, float("nan"), np.zeros(len(splits["test"])))
            continue
        found = []
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
            model.fit(features["train"][known], target)
            score = area(truth["valid"][:, label], model.decision_function(features["valid"]))
            found.append(Fitted(strength, score, model.decision_function(features["test"])))
        yield _best(found)


def markov_model(splits: Splits, k: int | None, area: Area) -> Iterator[Fitted]:
    """Two Markov chains of order k, of windows with and without the label; scored by the log ratio per base of both strands.

    chosen: the order.
    """
    orders = MARKOV_ORDERS if k is None else (k,)
    truth = _truth(splits)
    ratios = {order: _log_ratios(class_counts(splits["train"], order + 1, truth["train"])) for order in orders}
    for label in range(truth["train"].shape[1]):
        found = []
        for order, ratio in ratios.items():
            scores = {name: word_scores(splits[name], order + 1, ratio[label]) for name in ("valid", "test")}
            found.append(Fitted(order, area(truth["valid"][:, label], scores["valid"]), scores["test"]))
        yield _best(found)


def _log_ratios(counts: np.ndarray) -> np.ndarray:
    """Log ratio of the chances of each k-mer's last base, given the bases before: (K, 2, 4**k) -> (K, 4**k)."""
    pairs = counts.reshape(*counts.shape[:2], -1, 4) + 1.0
    chances = np.log(pairs / pairs.sum(axis=-1, keepdims=True)).reshape(counts.shape)
    return np.asarray(chances[:, 1] - chances[:, 0])


def cpg_model(splits: Splits, k: int | None, area: Area) -> Iterator[Fitted]:
    """The number of CpGs; chosen: 1 where train says that they speak for the label, -1 where against it."""
    counts = {name: cpg_counts(split).astype(float) for name, split in splits.items()}
    truth = _truth(splits)
    for label in range(truth["train"].shape[1]):
        sign = -1 if _auroc(truth["train"][:, label], counts["train"]) < 0.5 else 1
        valid = area(truth["valid"][:, label], sign * counts["valid"])
        yield Fitted(sign, valid, sign * counts["test"])


Model = Callable[[Splits, int | None, Area], Iterator[Fitted]]
BASELINES: Mapping[str, Model] = MappingProxyType({"kmer": kmer_model, "markov": markov_model, "cpg": cpg_model})
"""By the word that `dnaspt baseline --model` and a study's `init` take."""


def run_baseline(
    data: Path, out: Path, *, model: str = "kmer", k: int | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Fit on train, choose on valid, score test once; the folder gets what a run's has: result.json and evaluation-test.*.

    Args:
        data: dataset folder of windows.
        out: folder to write.
        model: one of `BASELINES`.
        k: length of the k-mers (4 where left out), or order of the chain (left out: chosen on valid).
        overwrite: replace a baseline's folder.

    Raises:
        DatasetError: no dataset of windows; `out` is there, or is to be replaced and holds no baseline.
        ConfigError: no such model, or k out of range.
    """
    manifest = read_manifest(data)
    if manifest.per_base:
        do = "say --model augustus, --species for its authors' models, or --annotation for any tool's GFF3"
        raise DatasetError(f"{data}: has labels per base; --model {model} is for windows; {do}")
    if model not in BASELINES:
        raise ConfigError(f"no baseline is called {model!r}; known: {', '.join(BASELINES)}")
    if k is not None and not 1 <= k <= 6:
        raise ConfigError(f"k = {k}; expected 1 to 6")
    check_place(out, overwrite=overwrite)
    began = time.monotonic()
    splits = {name: read_split(data, name) for name in ("train", "valid", "test")}
    if manifest.resolution_bp:
        splits = {name: split.bins(manifest.resolution_bp) for name, split in splits.items()}
    metric = TASKS[manifest.task].metric
    fitted = list(BASELINES[model](splits, k, _auprc if metric == "auprc" else _auroc))
    valid = np.array([found.valid for found in fitted])
    result = {
        "baseline": model,
        "k": k,
        "chosen": [found.chosen for found in fitted],
        f"valid_{metric}": float(np.nanmean(valid)) if (~np.isnan(valid)).any() else None,
        "minutes": (time.monotonic() - began) / 60,
        "n_bp": len(splits["train"].codes),
        "steps": 0,
    }
    logits = np.stack([found.scores for found in fitted], axis=1).astype(np.float32)
    scored, counted = score_windows(splits["test"], logits, manifest.labels)
    return write_baseline(out, manifest, result, {"n_windows": len(splits["test"]), **scored}, counted)


def check_place(out: Path, *, overwrite: bool) -> None:
    """Refuse a place for a baseline's folder.

    Raises:
        DatasetError: it is there, or is to be replaced and holds no baseline.
    """
    if out.exists() and not overwrite:
        raise DatasetError(f"{out}: already there; choose another --out, or say --overwrite")
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and "baseline" not in _result_of(out)):
        raise DatasetError(f"{out}: is there and holds no baseline; choose another --out")


def write_baseline(
    out: Path,
    manifest: Manifest,
    result: dict[str, Any],
    scored: dict[str, Any],
    counted: dict[str, np.ndarray],
    genes: Sequence[Transcript] | None = None,
) -> dict[str, Any]:
    """The folder of a baseline, as a run's: result.json, evaluation-test.* and a line of the log; returns the evaluation.

    genes: as they were scored, on the dataset's own contigs and coordinates, for genes.gff3.
    """
    scores: dict[str, Any] = {
        "split": "test",
        "task": manifest.task,
        "data_digest": manifest.digest,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **scored,
    }
    earlier = (out / LOG).read_text(encoding="utf-8") if (out / LOG).is_file() else ""  # of the folder that is replaced
    with publish_folder(out) as folder:
        write_text_atomically(folder / "result.json", json.dumps(result, indent=1) + "\n")
        write_text_atomically(folder / "evaluation-test.json", json.dumps(scores, indent=1) + "\n")
        with publish_file(folder / "evaluation-test.npz") as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, **counted)  # type: ignore[arg-type]
        metric = primary_metric(scores)
        line = json.dumps({name: scores[name] for name in ("date", "split", "data_digest", metric)})
        write_text_atomically(folder / LOG, f"{earlier}{line}\n")
        if genes is not None:
            lines = (*gff3_header(()), *gff3_lines(genes, source="baseline"))
            write_text_atomically(folder / GENES_FILE, "".join(lines))
    return scores


def _truth(splits: Splits) -> dict[str, np.ndarray]:
    """Labels (n, K) of each split."""
    return {name: split.labels.reshape(len(split), -1) for name, split in splits.items()}


def _auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    return float(auroc(truth[:, None], scores[:, None])[0])


def _auprc(truth: np.ndarray, scores: np.ndarray) -> float:
    return float(auprc(truth[:, None], scores[:, None])[0])


def _best(found: list[Fitted]) -> Fitted:
    """The one with the best area on valid; the first where it is not defined."""
    return max(found, key=lambda fitted: -1.0 if np.isnan(fitted.valid) else fitted.valid)


def _result_of(folder: Path) -> dict[str, Any]:
    """The result in a folder, empty where there is none."""
    file = folder / "result.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
