"""BEND's tasks: each kind is one that we prepare, and a wrong name is told with the right ones."""

import pytest

from dnaspt.bend.prepare import _PREPARE, _TASK_OF_KIND
from dnaspt.bend.table import BEND_TASKS, find_task
from dnaspt.errors import ConfigError
from dnaspt.tasks import TASKS


def test_every_kind_of_task_is_prepared_as_one_of_ours() -> None:
    assert len(BEND_TASKS) == 7
    for task in BEND_TASKS.values():
        assert task.kind in _PREPARE and _TASK_OF_KIND[task.kind] in TASKS
    assert find_task("gene_finding").n_labels == len(TASKS["genes"].labels)


def test_an_unknown_task_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no task of BEND is called 'genes'; known: gene_finding, chromatin"):
        find_task("genes")
