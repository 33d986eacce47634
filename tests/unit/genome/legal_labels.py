"""Where labels of bases contradict the state table: for tests of whatever writes labels."""

import numpy as np

from dnaspt.genome import gene_states
from dnaspt.genome.gene_states import StateTable


def illegal_positions(labels: np.ndarray, states: StateTable) -> np.ndarray:
    """Positions whose label cannot follow the label before it: (L,) int8 -> (n,) int64.

    Where m labels between two others are missing, some path of m states must be legal. A sequence may begin and end in any
    state.

    Raises:
        ValueError: a label that is neither a state nor missing.
    """
    return np.sort(gene_states._illegal_pairs(labels, states)[1])
