"""Encoder and task head as one model: tokens (B, L) to emissions (B, L, K) per base or (B, K) per window."""

import torch
from torch import Tensor, nn

from dnaspt.config import AnyEncoderConfig, PublishedConfig
from dnaspt.models.batch import Batch, Loss
from dnaspt.models.encoder import real_positions
from dnaspt.models.heads import HEAD_FLANK_BP, Head
from dnaspt.models.kernels.triton_support import runs_kernels


class TaskModel(nn.Module):
    """What is fine-tuned, evaluated and used for prediction.

    encoder: tokens (B, L) to hidden states (B, L, D), with its settings as `config`.
    """

    def __init__(self, encoder: nn.Module, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    @property
    def flank_bp(self) -> int:
        """Bases on either side that an emission depends on: 1,262 for 30 layers of kernel 9 and the head."""
        config: AnyEncoderConfig = self.encoder.config  # type: ignore[assignment]
        return config.flank_bp + HEAD_FLANK_BP

    @property
    def grid_bp(self) -> int:
        """Where a sequence may be cut, counted from its start: anywhere, or between the chunks that a published model reads."""
        config: AnyEncoderConfig = self.encoder.config  # type: ignore[assignment]
        return config.chunk_bp if isinstance(config, PublishedConfig) else 1

    def forward(self, tokens: Tensor) -> Tensor:
        """Emissions of token ids (B, L); under autocast the head's part is still computed in the parameters' own precision."""
        hidden = self.encoder(tokens)
        with torch.autocast(tokens.device.type, enabled=False):
            emissions: Tensor = self.head.trunk(hidden.to(next(self.parameters()).dtype), real_positions(tokens))
        return emissions

    def predict(self, tokens: Tensor) -> Tensor:
        """As `forward`, with the encoder's products in bfloat16 on a GPU that multiplies in it."""
        on_gpu = tokens.is_cuda and next(self.parameters()).dtype == torch.float32
        half = on_gpu and runs_kernels(tokens.device)
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=half):
            emissions: Tensor = self(tokens)
        return emissions

    def loss(self, batch: Batch) -> Loss:
        """The head's own loss on a batch."""
        return self.head.loss(self(batch.tokens), batch)
