"""Training sequence in groups, so that each base is scored by what was estimated on the other groups (cross-fitting)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnaspt.models.gene_structure import INTERGENIC

N_GROUPS = 5
_MOST_SHARE = 0.5
"""If a group of contigs would have more of the gene bases, blocks of contigs are grouped instead."""


class LabeledSequence(NamedTuple):
    """A training sequence.

    Attributes:
        codes: letters (L,) uint8; see `genome.alphabet`.
        labels: `phase_labels` (L,) int8.
        groups: (L,) int, number of the group of each base.
    """

    codes: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


def cross_fitting_groups(
    contigs: Sequence[str], labels: Sequence[np.ndarray], cuts: Sequence[np.ndarray], n_groups: int = N_GROUPS
) -> list[np.ndarray]:
    """Divide sequences into groups that have about equally many bases in genes: (L,) int64 for each sequence.

    Whole contigs are grouped. Blocks of them are grouped instead if the contigs are fewer than the groups, or if most genes lie
    on one of them.

    Args:
        contigs: contig of each sequence.
        labels: `phase_labels` (L,) of each sequence.
        cuts: ascending positions (B + 1,) from 0 to L of each sequence, at which blocks begin and end; no gene should be cut.
        n_groups: number of groups; with few blocks there are fewer.
    """
    if not len(labels):
        return []
    names = np.unique(np.asarray(contigs), return_inverse=True)[1]
    sizes = [
        np.add.reduceat(own > INTERGENIC, edges[:-1], dtype=np.int64) if len(own) else np.zeros(0, np.int64)
        for own, edges in zip(labels, cuts, strict=True)
    ]
    by_contig = np.bincount(names, [own.sum() for own in sizes], names.max(initial=-1) + 1)
    group_of_contig = _balance(by_contig, n_groups)
    shares = np.bincount(group_of_contig, by_contig, n_groups) / max(by_contig.sum(), 1)
    if len(by_contig) >= n_groups and shares.max() <= _MOST_SHARE:
        return [np.full(len(own), group_of_contig[name]) for own, name in zip(labels, names)]
    group_of_block = _balance(np.concatenate(sizes), n_groups)
    of_sequence = np.split(group_of_block, np.cumsum([len(own) for own in sizes])[:-1])
    return [np.repeat(own, np.diff(edges)) for own, edges in zip(of_sequence, cuts)]


def _balance(sizes: np.ndarray, n_groups: int) -> np.ndarray:
    """Group of each unit (n,): the largest first, each into the group that is smallest so far."""
    groups = np.zeros(len(sizes), np.int64)
    totals = np.zeros(n_groups)
    for unit in np.argsort(-sizes, kind="stable").tolist():
        groups[unit] = totals.argmin()
        totals[groups[unit]] += sizes[unit] + 1e-6  # units without genes are spread, too
    return groups
