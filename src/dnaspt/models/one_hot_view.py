"""A model of windows as methods of attribution take it: one-hot letters (B, 4, L) to log-odds of its labels (B, K), or numbers.

The numbers are those of the model: the same layers, both strands averaged before calibration where it does so, its composition,
its calibration. A column of zeros is N.
"""

import torch
from torch import Tensor, nn

from dnaspt.models.composition import Composition
from dnaspt.models.composition import K as KMER
from dnaspt.models.ensemble import Ensemble
from dnaspt.models.task_model import TaskModel

_HALF = KMER // 2


class OneHotView(nn.Module):
    """One-hot letters (B, 4, L) of A, C, G and T -> log-odds (B, K) of the labels of the window, as `predict` has them.

    It shares the layers of the model and has no weights of its own. It is in eval mode, and stays so where a caller restores the
    mode that it found.

    Args:
        model: a model of windows, or an ensemble of them.
        average_strands: mean of both strands' scores.
        kernels: whether kernels of our own may compute, which are faster; hooks, as of DeepLIFT, need PyTorch's own layers.
    """

    def __init__(self, model: TaskModel, *, average_strands: bool = False, kernels: bool = True) -> None:
        super().__init__()
        self.scores = _on_letters(model, kernels=kernels)
        self.average_strands = average_strands
        self.temperature = model.calibrator.temperature
        self.slopes = model.calibrator.slopes
        self.biases = model.calibrator.biases
        self.against_others = AgainstOthers() if model.calibrator.one_of else nn.Identity()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Log-odds (B, K) of letters (B, 4, L)."""
        scores = self._strand(x)
        if self.average_strands:
            scores = (scores + self._strand(x.flip(1, 2))) / 2  # A C G T in reverse are their complements
        scores = scores / self.temperature
        if self.slopes:
            scores = scores * scores.new_tensor(self.slopes)
        if self.biases:
            scores = scores + scores.new_tensor(self.biases)
        log_odds: Tensor = self.against_others(scores)
        return log_odds

    def _strand(self, x: Tensor) -> Tensor:
        letters = torch.cat([x, 1 - x.sum(1, keepdim=True)], dim=1).transpose(1, 2)
        scores: Tensor = self.scores(letters)
        return scores


class AgainstOthers(nn.Module):
    """Scores of classes (B, K) -> log-odds (B, K) of each class against all others together."""

    def forward(self, scores: Tensor) -> Tensor:
        """s_k - log sum over j != k of exp(s_j).

        Args:
            scores: (B, K).

        Returns:
            Log-odds (B, K).
        """
        n = scores.shape[1]
        others = scores.unsqueeze(1).expand(-1, n, -1)
        own = torch.eye(n, dtype=torch.bool, device=scores.device)
        return scores - others.masked_fill(own, -torch.inf).logsumexp(-1)


class LetterComposition(nn.Module):
    """`Composition` of shares of letters: (B, L, 5) -> log-odds (B, K), with gradients of the shares.

    A k-mer counts as much as the product of the shares of its letters. So, where all shares are 0 or 1, it is the composition.
    """

    def __init__(self, composition: Composition) -> None:
        super().__init__()
        self.composition = composition

    def forward(self, letters: Tensor) -> Tensor:
        """Log-odds (B, K).

        Args:
            letters: (B, L, 5).
        """
        constant = self.composition.constant
        if letters.shape[1] < KMER:
            return constant.expand(len(letters), -1) + 0 * letters.sum((1, 2))[:, None]
        first, second, third = (letters[:, i : letters.shape[1] - _HALF + 1 + i, :4] for i in range(_HALF))
        words = torch.einsum("bla,blc,blg->blacg", first, second, third).flatten(2)
        left, right = words[:, :-_HALF], words[:, _HALF:]
        n_known = (left.sum(-1) * right.sum(-1)).sum(1, keepdim=True).clamp(min=1)
        n_words = words.shape[2]
        tables = self.composition.scores.to(letters).T.reshape(-1, n_words, n_words)
        totals = [((left @ table) * right).sum((1, 2)) for table in tables]
        return constant + torch.stack(totals, dim=1) / n_known


class _Network(nn.Module):
    """A model alone: letters (B, L, 5) -> emissions (B, K)."""

    def __init__(self, model: TaskModel, *, kernels: bool) -> None:
        super().__init__()
        self.encoder, self.trunk = model.encoder, model.head.trunk
        self.dtype, self.kernels = model.dtype, kernels

    def forward(self, letters: Tensor) -> Tensor:
        hidden = self.encoder.from_letters(letters, kernels=self.kernels)
        emissions: Tensor = self.trunk(hidden.to(self.dtype), None)
        return emissions


class _Members(nn.Module):
    """The models of an ensemble: letters (B, L, 5) -> the weighted sum of their emissions (B, K)."""

    def __init__(self, members: list[nn.Module], weights: Tensor) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.weights = weights.tolist()

    def forward(self, letters: Tensor) -> Tensor:
        weighted = [weight * member(letters) for weight, member in zip(self.weights, self.members, strict=True)]
        return torch.stack(weighted).sum(0)


class _WithComposition(nn.Module):
    """A network and what k-mers say: letters (B, L, 5) -> emissions (B, K)."""

    def __init__(self, network: nn.Module, composition: Composition) -> None:
        super().__init__()
        self.network, self.composition, self.share = network, LetterComposition(composition), composition.share

    def forward(self, letters: Tensor) -> Tensor:
        own: Tensor = (1 - self.share) * self.network(letters) + self.share * self.composition(letters)
        return own


def _on_letters(model: TaskModel, *, kernels: bool) -> nn.Module:
    """The model as a function of letters (B, L, 5)."""
    network: nn.Module
    if isinstance(model, Ensemble):
        members = [_on_letters(member, kernels=kernels) for member in model.single]
        network = _Members(members, model.weights)
    else:
        network = _Network(model, kernels=kernels)
    composition = model.composition
    return network if composition is None or not composition.share else _WithComposition(network, composition)
