"""Encoder and task head as one model: tokens (B, L) to emissions (B, L, K) per base or (B, K) per window."""

import math
from itertools import chain

import torch
from torch import Tensor, nn

from dnaspt.models.basset import BassetEncoder
from dnaspt.models.batch import Batch, Loss
from dnaspt.models.calibrator import Calibrator
from dnaspt.models.composition import Composition
from dnaspt.models.encoder import DilatedEncoder, real_positions
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.heads import CRFHead, Head, SoftmaxHead
from dnaspt.models.huggingface import HuggingFaceEncoder
from dnaspt.models.kernels.triton_support import runs_kernels
from dnaspt.models.site_scores import letter_scores

_PLAIN = Calibrator()
"""Probabilities as the log-odds say."""

Encoder = DilatedEncoder | BassetEncoder | HuggingFaceEncoder


class TaskModel(nn.Module):
    """The model that is fine-tuned, evaluated and used for prediction.

    Args:
        encoder: tokens (B, L) to hidden states (B, L, D).
        head: hidden states to emissions, their loss, probabilities and decoding.
        network: of a gene model, another model whose class scores stand behind its own emissions; None for none.
        composition: of windows, what their k-mers say, which has a share of the log-odds; None for none.
        calibrator: of windows, what makes probabilities of its log-odds.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: Head,
        network: "TaskModel | None" = None,
        composition: Composition | None = None,
        calibrator: Calibrator = _PLAIN,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.network = network
        self.composition = composition
        self.calibrator = calibrator

    @property
    def flank_bp(self) -> int:
        """Bases on either side that an emission depends on: 1,262 for 30 layers of kernel 9 and the head."""
        own = self.encoder.config.flank_bp + self.head.trunk.flank_bp
        return own if self.network is None else max(own, self.network.flank_bp)

    @property
    def grid_bp(self) -> int:
        """A sequence may be cut at multiples of this many bases from its start: 1 for our encoders, else a chunk."""
        own = self.encoder.config.grid_bp
        return own if self.network is None else math.lcm(own, self.network.grid_bp)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights; a gene model's are no parameters, since no gradient trains them."""
        return next(chain(self.head.parameters(), self.head.buffers())).dtype

    def forward(self, tokens: Tensor) -> Tensor:
        """Emissions of token ids (B, L); under autocast the head's part is still computed in the parameters' own precision.

        Returns:
            (B, L, K) of bases, (B, K) of windows, or (B, bins * K) of their bins.
        """
        hidden = self.encoder(tokens)
        with torch.autocast(tokens.device.type, enabled=False):
            emissions: Tensor = self.head.trunk(hidden.to(self.dtype), real_positions(tokens))
        if self.composition is not None:
            emissions = self.composition.join(emissions, tokens)
        return emissions if self.network is None else torch.cat([emissions, self.network.class_scores(tokens)], dim=-1)

    def predict(self, tokens: Tensor) -> Tensor:
        """As `forward`, with the encoder's products in bfloat16 on a GPU that multiplies in it; on the CPU as autocast says.

        On the CPU a gene model of letters scores candidate sites alone.

        Args:
            tokens: token ids (B, L).

        Returns:
            Emissions, of the shapes of `forward`.
        """
        head, encoder = self.head, self.encoder
        if (
            isinstance(head, GeneModelHead)
            and isinstance(encoder, DilatedEncoder)
            and encoder.is_onehot
            and tokens.device.type == "cpu"
        ):
            scores = letter_scores(head.trunk, tokens, encoder.channels, head.genetic_code)
            return scores if self.network is None else torch.cat([scores, self.network.class_scores(tokens)], dim=-1)
        if not tokens.is_cuda:
            emissions: Tensor = self(tokens)
            return emissions
        half = self.dtype == torch.float32 and runs_kernels(tokens.device)
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            emissions = self(tokens)
        return emissions

    def class_scores(self, tokens: Tensor) -> Tensor:
        """Scores of the classes of each base (B, L, K), as a gene model adds them to its own.

        Args:
            tokens: token ids (B, L).
        """
        assert isinstance(self.head, SoftmaxHead | CRFHead)
        return self.head.class_scores(self.predict(tokens))

    def loss(self, batch: Batch) -> Loss:
        """The head's own loss on a batch."""
        return self.head.loss(self(batch.tokens), batch)
