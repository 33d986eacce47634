from pathlib import Path

import numpy as np
import pytest
from tests.unit.reports.cases import RESULT, gene_scores, study_record, window_scores

from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.metrics import Score, auroc, sign_of
from dnaspt.reports.compare import (
    WITH_KMERS,
    Difference,
    Group,
    differences_of,
    groups_of,
    paired_gain,
)
from dnaspt.reports.resamples import N_RESAMPLES, Resamples, level_of
from dnaspt.reports.study_tables import claims_of
from dnaspt.studies.settings import StudyConfig


def test_a_second_look_widens_the_intervals_of_gains() -> None:
    rng, arms = np.random.default_rng(0), [SCRATCH, SPT]
    groups = [
        Group(name, 1.0, Resamples(np.zeros(1), rng.normal(0, 0.1, (1, 1000)), (50,)), 1.0, 1e-3) for name in "ab"
    ]
    studies = [StudyConfig.model_validate({"data": Path("x"), "arms": arms, "looks": looks}) for looks in (1, 2)]
    (once,), (twice,) = (differences_of(study, groups) for study in studies)
    assert twice.gain.low < once.gain.low and twice.gain.high > once.gain.high and twice.detectable > once.detectable
    assert (once.verdict, twice.verdict) == ("undecided", "undecided (second look)") and level_of(2) == 0.975


def questions(arms: list[dict[str, object]], **settings: object) -> set[str]:
    """What a study of two arms asks."""
    study = StudyConfig.model_validate(settings | {"data": Path("x"), "arms": arms})
    groups = [Group(arm.name, 1.0, Resamples(np.zeros(3), np.zeros((3, 5)), (9,)), 1.0, 1e-3) for arm in study.arms]
    return {one.question for one in differences_of(study, groups)}


SCRATCH, SPT, LONGER = {"name": "a"}, {"name": "b", "init": "spt"}, {"name": "a", "extended": True}


def test_pretraining_is_asked_about_where_the_encoders_have_one_size() -> None:
    assert questions([SCRATCH, SPT]) == {"pretraining"}
    assert questions([SCRATCH, SPT], pretrain={"preset": "base"}) == {"pretraining"}
    assert questions([SCRATCH, SPT], finetune={"preset": "base"}) == set()
    assert questions([SCRATCH, SPT | {"pretrain": {"preset": "base"}}]) == set()
    assert questions([SCRATCH, SPT], pretrain={"encoder": {"hidden_size": 256}}) == set()


def test_models_with_what_kmers_say_are_compared_as_their_networks_are() -> None:
    joined = [{"name": f"{name} and k-mers", "members": [name], "composition": True} for name in "ab"]
    arms = [SCRATCH, SPT, *joined, {"name": "k-mers", "init": "kmer"}]
    study = StudyConfig.model_validate({"data": Path("x"), "arms": arms, "seeds": [0]})
    groups = [Group(arm.name, 1.0, Resamples(np.zeros(1), np.zeros((1, 5)), (9,)), 1.0, 1e-3) for arm in study.arms]
    asked = {(one.before, one.after): one.question for one in differences_of(study, groups)}
    assert asked["a", "b"] == asked["a and k-mers", "b and k-mers"] == "pretraining"
    assert asked["a", "a and k-mers"] == WITH_KMERS and ("a", "b and k-mers") not in asked
    assert asked["k-mers", "b and k-mers"] == "a network"


def test_gains_of_groups_of_labels_are_those_of_their_labels_alone() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 3)) < 0.3).astype(np.int8)
    noise = rng.normal(size=truth.shape)
    records = [
        study_record(name, window_scores(noise + better * truth, truth))
        for name, better in (("a", [0, 0, 0]), ("b", [2, 2, 0]))
    ]
    groups_of_labels = {"known": ("label0", "label1"), "unknown": ("label2",)}
    arms = [SCRATCH, SPT]
    study = StudyConfig.model_validate(
        {"data": Path("x"), "arms": arms, "seeds": [0], "marginal_gain": 0.02, "label_groups": groups_of_labels}
    )
    groups = groups_of(records, label_groups=study.label_groups)
    gains = {one.question: one for one in differences_of(study, groups)}
    assert gains["pretraining: unknown"].gain.value == 0 and gains["pretraining: known"].sign == 1
    areas = [np.mean(auroc(truth[:, :2], record.counts.logits[:, :2])) for record in records]
    assert gains["pretraining: known"].gain.value == pytest.approx(areas[1] - areas[0])
    claims = {claim.split(":")[0]: verdict for claim, _, verdict in claims_of(study, list(gains.values()), "regions")}
    assert claims["P5, unknown"] == "supported" and claims["P5, known"] == "not supported" and "P5" not in claims
    with pytest.raises(ConfigError, match="no label begins with H3K; there are label0, label1, label2"):
        groups_of(records, label_groups={"marks": ("H3K",)})


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
    groups = [Group(arm.name, 1.0, Resamples(np.zeros(3), np.zeros((3, 5)), (9,)), 1.0, 1e-3) for arm in study.arms]
    of_bend = read_manifest(gene_data).model_copy(update={"stop_in_cds": False})
    found = differences_of(study.with_heads(of_bend), groups)
    assert {(one.question, one.before, one.after) for one in found} == {
        ("the CRF", "b", "c"),
        ("pretraining", "a", "c"),
    }


def test_a_size_of_their_own_on_both_sides_is_compared() -> None:
    base = {"preset": "base"}
    assert questions([SCRATCH | {"finetune": base}, SPT | {"pretrain": base}]) == {"pretraining"}


def test_longer_training_and_more_sequence_are_asked_about_with_the_same_pretraining() -> None:
    longer = {"name": "b", "extended": True, "pretrain": {"epochs": 96}}
    assert questions([SCRATCH, longer]) == {"training longer"}
    more = SPT | {"name": "a", "init": "spt+unlabeled"}
    assert questions([SPT, more]) == {"more sequence for pretraining"}
    assert questions([SPT, more | {"pretrain": {"epochs": 96}}]) == set()


def test_runs_on_other_blocks_are_not_paired() -> None:
    study = StudyConfig.model_validate({"data": Path("x"), "arms": [SCRATCH, SPT]})
    groups = [
        Group(name, 1.0, Resamples(np.zeros(3), np.zeros((3, 5)), (n,)), 1.0, 1e-3) for name, n in (("a", 9), ("b", 4))
    ]
    with pytest.raises(DatasetError, match="9 and 4 test blocks"):
        differences_of(study, groups)


def test_the_same_bases_in_all_needs_the_same_pretraining() -> None:
    asked = {"pretraining, the same bases in all"}
    assert questions([LONGER, SPT]) == asked
    assert questions([LONGER, SPT | {"pretrain": {"epochs": 96}}]) == set()
    both = {"pretrain": {"epochs": 96}}
    assert questions([LONGER | both, SPT | both]) == asked


def test_runs_are_grouped_by_arm_and_share_of_the_labels_in_the_order_of_their_seeds() -> None:
    records = [
        study_record("a", gene_scores([8, 8, 7]), seed=1),
        study_record("a", gene_scores([7, 7, 6]), seed=0),
        study_record("a", gene_scores([6, 6, 5]), label_fraction=0.5),
        study_record("b", gene_scores([9, 9, 9]), encoder="e"),
    ]
    groups = groups_of(records, {"e": RESULT})
    assert [(group.arm, group.fraction, len(group.values)) for group in groups] == [
        ("a", 1, 2),
        ("a", 0.5, 1),
        ("b", 1, 1),
    ]
    scores = [records[1].scored.primary.value, records[0].scored.primary.value]
    assert groups[0].values.tolist() == scores and groups[0].resamples.drawn.shape == (2, N_RESAMPLES)
    assert [group.minutes for group in groups] == [1.5, 1.5, 3.0]  # with pretraining
    assert {(group.n_blocks, group.least, group.rate) for group in groups} == {(3, -1.0, 1e-3)}


def test_the_interval_of_a_group_stays_within_what_the_metric_can_be() -> None:
    group = Group("a", 1.0, Resamples(np.array([0.9, 0.2]), np.full((2, 10), 0.55), (2,)), 1.0, 1e-3, least=0.0)
    assert (group.score.low, group.score.high) == (0.0, 1.0)


def resampled(n_right: list[int]) -> Resamples:
    scores, counts = gene_scores(n_right)
    return Resamples.of(scores.primary.value, counts, "mcc")


def test_two_runs_are_compared_block_by_block() -> None:
    """Both vary much from block to block, and alike: only the pairing shows that the second is better everywhere."""
    first, second = [4, 9, 5, 8] * 5, [5, 10, 6, 9] * 5
    before, after = (
        Resamples.of(scores.primary.value, counts, "mcc") for scores, counts in map(gene_scores, (first, second))
    )
    gain = paired_gain(before, after)
    assert gain.value == pytest.approx(0.2) and gain.low == pytest.approx(0.2) and sign_of(gain) == 1
    back = paired_gain(after, before)
    assert (back.value, back.low, back.high) == pytest.approx((-gain.value, -gain.high, -gain.low)) and sign_of(
        back
    ) == -1
    same = paired_gain(before, before)
    assert (same.value, same.low, same.high, sign_of(same)) == (0, 0, 0, 0)


def test_the_rule_for_two_runs_is_that_of_a_study_with_one_seed() -> None:
    n_right = ([4, 9, 5, 8], [6, 9, 4, 9])
    study = StudyConfig.model_validate({"data": Path("x"), "arms": [SCRATCH, SPT]})
    groups = groups_of([study_record(name, gene_scores(n)) for name, n in zip("ab", n_right, strict=True)])
    (difference,) = differences_of(study, groups)
    assert difference.gain == paired_gain(*map(resampled, n_right))


def test_runs_on_other_test_blocks_are_refused() -> None:
    before, after = (Resamples(np.full(1, 0.5), np.full((1, N_RESAMPLES), 0.5), (n,)) for n in (9, 4))
    with pytest.raises(DatasetError, match="on 9 and 4 test blocks; evaluate both again"):
        paired_gain(before, after)


def test_fewer_labels_after_pretraining_are_compared_with_all_from_scratch() -> None:
    study = StudyConfig.model_validate({"data": Path("x"), "arms": [SCRATCH, SPT]})
    groups = [
        Group(name, fraction, Resamples(np.zeros(3), np.zeros((3, 5)), (9,)), 1.0, 1e-3)
        for name, fraction in (("a", 1.0), ("a", 0.25), ("b", 1.0), ("b", 0.25))
    ]
    found = [(one.question, one.fraction) for one in differences_of(study, groups)]
    assert found == [("pretraining", 1.0), ("pretraining", 0.25), ("pretraining, fewer labels", 0.25)]


@pytest.mark.parametrize(
    ("question", "fraction", "sides"),
    [
        ("pretraining", 1.0, "a to b"),
        ("pretraining", 0.25, "a to b, 25% of the labels"),
        ("pretraining, fewer labels", 0.25, "a, all labels, to b, 25% of the labels"),
    ],
)
def test_the_sides_of_a_comparison_name_their_labels(question: str, fraction: float, sides: str) -> None:
    assert Difference(question, "a", "b", fraction, Score(0.1), 3).sides(" to ") == sides


LETTERS, RANDOM = (
    {"name": "a", "head": "gene-model", "finetune": {"preset": preset}} for preset in ("onehot", "small")
)
MODEL = {"name": "b", "init": "spt", "head": "gene-model"}


def test_what_self_pretraining_adds_to_a_gene_model_is_asked_against_letters_and_a_random_encoder() -> None:
    assert questions([LETTERS, MODEL]) == {"pretrained site scores, against letters"}
    assert questions([{"name": "a", "head": "gene-model"}, MODEL]) == {"pretrained site scores, against letters"}
    assert questions([LETTERS, MODEL], pretrain={"preset": "base"}) == {"pretrained site scores, against letters"}
    assert questions([RANDOM, MODEL]) == {"pretrained site scores, against a random encoder"}
    assert questions([RANDOM, MODEL], pretrain={"preset": "base"}) == set()  # a random encoder of another size
    assert questions([LETTERS | {"name": "x"}, RANDOM]) == set()


def test_a_gene_model_is_compared_with_the_crf_and_with_baselines() -> None:
    crf = {"name": "a", "init": "spt", "head": "crf"}
    assert questions([crf, MODEL]) == {"the gene model"}
    assert questions([crf | {"init": "scratch"}, MODEL]) == set()
    assert questions([crf | {"freeze_encoder": True}, MODEL]) == set()
    assert questions([{"name": "a", "init": "augustus"}, MODEL]) == {"a gene model"}
    assert questions([{"name": "a", "init": "augustus"}, {"name": "b", "init": "spt"}]) == {"a network"}
