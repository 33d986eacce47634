"""Tasks as data: one row for each task, and the states of gene structure with the moves that are legal between them.

A task is a row, never a class or a branch. Kernels, heads and decoding take a `StateTable` and do not know what a state means.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

MISSING = -100
"""Label of a base or window whose truth is not known. Losses and metrics skip it."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """States of a linear chain along the forward strand, and which state may follow which.

    Attributes:
        names: names of the K states.
        legal: pairs (from, to) of states that may follow each other; all others are forbidden.
        complement: for each state, the state of the same base on the reverse complement of the sequence.
    """

    names: tuple[str, ...]
    legal: tuple[tuple[int, int], ...]
    complement: tuple[int, ...]

    def legal_matrix(self) -> np.ndarray:
        """Whether a state (column) may follow another (row): (K, K) bool."""
        matrix = np.zeros((len(self.names), len(self.names)), dtype=bool)
        matrix[tuple(np.array(self.legal).T)] = True
        return matrix


CDS, DONOR, INTRON, ACCEPTOR, NONCODING = 0, 1, 2, 3, 8
"""Classes of the plus strand. Those of the minus strand are `MINUS` higher, in the same order. Class 8 has no strand."""
MINUS = 4

GENE_STATES = StateTable(
    names=("CDS+", "donor+", "intron+", "acceptor+", "CDS-", "donor-", "intron-", "acceptor-", "non-coding"),
    legal=(
        # A plus gene reads 8 0..0 1 2..2 3 0..0 8 along the forward strand, a minus gene 8 4..4 7 6..6 5 4..4 8.
        *((8, 8), (8, 0), (0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 0), (0, 8)),
        *((8, 4), (4, 4), (4, 7), (7, 6), (6, 6), (6, 5), (5, 4), (4, 8)),
    ),
    complement=(4, 5, 6, 7, 0, 1, 2, 3, 8),
)
"""The nine classes of gene finding in BEND (Marin et al. 2024), and which may follow which in a gene."""


FREE_CRF = "crf-unconstrained"
"""A CRF in which any class may follow any other, as in the paper: for comparisons, not for use."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a dataset asks of a model.

    Attributes:
        name: name in the manifest.
        labels: names of the labels; empty if each dataset has its own.
        resolution_bp: bases for each label: 1 for a class of each base, more for bins, 0 for whole windows.
        heads: names of the heads that fit, the default first; empty if nothing is trained.
        metric: name of the primary metric. Higher is better.
        states: the states of a linear chain, for classes of each base.
    """

    name: str
    labels: tuple[str, ...]
    resolution_bp: int
    heads: tuple[str, ...]
    metric: str
    states: StateTable | None = None

    @property
    def per_base(self) -> bool:
        """Whether each base has a class."""
        return self.resolution_bp == 1


TASKS = MappingProxyType(
    {
        task.name: task
        for task in (
            Task("genes", GENE_STATES.names, 1, ("crf", "softmax", FREE_CRF), "mcc", GENE_STATES),
            Task("regions", (), 0, ("sigmoid",), "auroc"),
            Task("methylation", (), 0, ("sigmoid",), "auroc"),
            Task("enhancers", ("enhancer",), 128, ("sigmoid",), "auprc"),
            Task("variants", ("effect",), 0, (), "auroc"),
        )
    }
)
