"""Masking for the language model: tokens to (input tokens, labels), with distinct mask, pad and N tokens.

15 % of the bases are scored; of these 80 % become the mask token, 10 % a random letter of A C G T, 10 % stay. N and padding
are never masked, never scored and never drawn. (Devlin et al. 2019; the rule that a letter is never the mask token: design.)
"""

import numpy as np

from dnaspt.config import MASK_TOKEN
from dnaspt.genome.alphabet import N, T
from dnaspt.tasks import MISSING


def mask_for_training(
    tokens: np.ndarray, fraction: float, generator: np.random.Generator, *, as_published: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Input tokens and labels of tokens (B, L): labels hold the true base where it is scored, -100 elsewhere.

    as_published: as the authors' code (of arXiv 2506.17766), whose mask token is the base T and whose random letters are drawn
    from seven ids, of which two are never used otherwise (both are the mask token here).
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
    """Fixed positions of one sequence (L,), all with the mask token, so that any model can be scored on the same ones."""
    mask = T if as_published else MASK_TOKEN
    generator = np.random.default_rng((seed, len(tokens)))
    scored = (generator.random(tokens.shape, dtype=np.float32) < fraction) & (tokens < N)
    return np.where(scored, mask, tokens).astype(np.uint8), np.where(scored, tokens.astype(np.int8), np.int8(MISSING))
