"""Alleles to scores: what a change of letters does to hidden states, to the language model, and to a head, on both strands.

- cosine: distance of the hidden states at the allele, 1 - cos (zero-shot, as BEND scores variants; Marin et al. 2024).
- llr: log-likelihood ratio of the alternative under the masked language model, in nats. Of substitutions with the letters masked
  that differ; of insertions and deletions by the letters around them, each masked in turn, in either context.
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
from dnaspt.inference.emissions import View, predict_batches
from dnaspt.models.basset import BassetEncoder
from dnaspt.models.heads import CRFHead, SigmoidHead, Trunk
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel

INDEL_FLANK_BP = 8
"""Letters on either side that an insertion or deletion is judged by."""


class Sides(NamedTuple):
    """Both alleles in their context, as codes; positions first to first + len of each are the allele."""

    ref: np.ndarray
    alt: np.ndarray
    first: int
    n_ref: int
    n_alt: int

    @classmethod
    def of(cls, codes: np.ndarray, start: int, n_ref: int, alt: np.ndarray, window_bp: int) -> "Sides":
        """A window of the contig that begins window_bp // 2 before the allele, shorter at the contig's ends."""
        left = max(0, start - window_bp // 2)
        end = left + window_bp
        changed = np.concatenate([codes[left:start], alt, codes[start + n_ref : end + max(0, n_ref - len(alt))]])
        return cls(
            alphabet.tokens(codes[left:end]), alphabet.tokens(changed[:window_bp]), start - left, n_ref, len(alt)
        )

    @property
    def n_after(self) -> int:
        """Letters behind the allele that both windows have."""
        return min(len(self.ref) - self.first - self.n_ref, len(self.alt) - self.first - self.n_alt)

    def turned(self) -> "Sides":
        """The same on the other strand. An allele is as far from the end of its window as it was from the start."""
        ref = self.ref[: self.first + self.n_ref + self.n_after]
        alt = self.alt[: self.first + self.n_alt + self.n_after]
        ref, alt = alphabet.reverse_complement(ref), alphabet.reverse_complement(alt)
        return Sides(ref, alt, self.n_after, self.n_ref, self.n_alt)


def check_scores(run: Path, model: LanguageModel | TaskModel) -> None:
    """Refuse models that have no state or no label at the allele.

    Raises:
        CheckpointError: labels of bins, or an encoder without a state for each base.
    """
    trunk = model.head.trunk if isinstance(model, TaskModel) else None
    if isinstance(trunk, Trunk) and trunk.resolution_bp > 1:
        raise CheckpointError(
            f"{run}: labels bins of {trunk.resolution_bp} bp; variants are scored by models of bases or windows"
        )
    if isinstance(model.encoder, BassetEncoder):
        raise CheckpointError(f"{run}: Basset has no state for each base; variants are scored by models that have")


def cosine_distances(model: LanguageModel | TaskModel, alleles: Sequence[Sides]) -> np.ndarray:
    """Of each strand 1 - cos of the mean hidden states over the letters of either allele: (n, 2), forward first."""
    windows = (side for sides in _both_strands(alleles) for side in (sides.ref, sides.alt))
    hidden = predict_batches(View(model, model.encoder), windows)
    found = []
    for sides in _both_strands(alleles):
        ref = next(hidden)[sides.first : sides.first + sides.n_ref].mean(axis=0, dtype=np.float64)
        alt = next(hidden)[sides.first : sides.first + sides.n_alt].mean(axis=0, dtype=np.float64)
        found.append(1 - ref @ alt / max(1e-12, np.linalg.norm(ref) * np.linalg.norm(alt)))
    return np.array(found).reshape(-1, 2)


def log_likelihood_ratios(model: LanguageModel, alleles: Sequence[Sides], mask_token: int = MASK_TOKEN) -> np.ndarray:
    """Mean over both strands of log P(alternative) - log P(reference) in nats: (n,); mask_token: that the model knows."""
    logs = predict_batches(
        View(model, model.base_log_probabilities),
        (codes for sides in _both_strands(alleles) for codes, _ in _questions(sides, mask_token)),
    )
    found = []
    for sides in _both_strands(alleles):
        total = 0.0
        for _, answers in _questions(sides, mask_token):
            log = next(logs)
            total += sum(sign * float(log[place, letter]) for place, letter, sign in answers)
        found.append(total)
    return _strand_means(found)


def _questions(sides: Sides, mask_token: int) -> Iterator[tuple[np.ndarray, list[tuple[int, int, int]]]]:
    """Masked windows, and what counts of each: place, letter and sign."""
    if sides.n_ref == sides.n_alt:
        at = slice(sides.first, sides.first + sides.n_ref)
        places = (np.flatnonzero(sides.ref[at] != sides.alt[at]) + sides.first).tolist()
        letters = [(place, int(sides.alt[place]), 1) for place in places]
        yield _masked(sides.ref, places, mask_token), letters + [(place, int(sides.ref[place]), -1) for place in places]
        return
    n_before, n_after = min(INDEL_FLANK_BP, sides.first), min(INDEL_FLANK_BP, sides.n_after)
    for codes, n_allele, sign in ((sides.alt, sides.n_alt, 1), (sides.ref, sides.n_ref, -1)):
        after = sides.first + n_allele
        for place in (*range(sides.first - n_before, sides.first), *range(after, after + n_after)):
            if codes[place] < alphabet.N:
                yield _masked(codes, [place], mask_token), [(place, int(codes[place]), sign)]


def _masked(codes: np.ndarray, places: list[int], mask_token: int) -> np.ndarray:
    masked = codes.copy()
    masked[places] = mask_token
    return masked


def label_changes(model: TaskModel, alleles: Sequence[Sides], complement: tuple[int, ...] | None) -> np.ndarray:
    """Mean over both strands of the change of each label, alternative minus reference: (n, K).

    Of windows: of the log-odds. Of bases: the largest change, with its sign, of the label's probability outside the allele.

    complement: for each label its label on the other strand; None where labels have no strand.
    """
    windows = (side for sides in _both_strands(alleles) for side in (sides.ref, sides.alt))
    numbers = predict_batches(View(model, lambda tokens: _label_numbers(model, tokens)), windows)
    found = []
    for index, sides in enumerate(_both_strands(alleles)):
        ref, alt = next(numbers), next(numbers)
        if ref.ndim == 1:
            found.append(alt - ref)
            continue
        before = alt[: sides.first] - ref[: sides.first]
        behind = alt[sides.first + sides.n_alt :][: sides.n_after] - ref[sides.first + sides.n_ref :][: sides.n_after]
        change = np.concatenate([before, behind])
        largest = change[np.abs(change).argmax(axis=0), np.arange(change.shape[1])]
        found.append(largest[list(complement)] if index % 2 and complement else largest)
    return _strand_means(found)


def _label_numbers(model: TaskModel, tokens: Tensor) -> Tensor:
    """Log-odds (B, K) of windows; probabilities (B, L, K) of bases."""
    emissions: Tensor = model(tokens)
    if isinstance(model.head, SigmoidHead):
        return emissions
    if isinstance(model.head, CRFHead):
        return model.head.crf.marginals(emissions, (tokens != PAD_TOKEN).sum(1))
    return emissions.softmax(-1)


def _both_strands(alleles: Sequence[Sides]) -> Iterator[Sides]:
    for sides in alleles:
        yield sides
        yield sides.turned()


def _strand_means(found: list[float] | list[np.ndarray]) -> np.ndarray:
    pairs = np.asarray(found, dtype=np.float64)
    return np.asarray((pairs[::2] + pairs[1::2]) / 2)
