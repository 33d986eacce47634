"""A dataset of variants with known effects (BEND's) to areas under curves of zero-shot scores: nothing is trained.

BEND's number is the AUROC of the cosine distance between the forward strand's hidden states at the variant, with 256 letters on
either side. Beside it stand the mean of both strands and, of a language model, how unlikely it finds the alternative.
"""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from dnaspt.atomic import publish_file, write_text_atomically
from dnaspt.checkpoint import TENSORS, Accelerator, choose_device, find_checkpoint, load_model, mask_token_of
from dnaspt.data.bootstrap_blocks import window_blocks
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import DatasetError
from dnaspt.evaluation.metrics import label_scores
from dnaspt.genome import alphabet
from dnaspt.inference.variant_effects import Sides, check_scores, cosine_distances, log_likelihood_ratios
from dnaspt.models.language_model import LanguageModel

log = logging.getLogger(__name__)

TABLE = "variants"
"""Name of the table beside the windows: chrom, pos (0-based), ref, alt of each row of the test split."""
COSINE, BOTH, RATIO = "cosine", "cosine, both strands", "log ratio of reference to alternative, both strands"
_AT_ONCE = 1024


def evaluate_variants(
    run: Path, data: Path, *, split: str = "test", accelerator: Accelerator = "auto"
) -> dict[str, Any]:
    """Score a run of `pretrain` or `finetune` on a dataset of variants; written into the run as evaluation-test-DIGEST.json.

    Raises:
        CheckpointError: no model. DatasetError: no dataset of variants, or another split than test.
        ConfigError: no GPU where one is asked for.
    """
    device = choose_device(accelerator)
    model, config = load_model(run)
    check_scores(run, model)
    model = model.to(device)
    manifest, rows = read_manifest(data), read_split(data, split)
    alleles = read_sides(data, rows)
    scores: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(alleles), _AT_ONCE):
        some = alleles[first : first + _AT_ONCE]
        cosine = cosine_distances(model, some)
        scores.setdefault(COSINE, []).append(cosine[:, 0])
        scores.setdefault(BOTH, []).append(cosine.mean(axis=1))
        if isinstance(model, LanguageModel):
            scores.setdefault(RATIO, []).append(-log_likelihood_ratios(model, some, mask_token_of(config)))
    matrix = np.stack([np.concatenate(parts) for parts in scores.values()], axis=1)
    truth = np.repeat(rows.labels[:, None], matrix.shape[1], axis=1)
    blocks = window_blocks(rows.chrom.astype(str), rows.start, rows.end)
    scored = label_scores(truth, matrix, blocks, list(scores)).to_dict()
    result = {
        "split": split,
        "data": str(data),
        "data_digest": manifest.digest,
        "checkpoint": str(find_checkpoint(run)),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_variants": len(rows),
        "encoder_data_digest": config.data_digest,
        **{kind: scored[kind] for kind in ("auroc", "auprc", "undefined")},
    }
    _write(run, result, {"truth": truth, "logits": matrix, "blocks": blocks})
    return result


def read_sides(data: Path, rows: Split) -> list[Sides]:
    """Both alleles of each row, in the row's window.

    Raises:
        DatasetError: the table of alleles is not there, or does not belong to the rows.
    """
    file = data / f"{TABLE}.parquet"
    if not file.is_file():
        raise DatasetError(f"{data}: has no {file.name}; prepare it again")
    table = pq.read_table(file)
    if len(table) != len(rows):
        raise DatasetError(f"{file}: {len(table)} alleles for {len(rows)} windows; prepare it again")
    found = []
    for window, at, alt in zip(rows, table["pos"].to_pylist(), table["alt"].to_pylist(), strict=True):
        first = at - window.start
        ref = alphabet.tokens(window.codes)
        changed = ref.copy()
        changed[first] = alphabet.tokens(alphabet.encode(alt))[0]
        found.append(Sides(ref, changed, first, 1, 1))
    return found


def _write(run: Path, result: dict[str, Any], counted: dict[str, np.ndarray]) -> None:
    if (run / TENSORS).is_file():
        log.warning("%s: is a checkpoint, which stays as it is: the scores are not written into it", run)
        return
    stem = f"evaluation-{result['split']}-{result['data_digest'][:8]}"
    with publish_file(run / f"{stem}.npz") as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **counted)  # type: ignore[arg-type]
    write_text_atomically(run / f"{stem}.json", json.dumps(result, indent=1) + "\n")
    with (run / "evaluations.jsonl").open("a", encoding="utf-8") as lines:
        line = {name: result[name] for name in ("date", "split", "data", "checkpoint")}
        lines.write(json.dumps(line | {"auroc": result["auroc"]}) + "\n")
