"""The chain of gene classes trained under the grammar of codons: paths that break it have no probability.

The grammar's states take the emissions and moves of their classes, so the model has no more parameters than the chain alone. It
need not learn what the letters tell anyway, and is trained for the paths among which it will be decoded.
"""

import numpy as np
import torch
from torch import Tensor

from dnaspt.models.batch import Batch
from dnaspt.models.codons import Grammar, sequence_flags
from dnaspt.models.crf import LinearChainCRF, log_partition
from dnaspt.models.kernel import kernel
from dnaspt.tasks import MISSING

_EDGE_BP = 2
"""Bases at either end of a window whose codon or splice site may lie half outside."""


def codon_log_likelihood(crf: LinearChainCRF, grammar: Grammar, emissions: Tensor, batch: Batch) -> Tensor:
    """Log-probability of the labels among all paths that keep to the grammar: emissions (B, L, K) -> (B,) nats, <= 0.

    A window may begin and end anywhere in a gene. Labels that break the grammar (a frame that does not add up, rare splice
    sites, N) have their probability among all paths of the chain instead.
    """
    allowed = allowed_states(grammar, batch)
    agreed = allowed & _fits_labels(grammar, batch.labels)
    keeps = torch.from_numpy(_has_path(agreed, batch.lengths.cpu().numpy(), grammar.legal)).to(emissions.device)
    found = emissions.new_zeros(len(emissions), dtype=torch.promote_types(emissions.dtype, torch.float32))
    if keeps.any():
        classes = torch.from_numpy(grammar.classes).to(emissions.device)
        wide = emissions[keeps].to(found.dtype)[..., classes]
        scores = (crf.start[classes], crf.end[classes], crf.transitions[classes][:, classes])
        tied, free = (
            log_partition(wide.masked_fill(~mask, -torch.inf), batch.lengths[keeps], scores, grammar.legal)
            for mask in (torch.from_numpy(states).to(emissions.device)[keeps] for states in (agreed, allowed))
        )
        found = found.masked_scatter(keeps, tied - free)
    if not keeps.all():
        odd = ~keeps
        alone = crf.log_likelihood(emissions[odd], batch.labels[odd], batch.lengths[odd])
        found = found.masked_scatter(odd, alone.to(found.dtype))
    return found


def keeping(grammar: Grammar, batch: Batch) -> np.ndarray:
    """Whether the labels of each window keep to the grammar: (B,) bool."""
    agreed = allowed_states(grammar, batch) & _fits_labels(grammar, batch.labels)
    return _has_path(agreed, batch.lengths.cpu().numpy(), grammar.legal)


def allowed_states(grammar: Grammar, batch: Batch) -> np.ndarray:
    """Which of the grammar's states the letters of each window allow: (B, L, S) bool; all at padding."""
    tokens = batch.tokens.cpu().numpy()
    allowed = np.ones((*tokens.shape, len(grammar.classes)), dtype=bool)
    for row, length, states in zip(tokens, batch.lengths.tolist(), allowed, strict=True):
        flags = sequence_flags(row[:length])[:, None]
        has_needed = (flags & grammar.needed) == grammar.needed
        has_needed[:_EDGE_BP] = has_needed[-_EDGE_BP:] = True
        states[:length] = has_needed & ((flags & grammar.forbidden) == 0)
    return allowed


def _fits_labels(grammar: Grammar, labels: Tensor) -> np.ndarray:
    known = labels.cpu().numpy()[..., None]
    fits: np.ndarray = (known == grammar.classes) | (known == MISSING)
    return fits


def _has_path(states: np.ndarray, lengths: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """Whether a legal path leads through the states (B, L, S) of each window: (B,) bool; S <= 62, a bit each."""
    bits = np.int64(1) << np.arange(len(legal))
    return _reaches_end(states @ bits, lengths, legal @ bits)


@kernel()
def _reaches_end(states: np.ndarray, lengths: np.ndarray, following: np.ndarray) -> np.ndarray:
    """states: (B, L) sets of states as bits; following: (S,) those that a state may move to."""
    found = np.zeros(len(states), np.bool_)
    for b in range(len(states)):
        here = states[b, 0]
        for t in range(1, lengths[b]):
            reached = np.int64(0)
            for i in range(len(following)):
                if (here >> i) & 1:
                    reached |= following[i]
            here = reached & states[b, t]
        found[b] = here != 0
    return found
