"""A dataset of variants with known effects (BEND's) to AUROC and AUPRC of zero-shot scores: nothing is trained.

BEND's number is the AUROC of the cosine distance between the forward strand's hidden states at the variant, with 256 bases on
either side. Beside it stand the mean of both strands and, for a language model, how unlikely it finds the alternative allele.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from dnaspt.checkpoint import mask_token_of
from dnaspt.data.bootstrap_blocks import window_blocks
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import VARIANTS, read_manifest
from dnaspt.errors import DatasetError
from dnaspt.evaluation.metrics import label_scores
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, VariantEvaluation, write_model_evaluation
from dnaspt.genome import alphabet
from dnaspt.inference.model import Model
from dnaspt.inference.variant_effects import AllelePair, check_scores, cosine_distances, log_likelihood_ratios
from dnaspt.models.language_model import LanguageModel

COSINE, BOTH, RATIO = "cosine", "cosine, both strands", "log ratio of reference to alternative, both strands"
_CHUNK_ALLELES = 1024
"""Alleles that are scored at a time."""


def evaluate_variants(model: Model, data: Path, *, split: str = "test", write: bool = True) -> Evaluation:
    """Score a pretrained or fine-tuned model on a dataset of variants; written into the run as evaluation-test-DIGEST.json.

    Args:
        model: a pretrained or fine-tuned model.
        data: folder of a dataset of variants.
        split: name of the split.
        write: write the scores into the run.

    Raises:
        CheckpointError: a model without a state for each base. DatasetError: no dataset of variants, or another split than test.
    """
    check_scores(model.path, model.network)
    manifest, rows = read_manifest(data), read_split(data, split)
    scores = _scores(model, read_allele_pairs(data, rows))
    matrix = np.stack(list(scores.values()), axis=1)
    truth = np.repeat(rows.labels[:, None], matrix.shape[1], axis=1)
    blocks = window_blocks(rows.chrom.astype(str), rows.start, rows.end)
    areas = label_scores(truth, matrix, blocks, list(scores))
    evaluation = Evaluation(
        split=split,
        task=manifest.task,
        data_digest=manifest.digest,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        variants=VariantEvaluation(areas.auroc, areas.auprc, areas.undefined),
        n_variants=len(rows),
        data=str(data),
        checkpoint=str(model.checkpoint),
        encoder_data_digest=model.config.data_digest,
    )
    if write:
        counts = BootstrapCounts(truth=truth, logits=matrix, blocks=blocks)
        write_model_evaluation(model, evaluation, counts)
    return evaluation


def _scores(model: Model, alleles: list[AllelePair]) -> dict[str, np.ndarray]:
    """Scores (n,) by name, higher where the alternative allele changes more: the ratio is therefore that of REF to ALT."""
    chunks: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(alleles), _CHUNK_ALLELES):
        chunk = alleles[first : first + _CHUNK_ALLELES]
        cosine = cosine_distances(model.network, chunk)
        chunks.setdefault(COSINE, []).append(cosine[:, 0])
        chunks.setdefault(BOTH, []).append(cosine.mean(axis=1))
        if isinstance(model.network, LanguageModel):
            ratio = -log_likelihood_ratios(model.network, chunk, mask_token_of(model.config))
            chunks.setdefault(RATIO, []).append(ratio)
    return {name: np.concatenate(parts) for name, parts in chunks.items()}


def read_allele_pairs(data: Path, rows: Split) -> list[AllelePair]:
    """Both alleles of each row, in the row's window.

    Raises:
        DatasetError: the table of alleles is not there, or does not belong to the rows.
    """
    file = data / f"{VARIANTS}.parquet"
    if not file.is_file():
        raise DatasetError(f"{data}: has no {file.name}; prepare it again")
    table = pq.read_table(file)
    if len(table) != len(rows):
        raise DatasetError(f"{file}: {len(table)} alleles for {len(rows)} windows; prepare it again")
    pairs = []
    for window, position, alt in zip(rows, table["pos"].to_pylist(), table["alt"].to_pylist(), strict=True):
        first = position - window.start
        ref = alphabet.tokens(window.codes)
        changed = ref.copy()
        changed[first] = alphabet.tokens(alphabet.encode(alt))[0]
        pairs.append(AllelePair(ref, changed, first, 1, 1))
    return pairs
