"""Settings as frozen, checked objects: architecture presets, and what a run needs, from a TOML file and options."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dnaspt.errors import ConfigError

N_TOKENS = 7
"""Vocabulary: A C G T N = 0..4, mask = 5, pad = 6."""
MASK_TOKEN, PAD_TOKEN = 5, 6
BEND_CHANNELS = (0, 1, 2, 4, 3, 5, 6)
"""Hidden channel of each token id. BEND's ConvNet orders its channels A C G N T: the same here, so checkpoints convert."""


class Settings(BaseModel):
    """Base of all settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EncoderConfig(Settings):
    """Architecture of `DilatedEncoder` (arXiv 2506.17766; the ConvNet of BEND and GPN); without layers it is the one-hot code.

    channels: for each token id (A C G T N mask pad) the hidden channel it lights up.
    """

    architecture: Literal["dilated"] = "dilated"
    hidden_size: int = Field(64, ge=N_TOKENS)
    n_layers: int = Field(30, ge=0)
    kernel_size: int = Field(9, ge=1)
    dilation_max: int = Field(32, ge=1)
    dilation_cycle: int = Field(6, ge=1)
    dilation_double_every: int = Field(1, ge=1)
    channels: tuple[int, ...] = BEND_CHANNELS

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {self.kernel_size} is even; expected an odd one")
        if len(self.channels) != N_TOKENS or not all(0 <= channel < self.hidden_size for channel in self.channels):
            raise ValueError(f"channels {self.channels}; expected {N_TOKENS} of 0..{self.hidden_size - 1}")
        return self

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer: 1 2 4 8 16 32, repeated."""
        return tuple(
            min(self.dilation_max, 2 ** (layer % self.dilation_cycle // self.dilation_double_every))
            for layer in range(self.n_layers)
        )

    @property
    def flank_bp(self) -> int:
        """Bases on either side that a hidden state depends on: 1,260 for 30 layers of kernel 9."""
        return sum(self.dilations) * (self.kernel_size // 2)

    @property
    def grid_bp(self) -> int:
        """A sequence may be cut anywhere, for instance into tiles that are predicted one by one."""
        return 1


class BassetConfig(Settings):
    """Architecture of `BassetEncoder`, a baseline for windows of one length.

    layers: channels, width and pooling of each convolution.
    """

    architecture: Literal["basset"] = "basset"
    window_bp: int = Field(512, ge=48)
    layers: tuple[tuple[int, int, int], ...] = ((300, 19, 3), (200, 11, 4), (200, 7, 4))
    dense_size: int = Field(1000, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)

    @property
    def hidden_size(self) -> int:
        """Channels of the last convolution."""
        return self.layers[-1][0]

    @property
    def n_pooled(self) -> int:
        """Positions that pooling leaves of a window."""
        length = self.window_bp
        for _, _, pool in self.layers:
            length //= pool
        return length

    @property
    def flank_bp(self) -> int:
        """A window is taken whole: nothing around it has a say."""
        return 0

    @property
    def grid_bp(self) -> int:
        """Windows may begin anywhere."""
        return 1


class HuggingFaceConfig(Settings):
    """A Hugging Face DNA model, frozen, on whose hidden states a head is trained (see `dnaspt.models.huggingface`).

    path: folder, or name on the Hugging Face hub; revision: commit there. sha256: of the files that were read.
    kmer: width of overlapping k-mers as tokens (DNABERT); 0 leaves the cutting to the tokenizer. n_tokens: tokens that it takes
        at once, special ones included. chunk_bp: bases that are read at once.
    """

    architecture: Literal["published"] = "published"
    path: str
    revision: str = ""
    sha256: str
    hidden_size: int = Field(ge=1)
    kmer: int = Field(0, ge=0)
    n_tokens: int = Field(ge=3)
    chunk_bp: int = Field(ge=1)

    @property
    def flank_bp(self) -> int:
        """A base depends on nothing but its chunk."""
        return self.chunk_bp

    @property
    def grid_bp(self) -> int:
        """A sequence may be cut only between the chunks that the model reads."""
        return self.chunk_bp


AnyEncoderConfig = EncoderConfig | BassetConfig | HuggingFaceConfig

PRESETS: Mapping[str, EncoderConfig] = MappingProxyType(
    {
        "paper": EncoderConfig(hidden_size=512),
        "base": EncoderConfig(hidden_size=256),
        "small": EncoderConfig(hidden_size=64),
        "tiny": EncoderConfig(hidden_size=32, n_layers=12),
    }
)
"""`paper` and `base` are the published sizes, `small` is the default without a GPU, `tiny` is for demos and tests."""

Preset = Literal["paper", "base", "small", "tiny"]

BASELINE_ENCODERS: Mapping[str, EncoderConfig | BassetConfig] = MappingProxyType(
    {"onehot": EncoderConfig(hidden_size=N_TOKENS, n_layers=0), "basset": BassetConfig()}
)
"""Supervised baselines of BEND that are not pretrained: a CNN on the one-hot code, and Basset (for windows)."""


HeadName = Literal["auto", "crf", "softmax", "sigmoid", "crf-unconstrained"]


class TrainingConfig(Settings):
    """What every training run needs. An optimizer step sees `accumulate` batches of `batch_bp` bases over all processes."""

    seed: int = Field(0, ge=0)
    """Seed of weights, order, masks and strands."""
    steps: int = Field(0, ge=0)
    """Optimizer steps; 0 derives them from `epochs`."""
    epochs: float = Field(10.0, gt=0)
    """Passes over the data."""
    batch_bp: int = Field(16_384, ge=64)
    """Bases of a batch over all devices, padding included."""
    accumulate: int = Field(1, ge=1)
    """Batches of an optimizer step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Peak learning rate of AdamW."""
    weight_decay: float = Field(0.01, ge=0)
    """Of AdamW."""
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of the steps in which the rate rises to its peak; a cosine brings it down."""
    final_rate_fraction: float = Field(0.01, ge=0, le=1)
    """The last rate as a share of the peak."""
    average_fraction: float = Field(0.0, ge=0, lt=1)
    """Validate and keep a running average of the weights over about this share of the steps; 0 keeps those of the moment."""
    clip_norm: float = Field(1.0, gt=0)
    """Largest norm of a gradient."""
    reverse_complement: bool = True
    """Turn half of the windows around."""
    validate_every: int = Field(0, ge=0)
    """Steps between validations; 0 spreads 20 over the run, or fewer, down to 4, where the valid split is large."""
    patience: int = Field(0, ge=0)
    """Validations without a new best before the run stops; 0 never stops early."""
    save_every: int = Field(0, ge=0)
    """Steps between checkpoints for resuming; 0 saves at validations only."""
    max_minutes: float = Field(0.0, ge=0)
    """Stop and save after so many minutes; 0 has no limit. The schedule is a function of steps and does not change."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """auto: bf16 autocast on a GPU that multiplies in it, else 32, for which a CPU has kernels of its own."""
    devices: int = Field(1, ge=1)
    """GPUs or CPU processes on a node."""
    num_nodes: int = Field(1, ge=1)
    """Nodes; SLURM and torchrun are detected."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """auto takes a GPU where there is one."""
    tensorboard: bool = True
    """Write curves for TensorBoard into the run."""


class PretrainConfig(TrainingConfig):
    """Masked-language-model pretraining."""

    data: Path
    """Dataset folder."""
    out: Path
    """Run folder to write."""
    preset: Preset = "small"
    """Size of the encoder: paper, base, small or tiny."""
    encoder: EncoderConfig | None = None
    """Architecture in full; wins over `preset`."""
    epochs: float = Field(24.0, gt=0)
    """Passes over the data."""
    learning_rate: float = Field(2e-3, gt=0)
    """Peak learning rate of AdamW."""
    mask_fraction: float = Field(0.15, gt=0, lt=1)
    """Share of the bases to mask."""
    repeat_weight: float = Field(1.0, ge=0, le=1)
    """Loss weight of soft-masked bases."""
    masking: Literal["distinct", "as-published"] = "distinct"
    """as-published: the base T is the mask token, random letters are drawn from seven tokens; only to test published numbers."""
    splits: tuple[str, ...] = ("train",)
    """Splits whose sequences are read."""
    unlabeled: bool = True
    """Read `unlabeled` too, where the dataset has it."""


class FinetuneConfig(TrainingConfig):
    """Fine-tuning of an encoder with a task head, or training both from scratch."""

    data: Path
    """Dataset folder."""
    out: Path
    """Run folder to write."""
    encoder: Path | None = None
    """A run or checkpoint of `pretrain`; left out: from scratch."""
    preset: Preset | Literal["onehot", "basset"] = "small"
    """Size of the encoder: paper, base, small or tiny; or a baseline of BEND: onehot (no encoder), basset (windows)."""
    embeddings: str = ""
    """Instead of an encoder, a published DNA language model, frozen: a folder, or a name on the Hugging Face hub."""
    revision: str = ""
    """Of a name on the hub: a commit."""
    head: HeadName = "auto"
    """auto takes the task's first."""
    freeze_encoder: bool = False
    """Train the head alone."""
    encoder_rate: float = Field(1.0, gt=0, le=1)
    """Learning rate of the encoder as a share of the head's."""
    crf_rate: float = Field(10.0, gt=0)
    """Learning rate of the chain's scores as a multiple of the head's: they start at 0 and have to reach about -7."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: rare classes weigh more in a softmax or sigmoid head."""
    positive_weight: float = Field(0.0, ge=0)
    """Weight of labels that are true, in a sigmoid head; 0 leaves it to `class_weights`."""
    pool: Literal["mean", "normalized"] = "mean"
    """Of a window: the mean vector (BEND), or that batch-normalized, and labels that begin at their frequencies."""
    label_fraction: float = Field(1.0, gt=0, le=1)
    """Share of the train windows to learn from."""
    epochs: float = Field(16.0, gt=0)
    """Passes over the data."""


Config = TypeVar("Config", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file of settings.

    Raises:
        ConfigError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error


def build_config(kind: type[Config], options: Mapping[str, Any], toml: Path | None = None) -> Config:
    """Merge a TOML file and options (options win; None means not given) into checked settings.

    Raises:
        ConfigError: no such file, not TOML, a name that no setting has (with the nearest one), or a bad value.
    """
    values = {} if toml is None else read_toml(toml)
    values |= {name: value for name, value in options.items() if value is not None}
    for name in values:
        if name not in kind.model_fields:
            near = difflib.get_close_matches(name, kind.model_fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(kind.model_fields)}"
            raise ConfigError(f"{toml or 'options'}: no setting is called {name!r}; {hint}")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{toml or 'options'}: {_first_fault(error)}") from error


def _first_fault(error: ValidationError) -> str:
    """The first thing that is wrong; settings that contradict each other say so themselves, without a value."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    if first["type"] == "missing":
        return f"{where} is missing; give --{where.replace('_', '-')}, or set it in a file given with --config"
    if first["type"] == "extra_forbidden":
        return f"no setting is called {where!r}; check its name"
    return f"{where} = {first['input']!r}: {first['msg']}"
