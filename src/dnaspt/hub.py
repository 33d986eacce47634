"""Published DNA language models through transformers: frozen encoders whose hidden states are spread over the bases.

As BEND does it: a token's vector is repeated over its bases, special tokens are left out, and of overlapping k-mers (DNABERT) the
first and last vector are repeated at the ends. Weights are read as safetensors only; a model's own code runs only where a person
allows it.
"""

import hashlib
import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from dnaspt.config import PublishedConfig
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.models.published import PublishedEncoder, Tokenizer
from dnaspt.permits import is_offline, may_run_code

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
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder)} {digest}\n".encode())
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
