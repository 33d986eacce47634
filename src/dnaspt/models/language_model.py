"""The masked language model: tokens with masked bases (B, L) to logits over the vocabulary (B, L, V)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dnaspt.config import N_TOKENS, EncoderConfig
from dnaspt.genome.gene_states import MISSING
from dnaspt.models.batch import Batch, Loss
from dnaspt.models.encoder import DilatedEncoder


class MaskedLMHead(nn.Module):
    """Linear, GELU, LayerNorm, Linear: hidden states (..., D) -> logits of the V = 7 tokens (..., V)."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.logits = nn.Linear(hidden_size, N_TOKENS)

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) of hidden states (..., D)."""
        logits: Tensor = self.logits(self.norm(functional.gelu(self.linear(hidden))))
        return logits


class LanguageModel(nn.Module):
    """Encoder and masked-LM head. In the loss the head sees scored positions only, 15 % of all in training."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = DilatedEncoder(config)
        self.head = MaskedLMHead(config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, L, V) of tokens (B, L)."""
        logits: Tensor = self.head(self.encoder(tokens))
        return logits

    def loss(self, batch: Batch) -> Loss:
        """Cross-entropy in nats, summed over masked bases; batch.labels is the true token there, -100 elsewhere."""
        scored = batch.labels != MISSING
        logits = self.head(self.encoder(batch.tokens)[scored]).float()
        nats = functional.cross_entropy(logits, batch.labels[scored].long(), reduction="none")
        if batch.weights is None:
            return Loss(nats.sum(), scored.sum().to(nats.dtype))
        weights = batch.weights[scored]
        return Loss((nats * weights).sum(), weights.sum())

    @torch.no_grad()
    def base_log_probabilities(self, tokens: Tensor) -> Tensor:
        """Log-probabilities in nats of A, C, G and T, given that the base is one of them: token ids (B, L) -> (B, L, 4)."""
        logits: Tensor = self(tokens)
        return logits[..., :4].float().log_softmax(-1)
