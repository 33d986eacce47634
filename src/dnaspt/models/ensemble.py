"""Several task models as one: the weighted sum of their emissions."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.models.calibrator import Calibrator
from dnaspt.models.composition import Composition
from dnaspt.models.heads import CRFHead, Head
from dnaspt.models.task_model import TaskModel


class Ensemble(TaskModel):
    """Models of one task and one kind of head, which predict together.

    The log-odds of windows, and the emissions of bases, are added with a weight for each member. For CRFs this is the normalized
    product of the members' distributions over paths (a logarithmic opinion pool; Smith, Cohn and Osborne 2005), once
    `share_transitions` has given all of them the weighted mean of their transition scores.

    Args:
        members: task models with the same labels and the same kind of head, none of them a gene model.
        composition: of windows, what their k-mers say, which has a share of the log-odds; None for none.
        calibrator: of windows, what makes probabilities of the log-odds.
    """

    weights: Tensor

    def __init__(
        self,
        members: Sequence[TaskModel],
        composition: Composition | None = None,
        calibrator: Calibrator | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.members = nn.ModuleList(members)
        self.register_buffer("weights", torch.full((len(members),), 1 / len(members)))
        self.network, self.composition = None, composition
        self.calibrator = calibrator or Calibrator()

    @property
    def head(self) -> Head:  # type: ignore[override]
        """The head of the first member: it decodes for all."""
        return self.single[0].head

    @property
    def single(self) -> list[TaskModel]:
        """The members, one by one."""
        return [member for member in self.members if isinstance(member, TaskModel)]

    @property
    def flank_bp(self) -> int:
        """Bases on either side that an emission depends on."""
        return max(member.flank_bp for member in self.single)

    @property
    def grid_bp(self) -> int:
        """A sequence may be cut at multiples of this many bases from its start."""
        return math.lcm(*(member.grid_bp for member in self.single))

    def forward(self, tokens: Tensor) -> Tensor:
        """Emissions of token ids (B, L)."""
        return self._join([member(tokens) for member in self.single], tokens)

    def predict(self, tokens: Tensor) -> Tensor:
        """As `forward`, each member as it predicts alone."""
        return self._join([member.predict(tokens) for member in self.single], tokens)

    def _join(self, emissions: Sequence[Tensor], tokens: Tensor) -> Tensor:
        total = self._sum(emissions)
        return total if self.composition is None else self.composition.join(total, tokens)

    def _sum(self, emissions: Sequence[Tensor]) -> Tensor:
        weighted = [weight * own for weight, own in zip(self.weights, emissions, strict=True)]
        total: Tensor = torch.stack(weighted).sum(0)
        return total

    def weigh(self, weights: np.ndarray) -> None:
        """Set the weight of each member (M,)."""
        self.weights.copy_(torch.from_numpy(weights))

    @torch.no_grad()
    def share_transitions(self) -> None:
        """Give the CRFs of all members the weighted mean of their scores; nothing for other heads."""
        crfs = [member.head.crf for member in self.single if isinstance(member.head, CRFHead)]
        for name in ("start", "end", "transitions"):
            scores = [getattr(crf, name) for crf in crfs]
            if scores:
                mean = self._sum(scores)
                for score in scores:
                    score.copy_(mean)
