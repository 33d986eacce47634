"""A cheap baseline for windows: logistic regression on the counts of k-mers of both strands, one model for each label.

The strength of the penalty is chosen on valid, like a checkpoint. What does not beat it has learned little beyond composition.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dnaspt.data.store import Split, read_manifest, read_split
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.areas import auroc
from dnaspt.evaluation.evaluate import score_windows
from dnaspt.publish import publish_file, publish_folder, write_text_atomically
from dnaspt.tasks import MISSING

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties to choose from."""


def kmer_counts(split: Split, k: int) -> np.ndarray:
    """Share of each k-mer among those of a window, k-mers and their reverse complements as one: (n, M) float32.

    k-mers with an N are not counted.
    """
    codes = np.arange(4**k)
    digits = codes[:, None] // 4 ** np.arange(k)[::-1] % 4
    turned = ((3 - digits[:, ::-1]) * 4 ** np.arange(k)[::-1]).sum(axis=1)
    column = np.unique(np.minimum(codes, turned), return_inverse=True)[1]
    features = np.zeros((len(split), int(column.max()) + 1), dtype=np.float32)
    for row in range(len(split)):
        tokens = (split.codes[split.offsets[row] : split.offsets[row + 1]] & 7).astype(np.int64)
        n = len(tokens) - k + 1
        words, known = np.zeros(max(n, 0), np.int64), np.ones(max(n, 0), bool)
        for at in range(k):
            words = words * 4 + tokens[at : at + n]
            known &= tokens[at : at + n] < 4
        counts = np.bincount(column[words[known]], minlength=features.shape[1])
        features[row] = counts / max(1, counts.sum())
    return features


def kmer_baseline(data: Path, out: Path, *, k: int = 4, overwrite: bool = False) -> dict[str, Any]:
    """Fit on train, choose on valid, score test once; the folder gets what a run's has: result.json and evaluation-test.*.

    Raises:
        DatasetError: no dataset of windows; `out` is there, or is to be replaced and holds no baseline.
        ConfigError: k out of range.
    """
    manifest = read_manifest(data)
    if manifest.resolution_bp:
        raise DatasetError(f"{data}: has labels per base; the k-mer baseline is for windows")
    if not 1 <= k <= 6:
        raise ConfigError(f"k = {k}; expected 1 to 6")
    if out.exists() and not overwrite:
        raise DatasetError(f"{out}: already there; choose another --out, or say --overwrite")
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and "strengths" not in _result_of(out)):
        raise DatasetError(f"{out}: is there and holds no baseline; choose another --out")
    began = time.monotonic()
    splits = {name: read_split(data, name) for name in ("train", "valid", "test")}
    features = {name: kmer_counts(split, k) for name, split in splits.items()}
    scaler = StandardScaler().fit(features["train"])
    features = {name: scaler.transform(values) for name, values in features.items()}
    truth = {name: split.labels.reshape(len(split), -1) for name, split in splits.items()}
    logits = np.zeros(truth["test"].shape, dtype=np.float32)
    chosen, valid_scores = [], []
    for label in range(len(manifest.labels)):
        strength, score, model = _best_model(features, truth, label)
        chosen.append(None if model is None else strength)
        valid_scores.append(score)
        if model is not None:
            logits[:, label] = model.decision_function(features["test"])
    scored, counted = score_windows(splits["test"], logits, manifest.labels)
    valid = np.array(valid_scores)
    result = {
        "k": k,
        "strengths": chosen,
        "valid_auroc": float(np.nanmean(valid)) if (~np.isnan(valid)).any() else None,
    }
    result |= {"minutes": (time.monotonic() - began) / 60, "n_bp": len(splits["train"].codes), "steps": 0}
    scores: dict[str, Any] = {
        "split": "test",
        "data_digest": manifest.digest,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    scores |= {"n_windows": len(splits["test"]), **scored}
    with publish_folder(out) as folder:
        write_text_atomically(folder / "result.json", json.dumps(result, indent=1) + "\n")
        write_text_atomically(folder / "evaluation-test.json", json.dumps(scores, indent=1) + "\n")
        with publish_file(folder / "evaluation-test.npz") as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, **counted)  # type: ignore[arg-type]
    return scores


def _result_of(folder: Path) -> dict[str, Any]:
    """The result in a folder, empty where there is none."""
    file = folder / "result.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _best_model(
    features: dict[str, np.ndarray], truth: dict[str, np.ndarray], label: int
) -> tuple[float, float, LogisticRegression | None]:
    """The strength with the best AUROC on valid, that AUROC, and the model; none where train has one class only."""
    known = truth["train"][:, label] != MISSING
    target = truth["train"][known, label]
    if len(np.unique(target)) < 2:
        return float("nan"), float("nan"), None
    best: tuple[float, float, LogisticRegression | None] = (float("nan"), float("nan"), None)
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
        model.fit(features["train"][known], target)
        column = model.decision_function(features["valid"])[:, None]
        score = float(auroc(truth["valid"][:, [label]], column)[0])
        if best[2] is None or score > best[1]:
            best = (strength, score, model)
    return best
