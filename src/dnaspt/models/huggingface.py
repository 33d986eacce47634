"""A Hugging Face DNA model as a frozen per-base encoder: letters are cut into tokens, and each base gets the vector of its token.

First the encoder and its tokenizer, then how a model's folder is described, checked and loaded. Models are read with
transformers, which is not installed with this package.
"""

import hashlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dnaspt.atomic import sha256_of_file
from dnaspt.config import PAD_TOKEN, HuggingFaceConfig
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.genome.alphabet import LETTERS, N
from dnaspt.optional_imports import import_optional
from dnaspt.security import is_offline, may_run_code

CACHE_BYTES = 1 << 30
"""Vectors up to this size in all are kept for sequences that come again."""
BATCH_TOKENS = 8192
"""Tokens that the model reads at once, padding included."""


class Vectors(NamedTuple):
    """Vectors (T, D) of a sequence's tokens, and how many bases each stands for (T,)."""

    tokens: Tensor
    widths: Tensor

    def per_base(self) -> Tensor:
        """Each vector repeated over its bases: (L, D)."""
        return torch.repeat_interleave(self.tokens, self.widths, dim=0)


class HuggingFaceEncoder(nn.Module):
    """Our token ids (B, L) to hidden states (B, L, D) of a Hugging Face model, which is neither trained nor saved with the head.

    Sequences longer than `config.chunk_bp` are read in chunks that begin at its multiples. Vectors do not depend on what else is
    in a batch. A sequence shorter than a k-mer has no vectors: its states are zero.

    Args:
        config: description of the model.
        model: the model, as transformers loads it.
        tokenizer: its tokenizer.
    """

    unit: Tensor

    def __init__(self, config: HuggingFaceConfig, model: nn.Module, tokenizer: "DNATokenizer") -> None:
        super().__init__()
        self.config = config
        self._frozen: tuple[Any, DNATokenizer] = (
            model,
            tokenizer,
        )  # in a tuple: its weights are neither trained nor saved
        knows_padding = "attention_mask" in inspect.signature(model.forward).parameters
        # BigBird's blocks of attention depend on the longest sequence of a batch.
        is_big_bird = getattr(model.config, "model_type", "") == "big_bird"
        self._one_by_one = not knows_padding or is_big_bird
        # A short sequence makes BigBird attend to everything, and go on so: each sequence begins with its first setting.
        self._attention: str = getattr(model.config, "attention_type", "") if is_big_bird else ""
        self._takes_mask = knows_padding
        self._known: dict[str, Vectors] = {}
        self._n_bytes = 0
        self.register_buffer("unit", torch.ones(()), persistent=False)

    @torch.no_grad()
    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states (B, L, D) of token ids (B, L), zero at padding; masked bases are read as N."""
        rows = ["".join(LETTERS[min(token, N)] for token in row if token != PAD_TOKEN) for row in tokens.tolist()]
        chunks_of_rows = [list(self._chunks(len(row))) for row in rows]
        vectors = self._read(
            dict.fromkeys(
                row[start:end] for row, chunks in zip(rows, chunks_of_rows, strict=True) for start, end in chunks
            )
        )
        hidden = torch.zeros((*tokens.shape, self.config.hidden_size), dtype=self.unit.dtype, device=tokens.device)
        for states, row, chunks in zip(hidden, rows, chunks_of_rows, strict=True):
            for start, end in chunks:
                states[start:end] = vectors[row[start:end]].per_base().to(self.unit.dtype)
        return hidden

    def from_letters(self, letters: Tensor, *, kernels: bool = True) -> Tensor:
        """Hidden states (B, L, D) of whole letters (B, L, 5): tokens of other models have no gradient of single letters."""
        hidden: Tensor = self(letters.argmax(-1))
        return hidden

    def _chunks(self, length: int) -> Iterator[tuple[int, int]]:
        """Starts and ends of the chunks of a sequence.

        The last chunk has at least a k-mer, taken from the one before; a sequence that is shorter in all has none.
        """
        size, shortest = self.config.chunk_bp, max(1, self.config.kmer)
        starts = list(range(0, length, size))
        if len(starts) > 1 and length - starts[-1] < shortest:
            starts[-1] = length - shortest
        if length >= shortest:
            yield from zip(starts, [*starts[1:], length], strict=True)

    def _read(self, chunks: dict[str, None]) -> dict[str, Vectors]:
        """Vectors of distinct chunks; those that fit the cache are kept."""
        unread = {chunk: list(self._tokenize(chunk)) for chunk in chunks if chunk not in self._known}
        states = iter(self._run([tokens for halves in unread.values() for tokens in halves]))
        all_vectors = {chunk: self._known[chunk] for chunk in chunks if chunk in self._known}
        for chunk, halves in unread.items():
            widths = torch.tensor([width for tokens in halves for width in tokens.widths], device=self.unit.device)
            all_vectors[chunk] = vectors = Vectors(torch.cat([next(states) for _ in halves]), widths)
            self._n_bytes += (n_bytes := vectors.tokens.numel() * vectors.tokens.element_size())
            if self._n_bytes <= CACHE_BYTES:
                self._known[chunk] = vectors
            else:
                self._n_bytes -= n_bytes
        return all_vectors

    def _tokenize(self, letters: str) -> Iterator["Tokens"]:
        """The tokens of a sequence; in two halves where they are more than the model takes."""
        tokens = self._frozen[1].tokenize(letters)
        if len(tokens.ids) <= self.config.n_tokens or len(letters) < 2:
            yield tokens
            return
        half = len(letters) // 2
        yield from self._tokenize(letters[:half])
        yield from self._tokenize(letters[half:])

    def _run(self, sequences: list["Tokens"]) -> list[Tensor]:
        """Vectors (T, D) of the inner tokens of each sequence; sequences of like lengths are read together."""
        vectors: dict[int, Tensor] = {}
        order = sorted(range(len(sequences)), key=lambda index: len(sequences[index].ids))
        while order:
            longest = len(sequences[order[-1]].ids)
            n_rows = 1 if self._one_by_one else max(1, BATCH_TOKENS // longest)
            batch, order = order[-n_rows:], order[:-n_rows]
            states = self._forward([sequences[index].ids for index in batch], longest)
            vectors |= {index: row[sequences[index].inner] for index, row in zip(batch, states, strict=True)}
        return [vectors[index] for index in range(len(sequences))]

    def _forward(self, rows: list[list[int]], longest: int) -> Tensor:
        """The model's last hidden states (B, longest, D) of token ids."""
        model, tokenizer = self._frozen
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
            fault = f"gives {states.shape[-1]} numbers a token, not hidden states of {self.config.hidden_size}"
            raise ConfigError(f"{self.config.path}: {fault}; its config.json may name another class as AutoModel")
        return states


class Tokens(NamedTuple):
    """The tokens of a sequence.

    Attributes:
        ids: of all tokens, special ones included.
        inner: those that stand for bases.
        widths: how many bases each of these stands for.
    """

    ids: list[int]
    inner: slice
    widths: list[int]


class DNATokenizer:
    """A tokenizer of transformers, and the bases that its tokens stand for.

    kmer: width of overlapping k-mers, each of which is a token; 0 leaves the cutting to the tokenizer.
    """

    def __init__(self, tokenizer: Any, kmer: int = 0) -> None:
        self.tokenizer, self.kmer = tokenizer, kmer
        self.pad = tokenizer.pad_token_id or 0

    def tokenize(self, letters: str) -> Tokens:
        """Tokens of a sequence of A, C, G, T and N.

        Raises:
            ConfigError: the bases of the tokens do not add up to the sequence.
        """
        text = letters
        if self.kmer:
            text = " ".join(letters[at : at + self.kmer] for at in range(len(letters) - self.kmer + 1))
        inner = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = self.tokenizer(text)["input_ids"]
        first = next((at for at in range(len(ids) - len(inner) + 1) if ids[at : at + len(inner)] == inner), -1)
        widths = self._overlapping(len(letters)) if self.kmer else self._side_by_side(letters)
        if first < 0 or len(widths) != len(inner) or sum(widths) != len(letters):
            result = f"{len(inner)} tokens that stand for {sum(widths)} bases"
            raise ConfigError(f"a sequence of {len(letters)} bases was cut into {result}; is this a tokenizer of DNA?")
        return Tokens(ids, slice(first, first + len(inner)), widths)

    def _overlapping(self, length: int) -> list[int]:
        """Widths of overlapping k-mers: one base each; the first and the last stand for the bases at the ends too."""
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
        """Widths of tokens that do not overlap."""
        if self.tokenizer.is_fast:
            offsets = self.tokenizer(letters, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            return [end - start for start, end in offsets]
        words = self.tokenizer.tokenize(letters)
        return [1 if word == self.tokenizer.unk_token else len(word) for word in words]


_FILES = (".safetensors", ".json", ".txt", ".py", ".model")
"""Endings of the files that are downloaded, read and covered by the digest."""
_ADAPTER = "adapter_config.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DEFAULT_TOKENS = 4096
"""Tokens at a time, for models that name no limit."""
_MAX_CHUNK_BP = 1 << 17
"""Bases at a time at most, since the vectors of all of them are held at once."""
_LIMITS = ("max_position_embeddings", "max_seq_len", "n_positions")
"""What models call the number of tokens that they take."""
_BP_PER_TOKEN = 6
"""Bases of a byte-pair token of DNA, about, on the average; a chunk with more tokens than the model takes is halved."""
_SPARE = re.compile(r"\b(cls|lm_head|classifier|pooler|contact_head|predictions|position_ids|inv_freq)\b")
"""Parts of published weights that hidden states do not need, and tables that older files hold and the code computes."""


def read_huggingface_config(path: str, revision: str = "") -> HuggingFaceConfig:
    """Describe a model: the digest of its files, its hidden size, and how it cuts sequences. Reads no weights.

    Args:
        path: a folder, or a name on the Hugging Face hub, from which it is downloaded unless that is forbidden.
        revision: a commit on the hub; needed for a model that brings its own code.

    Raises:
        ConfigError: transformers is not installed; there is no such model; it brings its own code and that is not allowed, or its
            commit is not given; it is no DNA language model.
    """
    transformers = _import_transformers()
    folder = _find_folder(path, revision)
    raw = _raw_config(folder)
    own_code = "auto_map" in raw
    if own_code:
        _check_trust(path, revision)
    elif raw.get("pre_layer_norm"):
        what = "normalizes before its layers (pre_layer_norm), which transformers' own BERT does not"
        raise ConfigError(f"{path}: {what}; use a folder that brings the code for it")
    tokenizer = _from_pretrained(transformers.AutoTokenizer, folder, own_code=own_code)
    config = _from_pretrained(transformers.AutoConfig, folder, own_code=own_code)
    if not isinstance(hidden_size := getattr(config, "hidden_size", getattr(config, "d_model", None)), int):
        raise ConfigError(f"{path}: its config.json has neither hidden_size nor d_model; expected a DNA language model")
    kmer, longest = _token_lengths(path, tokenizer)
    n_tokens = next((limit for name in _LIMITS if (limit := getattr(config, name, None))), _DEFAULT_TOKENS)
    # ESM counts positions from behind the padding token's number.
    n_tokens -= 1 + (getattr(config, "pad_token_id", 0) or 0) if raw.get("model_type") == "esm" else 0
    n_inner = n_tokens - 2  # without the special tokens at both ends
    reach = n_inner + kmer - 1 if kmer else n_inner * (longest or _BP_PER_TOKEN)
    if n_inner < 1:
        raise ConfigError(f"{path}: takes {n_tokens} tokens; expected three or more")
    most = _MAX_CHUNK_BP - _MAX_CHUNK_BP % (longest or 1)
    return HuggingFaceConfig(
        path=path if not Path(path).is_dir() else str(Path(path).resolve()),
        revision=revision,
        sha256=_digest(folder),
        hidden_size=hidden_size,
        kmer=kmer,
        n_tokens=n_tokens,
        chunk_bp=min(reach, most),
    )


def check_huggingface_model(path: str, revision: str = "") -> None:
    """Get a model from the hub, and raise early what `read_huggingface_config` would; reads no weights.

    Raises:
        ConfigError: as `read_huggingface_config`.
    """
    _import_transformers()
    if "auto_map" in _raw_config(_find_folder(path, revision)):
        _check_trust(path, revision)


def load_huggingface_encoder(config: HuggingFaceConfig) -> HuggingFaceEncoder:
    """Load the model described by `config`, frozen and in eval mode; its digest is checked.

    It is read from this machine alone: a checkpoint may come from anybody, and its config.json names the model.

    Raises:
        CheckpointError: its files have changed, or no copy is on this machine.
        ConfigError: as `read_huggingface_config`, or its weights are not all there.
    """
    transformers = _import_transformers()
    folder = _find_local_folder(config.path, config.revision)
    own_code = "auto_map" in _raw_config(folder)
    if own_code:
        _check_trust(config.path, config.revision)
    if (digest := _digest(folder)) != config.sha256:
        raise CheckpointError(
            f"{config.path}: its files have sha256 {digest[:12]}...; expected {config.sha256[:12]}..."
        )
    tokenizer = _from_pretrained(transformers.AutoTokenizer, folder, own_code=own_code)
    options = {"use_safetensors": True, "output_loading_info": True}
    model, loaded = _from_pretrained(transformers.AutoModel, folder, own_code=own_code, **options)
    _check_weights(folder, loaded)
    return HuggingFaceEncoder(config, model.eval().requires_grad_(False), DNATokenizer(tokenizer, config.kmer))


def _import_transformers() -> Any:
    """transformers, told to be quiet.

    Raises:
        ConfigError: it is not installed.
    """
    transformers: Any = import_optional("transformers", "Hugging Face models")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _find_folder(path: str, revision: str) -> Path:
    """The folder itself, or the copy of a model on the hub, downloaded where that is allowed."""
    offline = is_offline()
    try:
        return _snapshot(path, revision, local_files_only=offline)
    except ConfigError:
        raise
    except Exception as error:  # the hub's and its HTTP library's errors have no common ancestor
        if offline:
            do = "leave --offline out once, or give a folder"
            raise ConfigError(f"{path}: no such folder, and no copy from the Hugging Face hub is here; {do}") from error
        is_unreachable = "Connect" in repr(error)
        what = type(error).__name__ if is_unreachable else str(error).splitlines()[0]
        fault = "cannot be downloaded from" if is_unreachable else "was not found on"
        raise ConfigError(f"{path}: no such folder, and it {fault} the Hugging Face hub ({what})") from error


def _find_local_folder(path: str, revision: str) -> Path:
    """The folder itself, or the copy of a model on the hub that was downloaded before."""
    try:
        return _snapshot(path, revision, local_files_only=True)
    except ConfigError:
        raise
    except Exception as error:  # the hub's errors have no common ancestor
        do = f"if you trust it: hf download {path}{f' --revision {revision}' if revision else ''}"
        fault = "is no folder, and no copy of the Hugging Face hub's model is on this machine; a checkpoint downloads nothing"
        raise CheckpointError(f"{path}: {fault}; {do}") from error


def _snapshot(path: str, revision: str, *, local_files_only: bool) -> Path:
    """The folder itself, or the hub's copy; the errors of the hub's library are passed on.

    Raises:
        ConfigError: neither a folder nor a name that the hub could have.
    """
    if Path(path).is_dir():
        return Path(path)
    if Path(path).is_absolute() or path.startswith(".") or path.count("/") > 1:
        raise ConfigError(f"{path}: no such folder; expected one, or a name on the Hugging Face hub")
    hub = import_optional("huggingface_hub", "names on the Hugging Face hub")  # transformers brings it along
    return Path(
        hub.snapshot_download(
            path,
            revision=revision or None,
            local_files_only=local_files_only,
            allow_patterns=[f"*{suffix}" for suffix in _FILES],
        )
    )


def _raw_config(folder: Path) -> dict[str, Any]:
    """config.json, with `auto_map` where the model or its tokenizer has code of its own.

    Raises:
        ConfigError: cannot be read, or takes code or weights from elsewhere.
    """
    raw: dict[str, Any] = {}
    if (folder / _ADAPTER).exists():
        do = "merge it with its model, and save that"
        raise ConfigError(f"{folder / _ADAPTER}: an adapter of another model, which no digest covers: refused; {do}")
    for name in ("tokenizer_config.json", "config.json"):
        file = folder / name
        try:
            content = json.loads(file.read_text(encoding="utf-8")) if name == "config.json" or file.exists() else {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file}: cannot be read ({error}); expected a folder of transformers") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{file}: a {type(content).__name__}; expected a JSON object")
        if any("--" in str(source) for source in dict(content.get("auto_map") or {}).values()):
            raise ConfigError(
                f"{file}: takes its code from another repository, which no digest and no commit covers: refused"
            )
        raw = {name: raw[name] for name in ("auto_map",) if name in raw} | content
    if "auto_map" not in raw and (other := _other_repository(raw)):
        raise ConfigError(
            f"{folder / 'config.json'}: {other} names another repository, which no digest covers: refused"
        )
    return raw


def _other_repository(content: Any) -> str:
    """The first setting, on any level, for which transformers would ask the hub; empty if there is none."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in items:
        if isinstance(value, str) and (name == "backbone" or ("attn_implementation" in str(name) and "/" in value)):
            return f"{name} = {value!r}"
        if other := _other_repository(value):
            return other
    return ""


def _check_trust(path: str, revision: str) -> None:
    """Refuse a model with code of its own unless that is allowed, and from the hub only at a commit."""
    if not may_run_code():
        raise ConfigError(
            f"{path}: brings its own code, which would run here; read it, and say --trust-remote-code if you trust it"
        )
    if not Path(path).is_dir() and not _COMMIT.fullmatch(revision):
        raise ConfigError(f"{path}: brings its own code; pin it with --revision and the 40 digits of a commit")


def _from_pretrained(kind: Any, folder: Path, *, own_code: bool, **options: Any) -> Any:
    """Let a class of transformers read a folder, without network."""
    try:
        with _without_hub():
            return kind.from_pretrained(folder, trust_remote_code=own_code, local_files_only=True, **options)
    except Exception as error:  # transformers raises nearly anything for a folder that it cannot read
        only = "; weights are read as safetensors only, since other formats can run code: convert them"
        hint = only if "safetensors" in str(error) else ""
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{folder}: {kind.__name__} cannot read it ({what[0]}){hint}") from error


@contextmanager
def _without_hub() -> Iterator[None]:
    """Keep the hub's library from using the network: transformers asks the hub for some settings even of a local folder."""
    utils: Any = import_module("huggingface_hub.utils")
    constants: Any = import_module("huggingface_hub.constants")
    forget_sessions = getattr(utils, "reset_sessions", lambda: None)
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    forget_sessions()  # before version 1 a session that was opened with network kept it
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        forget_sessions()


def _check_weights(folder: Path, loaded: dict[str, Any]) -> None:
    """Refuse weights that are not those of the architecture: missing ones would be random, and others at every load."""
    wrong = {
        kind: sorted(str(name) for name in loaded.get(f"{kind}_keys", ()) if not _SPARE.search(str(name)))
        for kind in ("missing", "unexpected", "mismatched")
    }
    faults = [f"{len(names)} {kind} ({names[0]} ...)" for kind, names in wrong.items() if names]
    if faults:
        do = "it needs its own code (--trust-remote-code), or another folder"
        raise ConfigError(
            f"{folder}: its weights are not those of the architecture it names: {', '.join(faults)}; {do}"
        )


def _digest(folder: Path) -> str:
    """sha256 over the names and contents of all files that may be read."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in _FILES and path.is_file()):
        total.update(f"{file.relative_to(folder)} {sha256_of_file(file)}\n".encode())
    return total.hexdigest()


def _token_lengths(path: str, tokenizer: Any) -> tuple[int, int]:
    """Width of overlapping k-mers (0 for others), and width of k-mers side by side (0 for byte pairs).

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
