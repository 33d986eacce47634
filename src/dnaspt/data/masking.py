"""Masking for the language model: which bases are hidden, and what stands in their place (arXiv 2506.17766)."""

import numpy as np

from dnaspt.config import MASK_TOKEN
from dnaspt.genome.alphabet import N, T
from dnaspt.genome.gene_states import MISSING


def mask_for_training(
    tokens: np.ndarray, fraction: float, generator: np.random.Generator, *, as_published: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Mask random bases of tokens (B, L) for language modeling; N and padding are never masked.

    Of the masked bases 80 % become the mask token, 10 % a random base, and 10 % stay as they are (BERT, arXiv 1810.04805).

    Args:
        tokens: token ids (B, L) uint8.
        fraction: share of bases to mask.
        generator: source of randomness.
        as_published: mask as the code of arXiv 2506.17766 does: the base T is the mask token, and random letters are drawn
            from seven ids, two of which are not used otherwise (both are the mask token here).

    Returns:
        The masked tokens (B, L) uint8, and labels (B, L) int8: the true base where it was masked, `MISSING` elsewhere.
    """
    chance = generator.random(tokens.shape, dtype=np.float32)
    letters = generator.integers(0, 7 if as_published else 4, tokens.shape, dtype=np.uint8)
    letters = np.minimum(letters, MASK_TOKEN)
    mask = T if as_published else MASK_TOKEN
    scored = (chance < fraction) & (tokens < N)
    labels = np.where(scored, tokens.astype(np.int8), np.int8(MISSING))
    masked = np.where(scored & (chance < 0.8 * fraction), mask, tokens)
    replaced = np.where(scored & (chance >= 0.9 * fraction), letters, masked)
    return replaced.astype(np.uint8), labels


def mask_for_validation(
    tokens: np.ndarray, fraction: float, seed: int, *, as_published: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Mask the same positions of a sequence (L,) every time, all with the mask token.

    The positions depend on the seed and the length alone, so that any model can be scored on the same ones.

    Args:
        tokens: token ids (L,) uint8.
        fraction: share of bases to mask.
        seed: seed of the positions.
        as_published: the mask token is the base T, see `mask_for_training`.

    Returns:
        As `mask_for_training`, for one sequence: (L,) and (L,).
    """
    mask = T if as_published else MASK_TOKEN
    generator = np.random.default_rng((seed, len(tokens)))
    scored = (generator.random(tokens.shape, dtype=np.float32) < fraction) & (tokens < N)
    return np.where(scored, mask, tokens).astype(np.uint8), np.where(scored, tokens.astype(np.int8), np.int8(MISSING))
