"""Tasks and states as data that agree with each other."""

from itertools import pairwise

import numpy as np
import pytest

from dnaspt.genome.gene_states import ACCEPTOR, CDS, DONOR, GENE_STATES, INTRON, MINUS, NONCODING, StateTable
from dnaspt.tasks import FREE_CRF, TASKS, Task


def test_a_matrix_of_legal_moves_has_exactly_the_pairs() -> None:
    table = StateTable(("a", "b"), ((0, 1), (1, 1)), (0, 1))
    assert table.legal_matrix().tolist() == [[False, True], [False, True]]


def test_the_complement_undoes_itself_and_turns_every_legal_move_around() -> None:
    complement = np.array(GENE_STATES.complement)
    assert np.array_equal(complement[complement], np.arange(len(GENE_STATES.names)))
    legal = GENE_STATES.legal_matrix()
    assert np.array_equal(legal, legal[np.ix_(complement, complement)].T)


def test_names_of_states_are_those_of_their_classes() -> None:
    names = GENE_STATES.names
    for state, name in ((CDS, "CDS"), (DONOR, "donor"), (INTRON, "intron"), (ACCEPTOR, "acceptor")):
        assert (names[state], names[state + MINUS]) == (f"{name}+", f"{name}-")
        assert GENE_STATES.complement[state] == state + MINUS
    assert names[NONCODING] == "non-coding" and GENE_STATES.complement[NONCODING] == NONCODING


@pytest.mark.parametrize("path", ["8", "88", "80008", "80122308", "8001223000844766544488", "8447654488"])
def test_genes_spell_legal_paths(path: str) -> None:
    legal = GENE_STATES.legal_matrix()
    assert all(legal[int(left), int(right)] for left, right in pairwise(path))


@pytest.mark.parametrize("pair", ["02", "13", "18", "04", "40", "74", "32"])
def test_moves_that_no_gene_has_are_forbidden(pair: str) -> None:
    assert not GENE_STATES.legal_matrix()[int(pair[0]), int(pair[1])]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_a_row_of_a_task_agrees_with_itself(task: Task) -> None:
    assert TASKS[task.name] is task
    assert task.per_base == (task.states is not None)
    assert task.states is None or task.labels == task.states.names
    assert (FREE_CRF in task.heads) == ("crf" in task.heads) == task.per_base
