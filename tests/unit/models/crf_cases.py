"""Chains, labels and slow truths for the tests of the CRF: enumeration of all paths, and plain loops in log space."""

import itertools

import numpy as np
import pytest
import torch

from dnaspt.genome.gene_states import GENE_STATES, MISSING
from dnaspt.models.crf import LinearChainCRF
from dnaspt.models.kernels.crf_viterbi import best_path

GENES = GENE_STATES.legal_matrix()


def make_crf(legal: np.ndarray, seed: int = 0, scale: float = 1.0) -> LinearChainCRF:
    crf = LinearChainCRF(legal)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return crf


def random_legal(k: int, seed: int) -> np.ndarray:
    legal = np.random.default_rng(seed).random((k, k)) < 0.5
    legal[np.arange(k), (np.arange(k) + 1) % k] = True
    return legal


def legal_labels(crf: LinearChainCRF, shape: tuple[int, int], missing: float, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(*shape, len(crf.start), generator=torch.Generator().manual_seed(seed)) * 3
    labels = best_paths(crf, noise, torch.full(shape[:1], shape[1]))[0].long()
    labels[torch.rand(shape, generator=torch.Generator().manual_seed(seed + 1)) < missing] = MISSING
    return labels


def best_paths(
    crf: LinearChainCRF, emissions: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paths (B, L) int8 with MISSING at padding, and their scores (B,): each sequence decoded alone, as commands do."""
    paths, scores = torch.full(emissions.shape[:2], MISSING, dtype=torch.int8), torch.zeros(len(emissions)).double()
    rows = emissions.detach().to(torch.float64 if emissions.dtype == torch.float64 else torch.float32).numpy()
    for b, n in enumerate(lengths.tolist()):
        path, scores[b] = best_path(rows[b, :n], crf.chain())
        paths[b, :n] = torch.from_numpy(path)
    return paths, scores


def full(emissions: torch.Tensor) -> torch.Tensor:
    return torch.full(emissions.shape[:1], emissions.shape[1])


def enumerate_paths(crf: LinearChainCRF, emissions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All legal paths (P, L) of emissions (L, K) and their scores (P,) in float64, by brute force."""
    length, k = emissions.shape
    paths = torch.tensor(list(itertools.product(range(k), repeat=length)))
    for t in range(1, length):
        paths = paths[torch.from_numpy(crf.legal)[paths[:, t - 1], paths[:, t]]]
    scores = crf.start.double()[paths[:, 0]] + crf.end.double()[paths[:, -1]]
    scores = scores + emissions.double()[torch.arange(length), paths].sum(1)
    return paths, scores + crf.transitions.double()[paths[:, :-1], paths[:, 1:]].sum(1)


def enumerated_log_likelihood(crf: LinearChainCRF, emissions: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    paths, scores = enumerate_paths(crf, emissions)
    agrees = ((labels == paths) | (labels == MISSING)).all(1)
    return scores[agrees].logsumexp(0) - scores.logsumexp(0)


def slow_partition(crf: LinearChainCRF, emissions: torch.Tensor) -> torch.Tensor:
    """Log-partition of (L, K) by a plain loop of float64 log-sum-exps."""
    transitions = torch.where(torch.from_numpy(crf.legal), crf.transitions.double(), -torch.inf)
    alpha = crf.start.double() + emissions[0].double()
    for t in range(1, len(emissions)):
        alpha = torch.logsumexp(alpha[:, None] + transitions, 0) + emissions[t].double()
    return torch.logsumexp(alpha + crf.end.double(), 0)


def gradients(value: torch.Tensor, tensors: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    return list(torch.autograd.grad(value.sum(), tensors, retain_graph=True))


CASES = [
    pytest.param(random_legal(3, 0), 6, id="three states"),
    pytest.param(random_legal(4, 1), 5, id="four states"),
    pytest.param(random_legal(6, 2), 1, id="one position"),
    pytest.param(np.roll(np.eye(4, dtype=bool), 1, axis=1), 6, id="a cycle, never mixed"),
    pytest.param(np.triu(np.ones((4, 4), dtype=bool)), 5, id="left to right"),
    pytest.param(GENES, 5, id="genes"),
]
