"""Tasks as data: one row per task, and the table of states that a linear chain may walk through.

A task is a row, never a class or a branch. Kernels, heads and decoding take a `StateTable` and never know what a state means.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

MISSING = -100
"""Label of a base or a window whose truth is not known; losses and metrics skip it."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """States of a linear chain along the forward strand and the moves that are legal between neighbors.

    Attributes:
        names: K names.
        legal: pairs (from, to) of neighbors that may follow each other; all others are forbidden.
        complement: for each state the state that the same base has on the reverse-complemented sequence.
    """

    names: tuple[str, ...]
    legal: tuple[tuple[int, int], ...]
    complement: tuple[int, ...]

    def legal_matrix(self) -> np.ndarray:
        """Legal moves as a boolean matrix (K, K), row = from, column = to."""
        matrix = np.zeros((len(self.names), len(self.names)), dtype=bool)
        matrix[tuple(np.array(self.legal).T)] = True
        return matrix


CDS, DONOR, INTRON, ACCEPTOR, NONCODING = 0, 1, 2, 3, 8
"""Classes of the plus strand; the minus strand has the same order four higher. Class 8 has no strand."""
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
"""The nine classes of BEND's gene finding (Marin et al. 2024), and the moves between neighbors that a gene allows."""


FREE_CRF = "crf-unconstrained"
"""A CRF in which any class may follow any other, as the published one: to compare with, not to use."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a dataset asks of a model.

    Attributes:
        name: the word the manifest uses.
        labels: names of the labels, or none where the dataset brings its own.
        resolution_bp: bases per label: 1 for a class of each base, more for the labels of bins; 0 for those of a window.
        heads: the heads that fit; the first is the default. None where nothing is trained.
        metric: the primary metric, higher is better.
        states: the legal chain, for per-base classes.
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
