"""Which arms a study compares, and whether its intervals hold what they promise with few seeds and few blocks."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.data.manifest import read_manifest
from dnaspt.errors import DatasetError
from dnaspt.reports.compare import Group, differences_of, score_of_seeds
from dnaspt.studies.settings import StudyConfig, _warn_of_sizes


@pytest.mark.parametrize(
    ("n_seeds", "n_blocks", "block_sd"), [(3, 25, 0.0), (3, 25, 1.0), (3, 6, 1.0), (1, 6, 1.0), (5, 100, 0.3)]
)
def test_95_percent_intervals_cover_the_truth_95_times_in_100(n_seeds: int, n_blocks: int, block_sd: float) -> None:
    """Normal noise of seeds and of blocks around 0; a little more is allowed, less is not."""
    rng, n = np.random.default_rng(0), 1000
    covered = 0
    for _ in range(n):
        seeds = rng.normal(0, 1, n_seeds) if n_seeds > 1 else np.zeros(1)
        blocks = rng.normal(0, block_sd * np.sqrt(n_blocks), n_blocks)
        drawn = blocks[rng.integers(n_blocks, size=(500, n_blocks))].mean(axis=1)
        score = score_of_seeds(seeds + blocks.mean(), seeds[:, None] + drawn, n_blocks)
        covered += score.low <= 0 <= score.high
    assert 0.92 <= covered / n <= 0.99


def test_one_block_has_no_interval() -> None:
    score = score_of_seeds(np.array([0.5, 0.6]), np.full((2, 10), 0.55), 1)
    assert score.value == pytest.approx(0.55) and np.isnan(score.low) and np.isnan(score.high)


def questions(arms: list[dict[str, object]], **settings: object) -> set[str]:
    """What a study of two arms asks."""
    study = StudyConfig.model_validate(settings | {"data": Path("x"), "arms": arms})
    groups = [Group(arm.name, 1.0, np.zeros(3), np.zeros((3, 5)), 1.0, 1e-3, 9) for arm in study.arms]
    return {one.question for one in differences_of(study, groups)}


SCRATCH, SPT, LONGER = {"name": "a"}, {"name": "b", "init": "spt"}, {"name": "a", "extended": True}


def test_pretraining_is_asked_about_where_the_encoders_have_one_size() -> None:
    assert questions([SCRATCH, SPT]) == {"pretraining"}
    assert questions([SCRATCH, SPT], pretrain={"preset": "base"}) == {"pretraining"}
    assert questions([SCRATCH, SPT], finetune={"preset": "base"}) == set()
    assert questions([SCRATCH, SPT | {"pretrain": {"preset": "base"}}]) == set()
    assert questions([SCRATCH, SPT], pretrain={"encoder": {"hidden_size": 256}}) == set()


def test_frozen_arms_are_compared_with_those_alike_and_with_baselines() -> None:
    frozen = SPT | {"name": "frozen", "freeze_encoder": True}
    assert questions([frozen, SPT]) == {"the encoder trained too"}
    assert questions([frozen | {"learning_rate": 0.1, "label_fractions": [1.0]}, SPT]) == {"the encoder trained too"}
    assert questions([SCRATCH, frozen]) == set()
    kmers = {"name": "k-mers", "init": "kmer"}
    assert questions([kmers, frozen]) == questions([kmers, LONGER]) == {"a network"}


def test_the_default_head_is_compared_as_what_it_is(gene_data: Path) -> None:
    softmax = SPT | {"head": "softmax"}
    study = StudyConfig.model_validate({"data": gene_data, "arms": [softmax, SPT | {"name": "c"}, SCRATCH]})
    groups = [Group(arm.name, 1.0, np.zeros(3), np.zeros((3, 5)), 1.0, 1e-3, 9) for arm in study.arms]
    found = differences_of(study.with_heads(read_manifest(gene_data)), groups)
    assert {(one.question, one.before, one.after) for one in found} == {
        ("the CRF", "b", "c"),
        ("pretraining", "a", "c"),
    }


def test_a_size_of_their_own_on_both_sides_is_compared(caplog: pytest.LogCaptureFixture) -> None:
    base = {"preset": "base"}
    assert questions([SCRATCH | {"finetune": base}, SPT | {"pretrain": base}]) == {"pretraining"}
    study = StudyConfig.model_validate({"data": Path("x"), "arms": [SCRATCH, SPT], "finetune": base})
    _warn_of_sizes(study)
    assert "'a' and 'b' differ in the size of the encoder" in caplog.text


def test_longer_training_and_more_sequence_are_asked_about_with_the_same_pretraining() -> None:
    longer = {"name": "b", "extended": True, "pretrain": {"epochs": 96}}
    assert questions([SCRATCH, longer]) == {"training longer"}
    more = SPT | {"name": "a", "init": "spt+unlabeled"}
    assert questions([SPT, more]) == {"more sequence for pretraining"}
    assert questions([SPT, more | {"pretrain": {"epochs": 96}}]) == set()


def test_runs_on_other_blocks_are_not_paired() -> None:
    study = StudyConfig.model_validate({"data": Path("x"), "arms": [SCRATCH, SPT]})
    groups = [Group(name, 1.0, np.zeros(3), np.zeros((3, 5)), 1.0, 1e-3, n) for name, n in (("a", 9), ("b", 4))]
    with pytest.raises(DatasetError, match="9 and 4 test blocks"):
        differences_of(study, groups)


def test_the_same_bases_in_all_needs_the_same_pretraining() -> None:
    asked = {"pretraining, the same bases in all"}
    assert questions([LONGER, SPT]) == asked
    assert questions([LONGER, SPT | {"pretrain": {"epochs": 96}}]) == set()
    both = {"pretrain": {"epochs": 96}}
    assert questions([LONGER | both, SPT | both]) == asked
