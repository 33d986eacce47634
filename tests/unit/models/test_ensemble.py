"""Several models as one."""

import numpy as np
import pytest
import torch
from tests.unit.inference.small_models import ENCODER, GENES, REGIONS, model_of, random_codes

from dnaspt.checkpoint import build_model
from dnaspt.checkpoint_config import MemberConfig
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.heads import CRFHead
from dnaspt.models.task_model import TaskModel


def members(config: object, n: int = 3) -> list[TaskModel]:
    """Models that differ in their weights."""
    models = []
    for seed in range(n):
        model = model_of(config)  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
        models.append(model)
    return models


def tokens(length: int = 300) -> torch.Tensor:
    return torch.from_numpy(random_codes(length).copy())[None]


def test_emissions_are_the_weighted_sum_of_those_of_the_members() -> None:
    models = members(REGIONS)
    joined = Ensemble(models).eval()
    expected = torch.stack([model(tokens()) for model in models])
    torch.testing.assert_close(joined(tokens()), expected.mean(0))
    joined.weigh(np.array([0.5, 0.0, 2.0]))
    torch.testing.assert_close(joined(tokens()), 0.5 * expected[0] + 2 * expected[2])
    torch.testing.assert_close(joined.predict(tokens()), joined(tokens()))


def test_crfs_score_a_path_by_the_mean_of_their_scores() -> None:
    models = members(GENES)
    path = torch.full((1, 300), 8)
    lengths = torch.tensor([300])

    def score(model: TaskModel) -> torch.Tensor:
        """Score of a path, not normalized: log-likelihood and log-partition together."""
        emissions = model(tokens())
        assert isinstance(model.head, CRFHead)
        return model.head.crf.log_likelihood(emissions, path, lengths) + model.head.crf.log_partition(
            emissions, lengths
        )

    expected = torch.stack([score(model) for model in models]).mean(0)
    joined = Ensemble(models).eval()
    joined.share_transitions()
    torch.testing.assert_close(score(joined), expected, rtol=1e-4, atol=1e-3)


def test_it_reads_as_far_as_the_member_that_reads_farthest() -> None:
    near, far = (
        model_of(REGIONS),
        model_of(REGIONS.model_copy(update={"encoder": ENCODER.model_copy(update={"n_layers": 8})})),
    )
    assert near.flank_bp < far.flank_bp == Ensemble([near, far]).flank_bp


def test_a_checkpoint_describes_its_members() -> None:
    parts = (MemberConfig(encoder=ENCODER), MemberConfig(encoder=ENCODER, pool="normalized", composition=0.5))
    joined = build_model(REGIONS.model_copy(update={"members": parts}))
    assert isinstance(joined, Ensemble)
    first, second = joined.single
    assert first.composition is None and second.composition is not None
    assert set(joined.state_dict()) == {"weights"} | {
        f"members.{number}.{name}" for number, member in enumerate(joined.single) for name in member.state_dict()
    }


def test_ensembles_of_earlier_versions_are_read_and_sums_with_a_composition_are_refused() -> None:
    content = MemberConfig(encoder=ENCODER).model_dump(mode="json") | {"composition": False}
    assert MemberConfig.model_validate(content).composition is None
    with pytest.raises(
        ValueError, match="of an earlier version, whose log-odds the head added to; train the model again"
    ):
        MemberConfig.model_validate(content | {"composition": True})


@pytest.mark.parametrize("config", [REGIONS, GENES])
def test_one_member_alone_predicts_as_it_does(config: object) -> None:
    (model,) = members(config, 1)
    torch.testing.assert_close(Ensemble([model]).eval().predict(tokens()), model.predict(tokens()))
