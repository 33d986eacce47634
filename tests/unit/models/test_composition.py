"""Log-odds of windows from their k-mers, as a part of a model."""

import numpy as np
import torch

from dnaspt.genome.alphabet import encode, reverse_complement
from dnaspt.genome.kmers import known_kmers, number_kmers
from dnaspt.models.composition import Composition, K


def composition(n_labels: int = 2, seed: int = 0) -> tuple[Composition, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores, constant = generator.normal(size=(n_labels, 4**K)), generator.normal(size=n_labels)
    module = Composition(n_labels)
    module.set(scores, constant)
    return module, scores, constant


def expected(codes: np.ndarray, scores: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Mean score of the k-mers of both strands."""
    found = []
    for strand in (codes, reverse_complement(codes)):
        found.append(number_kmers(strand, K)[known_kmers(strand, K)])
    kmers = np.concatenate(found)
    return constant + (scores[:, kmers].mean(axis=1) if len(kmers) else 0)


def test_log_odds_are_the_mean_score_of_the_kmers_of_both_strands() -> None:
    module, scores, constant = composition()
    for letters in ("ACGTACGTTGCA", "GATTACANNGATTACAGG", "ACGTAC", "ACNGTACG"):
        codes = encode(letters)
        found = module(torch.from_numpy(codes.copy())[None])[0].numpy()
        np.testing.assert_allclose(found, expected(codes, scores, constant), rtol=1e-5, atol=1e-6)


def test_both_strands_have_the_same_log_odds() -> None:
    module, _, _ = composition()
    codes = encode("GATTACAGGCATTACGGANCTTAGGC")
    both = torch.from_numpy(np.stack([codes, reverse_complement(codes)]))
    forward, backward = module(both)
    torch.testing.assert_close(forward, backward)


def test_padding_and_short_windows_say_nothing() -> None:
    module, scores, constant = composition()
    padded = torch.full((2, 20), 6, dtype=torch.uint8)
    padded[0, :9] = torch.from_numpy(encode("GATTACAGG"))
    found = module(padded).numpy()
    np.testing.assert_allclose(found[0], expected(encode("GATTACAGG"), scores, constant), rtol=1e-5)
    np.testing.assert_allclose(found[1], constant, rtol=1e-6)
    np.testing.assert_allclose(module(padded[:, :5]).numpy(), np.stack([constant] * 2), rtol=1e-6)
