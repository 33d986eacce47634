"""A frozen language model of other people as an encoder: letters are cut into tokens, vectors spread over the tokens' bases."""

import hashlib
import importlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dnaspt.atomic import sha256_of_file
from dnaspt.config import PAD_TOKEN, PublishedConfig
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.policy import is_offline, may_run_code

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


_FILES = (".safetensors", ".json", ".txt", ".py", ".model")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_TOKENS = 4096
"""At a time, for models that name no limit."""
_MOST_BP = 1 << 17
"""At a time, since the vectors of all its bases are held at once."""
_LIMITS = ("max_position_embeddings", "max_seq_len", "n_positions")
"""What models call the number of tokens that they take."""
_BP_PER_TOKEN = 6
"""Of byte-pair tokens of DNA, about, on the average; a chunk with more tokens than the model takes is halved."""
_SPARE = re.compile(r"\b(cls|lm_head|classifier|pooler|contact_head|predictions|position_ids|inv_freq)\b")
"""Parts of published weights that hidden states do not need, and tables that older files hold and the code computes."""


def describe_published(path: str, revision: str = "") -> PublishedConfig:
    """What a published model is: its files' digest, its size, and how it cuts sequences.

    Raises:
        ConfigError: transformers is not there; no such model; it brings its own code and that is not allowed, or its commit is
            not given.
    """
    transformers = _transformers()
    folder = _folder(path, revision)
    raw = _raw_config(folder)
    own_code = "auto_map" in raw
    if own_code:
        _check_trust(path, revision)
    elif raw.get("pre_layer_norm"):
        what = "normalizes before its layers (pre_layer_norm), which transformers' own BERT does not"
        raise ConfigError(f"{path}: {what}; use a folder that brings the code for it")
    tokenizer = _load(transformers.AutoTokenizer, folder, own_code=own_code)
    config = _load(transformers.AutoConfig, folder, own_code=own_code)
    if not isinstance(hidden_size := getattr(config, "hidden_size", getattr(config, "d_model", None)), int):
        raise ConfigError(f"{path}: its config.json has neither hidden_size nor d_model; expected a DNA language model")
    kmer, longest = _token_lengths(path, tokenizer)
    n_tokens = next((limit for name in _LIMITS if (limit := getattr(config, name, None))), _MOST_TOKENS)
    # ESM counts positions from behind the padding token's number.
    n_tokens -= 1 + (getattr(config, "pad_token_id", 0) or 0) if raw.get("model_type") == "esm" else 0
    n_inner = n_tokens - 2
    reach = n_inner + kmer - 1 if kmer else n_inner * (longest or _BP_PER_TOKEN)
    if n_inner < 1:
        raise ConfigError(f"{path}: takes {n_tokens} tokens; expected three or more")
    most = _MOST_BP - _MOST_BP % (longest or 1)
    return PublishedConfig(
        path=path if not Path(path).is_dir() else str(Path(path).resolve()),
        revision=revision,
        sha256=_digest(folder),
        hidden_size=hidden_size,
        kmer=kmer,
        n_tokens=n_tokens,
        chunk_bp=min(reach, most),
    )


def check_published(path: str, revision: str = "") -> None:
    """Get a model of the hub, and say early what `describe_published` would; reads no weights.

    Raises:
        ConfigError: as for `describe_published`.
    """
    _transformers()
    if "auto_map" in _raw_config(_folder(path, revision)):
        _check_trust(path, revision)


def load_published(config: PublishedConfig) -> PublishedEncoder:
    """The model that a description means, checked by its digest, frozen and in eval mode.

    Raises:
        CheckpointError: its files have changed. ConfigError: as for `describe_published`, or its weights are not all there.
    """
    transformers = _transformers()
    folder = _folder(config.path, config.revision)
    own_code = "auto_map" in _raw_config(folder)
    if own_code:
        _check_trust(config.path, config.revision)
    if (found := _digest(folder)) != config.sha256:
        raise CheckpointError(f"{config.path}: its files have sha256 {found[:12]}...; expected {config.sha256[:12]}...")
    tokenizer = _load(transformers.AutoTokenizer, folder, own_code=own_code)
    options = {"use_safetensors": True, "output_loading_info": True}
    model, loaded = _load(transformers.AutoModel, folder, own_code=own_code, **options)
    _check_weights(folder, loaded)
    return PublishedEncoder(config, model.eval().requires_grad_(False), Tokenizer(tokenizer, config.kmer))


def _transformers() -> Any:
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        do = "pip install 'dnaspt[published]'"
        raise ConfigError(
            f"published language models are read by transformers, which is not installed; {do}"
        ) from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _folder(path: str, revision: str) -> Path:
    """The folder itself, or the copy of a model of the hub, downloaded where that is allowed."""
    if Path(path).is_dir():
        return Path(path)
    offline = is_offline()
    if Path(path).is_absolute() or path.startswith(".") or path.count("/") > 1:
        raise ConfigError(f"{path}: no such folder; expected one, or a name on the Hugging Face hub")
    hub = importlib.import_module("huggingface_hub")
    try:
        patterns = [f"*{suffix}" for suffix in _FILES]
        found = hub.snapshot_download(
            path, revision=revision or None, local_files_only=offline, allow_patterns=patterns
        )
    except Exception as error:  # the hub's and its HTTP library's errors have no common ancestor
        if offline:
            do = "leave --offline out once, or give a folder"
            raise ConfigError(f"{path}: no such folder, and no copy from the Hugging Face hub is here; {do}") from error
        what = type(error).__name__ if "Connect" in repr(error) else str(error).splitlines()[0]
        where = "cannot be had from" if "Connect" in repr(error) else "was not found on"
        raise ConfigError(f"{path}: no such folder, and it {where} the Hugging Face hub ({what})") from error
    return Path(found)


def _raw_config(folder: Path) -> dict[str, Any]:
    """config.json, with `auto_map` where the model or its tokenizer has code of its own."""
    found: dict[str, Any] = {}
    for name in ("tokenizer_config.json", "config.json"):
        file = folder / name
        try:
            content = json.loads(file.read_text(encoding="utf-8")) if name == "config.json" or file.exists() else {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file}: cannot be read ({error}); expected a folder of transformers") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{file}: a {type(content).__name__}; expected a JSON object")
        if any("--" in str(place) for place in dict(content.get("auto_map") or {}).values()):
            raise ConfigError(
                f"{file}: takes its code from another repository, which no digest and no commit covers: refused"
            )
        found = {name: found[name] for name in ("auto_map",) if name in found} | content
    return found


def _check_trust(path: str, revision: str) -> None:
    if not may_run_code():
        raise ConfigError(
            f"{path}: brings its own code, which would run here; read it, and say --trust-remote-code if you trust it"
        )
    if not Path(path).is_dir() and not _COMMIT.fullmatch(revision):
        raise ConfigError(f"{path}: brings its own code; pin it with --revision and the 40 digits of a commit")


def _load(kind: Any, folder: Path, *, own_code: bool, **options: Any) -> Any:
    try:
        return kind.from_pretrained(folder, trust_remote_code=own_code, local_files_only=True, **options)
    except Exception as error:  # transformers raises nearly anything for a folder that it cannot read
        only = "; weights are read as safetensors only, since other formats can run code: convert them"
        hint = only if "safetensors" in str(error) else ""
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{folder}: {kind.__name__} cannot read it ({what[0]}){hint}") from error


def _check_weights(folder: Path, found: dict[str, Any]) -> None:
    """Refuse weights that are not those of the architecture: what is missing would be random, and other at every load."""
    wrong = {
        kind: sorted(str(name) for name in found.get(f"{kind}_keys", ()) if not _SPARE.search(str(name)))
        for kind in ("missing", "unexpected", "mismatched")
    }
    told = [f"{len(names)} {kind} ({names[0]} ...)" for kind, names in wrong.items() if names]
    if told:
        do = "it needs its own code (--trust-remote-code), or another folder"
        raise ConfigError(f"{folder}: its weights are not those of the architecture it names: {', '.join(told)}; {do}")


def _digest(folder: Path) -> str:
    """sha256 over the names and contents of all files that may be read."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in _FILES and path.is_file()):
        total.update(f"{file.relative_to(folder)} {sha256_of_file(file)}\n".encode())
    return total.hexdigest()


def _token_lengths(path: str, tokenizer: Any) -> tuple[int, int]:
    """Width of overlapping k-mers (0: none), and of k-mers side by side (0: pairs of bytes).

    Raises:
        ConfigError: a vocabulary without DNA.
    """
    words = [word.removeprefix("Ġ").upper() for word in tokenizer.get_vocab()]
    lengths = Counter(len(word) for word in words if word and set(word) <= set("ACGT"))
    if not lengths:
        raise ConfigError(
            f"{path}: none of its {len(words)} tokens is made of A, C, G and T; expected a DNA language model"
        )
    longest = max(lengths)
    is_full = lengths[longest] >= 4**longest
    if is_full and set(lengths) == {longest} and longest > 1:
        return longest, 0
    return 0, longest if is_full and set(lengths) <= {1, longest} else 0
