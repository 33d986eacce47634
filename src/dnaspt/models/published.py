"""A frozen language model of other people as an encoder: letters are cut into tokens, vectors spread over the tokens' bases."""

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dnaspt.config import PAD_TOKEN, PublishedConfig
from dnaspt.errors import ConfigError

CACHE_BYTES = 1 << 30
"""Of vectors that are kept for sequences that come again."""
BATCH_TOKENS = 8192
LETTERS = "ACGTN"


class Cut(NamedTuple):
    """ids: of the tokens, special ones included. inner: those that stand for bases. widths: how many bases each of them."""

    ids: list[int]
    inner: slice
    widths: list[int]


class Vectors(NamedTuple):
    """Vectors (T, D) of a sequence's tokens, and how many bases each stands for (T,)."""

    tokens: Tensor
    widths: Tensor

    def per_base(self) -> Tensor:
        """Each vector repeated over its bases: (L, D)."""
        return torch.repeat_interleave(self.tokens, self.widths, dim=0)


class Tokenizer:
    """A tokenizer of transformers, and the bases that its tokens stand for; kmer: tokens are overlapping k-mers."""

    def __init__(self, tokenizer: Any, kmer: int = 0) -> None:
        self.tokenizer, self.kmer = tokenizer, kmer
        self.pad = tokenizer.pad_token_id or 0

    def cut(self, letters: str) -> Cut:
        """Tokens of a sequence.

        Raises:
            ConfigError: they do not add up to the sequence.
        """
        text = letters
        if self.kmer:
            text = " ".join(letters[at : at + self.kmer] for at in range(len(letters) - self.kmer + 1))
        inner = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = self.tokenizer(text)["input_ids"]
        first = next((at for at in range(len(ids) - len(inner) + 1) if ids[at : at + len(inner)] == inner), -1)
        widths = self._overlapping(len(letters)) if self.kmer else self._side_by_side(letters)
        if first < 0 or len(widths) != len(inner) or sum(widths) != len(letters):
            found = f"{len(inner)} tokens that stand for {sum(widths)} bases"
            raise ConfigError(f"a sequence of {len(letters)} bases was cut into {found}; is this a tokenizer of DNA?")
        return Cut(ids, slice(first, first + len(inner)), widths)

    def _overlapping(self, length: int) -> list[int]:
        """One base each; the first and the last k-mer stand for the bases at the ends too."""
        n_words = length - self.kmer + 1
        if n_words < 1:
            raise ConfigError(
                f"a sequence of {length} bases is shorter than the {self.kmer}-mers of this language model"
            )
        before = (self.kmer - 1) // 2
        widths = [1] * n_words
        widths[0] += before
        widths[-1] += self.kmer - 1 - before
        return widths

    def _side_by_side(self, letters: str) -> list[int]:
        if self.tokenizer.is_fast:
            spans = self.tokenizer(letters, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            return [end - start for start, end in spans]
        words = self.tokenizer.tokenize(letters)
        return [1 if word == self.tokenizer.unk_token else len(word) for word in words]


class PublishedEncoder(nn.Module):
    """Tokens of ours (B, L) to hidden states (B, L, D) of a published model; it is neither trained nor saved with the head.

    Sequences longer than `config.chunk_bp` are read in chunks that begin at its multiples. Vectors do not depend on what else is
    in a batch. A sequence shorter than a k-mer has no vectors: its states are zero.
    """

    unit: Tensor

    def __init__(self, config: PublishedConfig, model: nn.Module, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config = config
        self._held: tuple[Any, Tokenizer] = (model, tokenizer)  # in a tuple: its weights are neither trained nor saved
        knows_padding = "attention_mask" in inspect.signature(model.forward).parameters
        # BigBird's blocks of attention depend on the longest sequence of a batch.
        is_big_bird = getattr(model.config, "model_type", "") == "big_bird"
        self._one_by_one = not knows_padding or is_big_bird
        # A short sequence makes it attend to everything, and to go on so: each begins as published.
        self._attention: str = getattr(model.config, "attention_type", "") if is_big_bird else ""
        self._takes_mask = knows_padding
        self._known: dict[str, Vectors] = {}
        self._n_bytes = 0
        self.register_buffer("unit", torch.ones(()), persistent=False)

    @torch.no_grad()
    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states of token ids, zero at padding."""
        rows = ["".join(LETTERS[min(token, 4)] for token in row if token != PAD_TOKEN) for row in tokens.tolist()]
        cuts = [list(self._chunks(len(row))) for row in rows]
        vectors = self._read(
            dict.fromkeys(row[start:end] for row, own in zip(rows, cuts, strict=True) for start, end in own)
        )
        hidden = torch.zeros((*tokens.shape, self.config.hidden_size), dtype=self.unit.dtype, device=tokens.device)
        for states, row, own in zip(hidden, rows, cuts, strict=True):
            for start, end in own:
                states[start:end] = vectors[row[start:end]].per_base().to(self.unit.dtype)
        return hidden

    def _chunks(self, length: int) -> Iterator[tuple[int, int]]:
        """Starts and ends; the last has at least a k-mer, taken from the one before; what is shorter in all has no states."""
        size, shortest = self.config.chunk_bp, max(1, self.config.kmer)
        starts = list(range(0, length, size))
        if len(starts) > 1 and length - starts[-1] < shortest:
            starts[-1] = length - shortest
        if length >= shortest:
            yield from zip(starts, [*starts[1:], length], strict=True)

    def _read(self, chunks: dict[str, None]) -> dict[str, Vectors]:
        """Vectors of chunks; what fits the cache is kept."""
        parts = {chunk: list(self._parts(chunk)) for chunk in chunks if chunk not in self._known}
        read = iter(self._run([cut for cuts in parts.values() for cut in cuts]))
        found = {chunk: self._known[chunk] for chunk in chunks if chunk in self._known}
        for chunk, cuts in parts.items():
            widths = torch.tensor([width for cut in cuts for width in cut.widths], device=self.unit.device)
            found[chunk] = vectors = Vectors(torch.cat([next(read) for _ in cuts]), widths)
            self._n_bytes += (n_bytes := vectors.tokens.numel() * vectors.tokens.element_size())
            if self._n_bytes <= CACHE_BYTES:
                self._known[chunk] = vectors
            else:
                self._n_bytes -= n_bytes
        return found

    def _parts(self, letters: str) -> Iterator[Cut]:
        """The tokens of a sequence; in two halves where they are more than the model takes."""
        cut = self._held[1].cut(letters)
        if len(cut.ids) <= self.config.n_tokens or len(letters) < 2:
            yield cut
            return
        half = len(letters) // 2
        yield from self._parts(letters[:half])
        yield from self._parts(letters[half:])

    def _run(self, cuts: list[Cut]) -> list[Tensor]:
        """Vectors (T, D) of the inner tokens of each, like lengths together."""
        found: dict[int, Tensor] = {}
        order = sorted(range(len(cuts)), key=lambda index: len(cuts[index].ids))
        while order:
            longest = len(cuts[order[-1]].ids)
            n_rows = 1 if self._one_by_one else max(1, BATCH_TOKENS // longest)
            batch, order = order[-n_rows:], order[:-n_rows]
            states = self._forward([cuts[index].ids for index in batch], longest)
            found |= {index: row[cuts[index].inner] for index, row in zip(batch, states, strict=True)}
        return [found[index] for index in range(len(cuts))]

    def _forward(self, rows: list[list[int]], longest: int) -> Tensor:
        model, tokenizer = self._held
        device = self.unit.device
        ids = torch.tensor([row + [tokenizer.pad] * (longest - len(row)) for row in rows], device=device)
        real = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
        options = {"attention_mask": real} if self._takes_mask else {}
        if self._attention:
            model.set_attention_type(self._attention)
        with torch.autocast(device.type, enabled=False):
            output = model.to(device)(ids, **options)
        states: Tensor = output[0]
        if states.shape[-1] != self.config.hidden_size:
            found = f"gives {states.shape[-1]} numbers a token, not hidden states of {self.config.hidden_size}"
            raise ConfigError(f"{self.config.path}: {found}; its config.json may name another class as AutoModel")
        return states
