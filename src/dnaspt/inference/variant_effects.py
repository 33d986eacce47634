"""Alleles to scores: what a variant changes in hidden states, in the language model, and in the labels, on both strands.

- cosine: 1 - cos of the hidden states at the allele (zero-shot, as BEND scores variants; Marin et al. 2024).
- llr: log-likelihood ratio of the alternative allele under the masked language model, in nats. For substitutions the bases that
  differ are masked. For insertions and deletions the bases around the allele are masked one by one, next to either allele.
- delta: of a fine-tuned model, the change of each label: of windows in log-odds; of bases the largest change of a probability.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from dnaspt.config import MASK_TOKEN, PAD_TOKEN
from dnaspt.errors import CheckpointError
from dnaspt.genome import alphabet
from dnaspt.inference.emissions import ModelOutput, hidden_states, predict_batches
from dnaspt.models.basset import BassetEncoder
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.heads import SigmoidHead
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel

INDEL_FLANK_BP = 8
"""Bases on either side by which an insertion or deletion is scored."""


class AllelePair(NamedTuple):
    """Two windows of a contig, with the reference and the alternative allele.

    Attributes:
        ref: codes of the window with the reference allele (L,) uint8, without soft-masking.
        alt: codes of the window with the alternative allele (M,) uint8, without soft-masking.
        first: position of the allele in both windows.
        n_ref: length of the reference allele.
        n_alt: length of the alternative allele.
    """

    ref: np.ndarray
    alt: np.ndarray
    first: int
    n_ref: int
    n_alt: int

    @classmethod
    def of(cls, codes: np.ndarray, start: int, n_ref: int, alt: np.ndarray, window_bp: int) -> "AllelePair":
        """Windows that begin window_bp // 2 before the allele; they are shorter at the ends of the contig.

        Args:
            codes: codes of the contig (L,).
            start: position of the reference allele on the contig.
            n_ref: length of the reference allele.
            alt: codes of the alternative allele (n_alt,).
            window_bp: length of the windows.
        """
        own = cls.window(start, window_bp)
        left, end = own.start, own.stop
        changed = np.concatenate([codes[left:start], alt, codes[start + n_ref : end + max(0, n_ref - len(alt))]])
        return cls(
            alphabet.tokens(codes[left:end]), alphabet.tokens(changed[:window_bp]), start - left, n_ref, len(alt)
        )

    @staticmethod
    def window(start: int, window_bp: int) -> slice:
        """Bases of the contig in the window of an allele that starts at `start`; the contig may end before the window does."""
        left = max(0, start - window_bp // 2)
        return slice(left, left + window_bp)

    @property
    def n_after(self) -> int:
        """Bases behind the allele that both windows have."""
        return min(len(self.ref) - self.first - self.n_ref, len(self.alt) - self.first - self.n_alt)

    def reverse_complement(self) -> "AllelePair":
        """The same on the other strand. An allele is as far from the end of its window as it was from the start."""
        ref = self.ref[: self.first + self.n_ref + self.n_after]
        alt = self.alt[: self.first + self.n_alt + self.n_after]
        ref, alt = alphabet.reverse_complement(ref), alphabet.reverse_complement(alt)
        return AllelePair(ref, alt, self.n_after, self.n_ref, self.n_alt)


def check_scores(run: Path, model: LanguageModel | TaskModel) -> None:
    """Refuse models that have no state or no label at the allele.

    Raises:
        CheckpointError: a gene model, labels of bins, or an encoder without a state for each base.
    """
    if isinstance(model, TaskModel) and isinstance(model.head, GeneModelHead):
        raise CheckpointError(
            f"{run}: a gene model gives probabilities of genes, not of single bases; score variants by a pretrained model, or by "
            "one of --head crf"
        )
    resolution_bp = model.head.trunk.resolution_bp if isinstance(model, TaskModel) else 1
    if resolution_bp > 1:
        raise CheckpointError(
            f"{run}: labels bins of {resolution_bp} bp; variants are scored by models of bases or windows"
        )
    models = model.single if isinstance(model, Ensemble) else [model]
    if any(isinstance(own.encoder, BassetEncoder) for own in models):
        raise CheckpointError(f"{run}: Basset has no state for each base; variants are scored by models that have")


def cosine_distances(model: LanguageModel | TaskModel, alleles: Sequence[AllelePair]) -> np.ndarray:
    """1 - cos of the mean hidden states over the bases of either allele, on each strand: (n, 2), forward first.

    Of an ensemble the mean over its models.
    """
    if isinstance(model, Ensemble):
        return np.asarray(np.mean([cosine_distances(own, alleles) for own in model.single], axis=0))
    windows = (window for pair in _both_strands(alleles) for window in (pair.ref, pair.alt))
    states = predict_batches(hidden_states(model), windows)
    distances = []
    for pair in _both_strands(alleles):
        ref = next(states)[pair.first : pair.first + pair.n_ref].mean(axis=0, dtype=np.float64)
        alt = next(states)[pair.first : pair.first + pair.n_alt].mean(axis=0, dtype=np.float64)
        distances.append(1 - ref @ alt / max(1e-12, np.linalg.norm(ref) * np.linalg.norm(alt)))
    return np.array(distances).reshape(-1, 2)


def log_likelihood_ratios(
    model: LanguageModel, alleles: Sequence[AllelePair], mask_token: int = MASK_TOKEN
) -> np.ndarray:
    """Mean over both strands of log P(alternative) - log P(reference), in nats: (n,).

    Args:
        model: a pretrained model.
        alleles: what to score.
        mask_token: the token that the model knows as a masked base.
    """
    logs = predict_batches(
        ModelOutput(model, model.base_log_probabilities),
        (window for pair in _both_strands(alleles) for window, _ in _masked_windows(pair, mask_token)),
    )
    ratios = []
    for pair in _both_strands(alleles):
        ratio = 0.0
        for _, terms in _masked_windows(pair, mask_token):
            log = next(logs)
            ratio += sum(sign * float(log[position, base]) for position, base, sign in terms)
        ratios.append(ratio)
    return _strand_means(ratios)


def _masked_windows(pair: AllelePair, mask_token: int) -> Iterator[tuple[np.ndarray, list[tuple[int, int, int]]]]:
    """Masked windows, and the terms of the log ratio that each gives: position, base and sign."""
    if pair.n_ref == pair.n_alt:
        allele = slice(pair.first, pair.first + pair.n_ref)
        positions = (np.flatnonzero(pair.ref[allele] != pair.alt[allele]) + pair.first).tolist()
        terms = [(position, int(pair.alt[position]), 1) for position in positions]
        terms += [(position, int(pair.ref[position]), -1) for position in positions]
        yield _masked(pair.ref, positions, mask_token), terms
        return
    n_before, n_after = min(INDEL_FLANK_BP, pair.first), min(INDEL_FLANK_BP, pair.n_after)
    for codes, n_allele, sign in ((pair.alt, pair.n_alt, 1), (pair.ref, pair.n_ref, -1)):
        after = pair.first + n_allele
        for position in (*range(pair.first - n_before, pair.first), *range(after, after + n_after)):
            if codes[position] < alphabet.N:
                yield _masked(codes, [position], mask_token), [(position, int(codes[position]), sign)]


def _masked(codes: np.ndarray, positions: list[int], mask_token: int) -> np.ndarray:
    """A copy of a window with masked positions."""
    masked = codes.copy()
    masked[positions] = mask_token
    return masked


def label_changes(model: TaskModel, alleles: Sequence[AllelePair], complement: tuple[int, ...] | None) -> np.ndarray:
    """Mean over both strands of the change of each label, alternative minus reference: (n, K).

    Of windows it is the change of the calibrated log-odds, or of the predicted number. Of bases it is the largest change, with
    its sign, of the label's probability outside the allele.

    Args:
        model: a fine-tuned model.
        alleles: what to score.
        complement: for each label its label on the other strand; None where labels have no strand.
    """
    windows = (window for pair in _both_strands(alleles) for window in (pair.ref, pair.alt))
    outputs = predict_batches(ModelOutput(model, lambda tokens: _label_scores(model, tokens)), windows)
    changes = []
    for index, pair in enumerate(_both_strands(alleles)):
        ref, alt = next(outputs), next(outputs)
        if ref.ndim == 1:
            of_ref, of_alt = (model.calibrator.log_odds(scores[None])[0] for scores in (ref, alt))
            changes.append(of_alt - of_ref)
            continue
        before = alt[: pair.first] - ref[: pair.first]
        behind = alt[pair.first + pair.n_alt :][: pair.n_after] - ref[pair.first + pair.n_ref :][: pair.n_after]
        change = np.concatenate([before, behind])
        largest = change[np.abs(change).argmax(axis=0), np.arange(change.shape[1])]
        changes.append(largest[list(complement)] if index % 2 and complement else largest)
    return _strand_means(changes)


def _label_scores(model: TaskModel, tokens: Tensor) -> Tensor:
    """What a model of windows gives (B, K) before it is calibrated; or probabilities (B, L, K) of classes of bases."""
    emissions: Tensor = model(tokens)
    if isinstance(model.head, SigmoidHead):
        return emissions
    return model.head.probabilities(emissions, (tokens != PAD_TOKEN).sum(1))


def _both_strands(alleles: Sequence[AllelePair]) -> Iterator[AllelePair]:
    """Each pair, then the same on the other strand."""
    for pair in alleles:
        yield pair
        yield pair.reverse_complement()


def _strand_means(scores: list[float] | list[np.ndarray]) -> np.ndarray:
    """Means of neighbors: (2n, ...) -> (n, ...) float64."""
    strands = np.asarray(scores, dtype=np.float64)
    return np.asarray((strands[::2] + strands[1::2]) / 2)
