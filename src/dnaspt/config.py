"""Settings as frozen, checked objects: architecture presets, and what a run needs, from a TOML file and options."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dnaspt.errors import ConfigError

N_TOKENS = 7
"""Vocabulary: A C G T N = 0..4, mask = 5, pad = 6."""
MASK_TOKEN, PAD_TOKEN = 5, 6
BEND_CHANNELS = (0, 1, 2, 4, 3, 5, 6)
"""Hidden channel of each token id. BEND's ConvNet orders its channels A C G N T: the same here, so checkpoints convert."""

MOST_SEED = 2**63 - 1
"""Largest seed: that of PyTorch."""
MOST_RATE = 1e31
"""Largest learning rate: with it, any training diverges, and a step of AdamW is still a number of 32 bits."""
MOST_FOLDS = 100
"""Most folds of a dataset: each of them is a training of its own."""
MOST_BP = 1_000_000_000
"""Largest length in bp that a setting may have; no sequence of a dataset is as long."""
_MOST_EPOCHS = 1_000_000


class Settings(BaseModel):
    """Base of all settings: frozen, and a name that does not exist is an error.

    The string below a setting is its description in docs/settings.md: what it is, its unit, and when to change it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def _as_tuple(value: object) -> object:
    """One path or name as a tuple of one; nothing as an empty tuple."""
    return (value,) if isinstance(value, str | Path) else () if value is None else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_as_tuple)]
"""One path or more."""
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""One name or more."""


class EncoderConfig(Settings):
    """Architecture of `DilatedEncoder` (arXiv 2506.17766; the ConvNet of BEND and GPN); without layers it is the one-hot code."""

    architecture: Literal["dilated"] = "dilated"
    """Kind of the encoder. There is no other one to pretrain."""
    hidden_size: int = Field(64, ge=N_TOKENS, le=16_384)
    """Channels of the hidden states. Raise it for a larger model: training time grows with its square."""
    n_layers: int = Field(30, ge=0, le=1_000)
    """Dilated convolutions one after another. Fewer are faster, and see less sequence around a base."""
    kernel_size: int = Field(9, ge=1, le=1_001)
    """Width of a convolution in bp, an odd number. Change it together with the dilations, to see more or less sequence."""
    dilation_max: int = Field(32, ge=1, le=1_000_000)
    """Largest dilation in bp. Raise it where distant sequence matters; 30 layers of the default see 1,260 bp on each side."""
    dilation_cycle: int = Field(6, ge=1, le=1_000)
    """Layers after which the dilations begin again at 1: 1, 2, 4, 8, 16, 32, 1, ... Rarely changed."""
    dilation_double_every: int = Field(1, ge=1, le=1_000)
    """Layers between two doublings of the dilation. Rarely changed."""
    channels: tuple[int, ...] = BEND_CHANNELS
    """Hidden channel that each token (A, C, G, T, N, mask, pad) lights up. Leave it: other checkpoints could not be converted."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {self.kernel_size} is even; expected an odd one")
        if len(self.channels) != N_TOKENS or not all(0 <= channel < self.hidden_size for channel in self.channels):
            raise ValueError(f"channels {self.channels}; expected {N_TOKENS} of 0..{self.hidden_size - 1}")
        return self

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation of each layer in bp: 1 2 4 8 16 32, repeated."""
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

    def for_windows(self, window_bp: int) -> Self:
        """The same encoder: it takes windows of any length."""
        return self


class BassetConfig(Settings):
    """Architecture of `BassetEncoder` (Kelley, Snoek & Rinn 2016), a supervised baseline for windows of one length."""

    architecture: Literal["basset"] = "basset"
    """Kind of the encoder."""
    window_bp: int = Field(512, ge=48, le=10_000_000)
    """Length of the windows in bp. Fine-tuning takes it from the dataset."""
    layers: tuple[tuple[int, int, int], ...] = ((300, 19, 3), (200, 11, 4), (200, 7, 4))
    """Channels, width in bp and pooling of each convolution. Leave them, to compare with the published baseline."""
    dense_size: int = Field(1000, ge=1, le=1_000_000)
    """Units of the two dense layers. Leave it, to compare with the published baseline."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of the units of a dense layer that a training step drops. Leave it, to compare with the published baseline."""

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
        """Bases around a window that its labels depend on: none, since a window is taken whole."""
        return 0

    @property
    def grid_bp(self) -> int:
        """Windows may begin anywhere."""
        return 1

    def for_windows(self, window_bp: int) -> Self:
        """The encoder for windows of this length in bp, which it takes whole."""
        return self.model_copy(update={"window_bp": window_bp})


class HuggingFaceConfig(Settings):
    """A Hugging Face DNA model, frozen, as a per-base encoder (see `dnaspt.models.huggingface`).

    Fine-tuning with `embeddings` finds these values itself and keeps them in the checkpoint.
    """

    architecture: Literal["published"] = "published"
    """Kind of the encoder."""
    path: str
    """Folder of the model, or its name on the Hugging Face hub."""
    revision: str = ""
    """Commit of a name on the hub."""
    sha256: str
    """Digest of the model's files: a model that has changed since is refused."""
    hidden_size: int = Field(ge=1)
    """Channels of its hidden states."""
    kmer: int = Field(0, ge=0)
    """Length of overlapping k-mers that are its tokens (DNABERT), in bp; 0: its own tokenizer cuts the sequence."""
    n_tokens: int = Field(ge=3)
    """Tokens that it reads at once, special ones included."""
    chunk_bp: int = Field(ge=1)
    """Bases that it reads at once, in bp."""

    @property
    def flank_bp(self) -> int:
        """Bases on either side that a hidden state depends on: at most its own chunk."""
        return self.chunk_bp

    @property
    def grid_bp(self) -> int:
        """A sequence may be cut only between the chunks that the model reads."""
        return self.chunk_bp

    def for_windows(self, window_bp: int) -> Self:
        """The same encoder: it takes windows of any length."""
        return self


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


HeadName = Literal["auto", "crf", "softmax", "sigmoid", "crf-unconstrained", "gene-model", "mse", "poisson"]


class TrainingConfig(Settings):
    """What every training run needs. An optimizer step sees `accumulate` batches of `batch_bp` bases over all processes."""

    seed: int = Field(0, ge=0, le=MOST_SEED)
    """Seed of everything random: fresh weights, order of the windows, masks and strands. Change it to see how much chance
    moves the scores."""
    steps: int = Field(0, ge=0, le=1_000_000_000)
    """Number of optimizer steps; 0: as many as `epochs` takes. Set it for a quick trial, or to train equally long on datasets of
    different sizes."""
    epochs: float = Field(10.0, gt=0, le=_MOST_EPOCHS)
    """Passes over the training data. Raise it while the score on valid still grows at the end of a run; lower it for a quick
    look."""
    batch_bp: int = Field(16_384, ge=64, le=10_000_000_000)
    """Bases in a batch, padding included, over all devices. Lower it where memory is short, and raise `accumulate` (models of
    windows that pool normalized learn otherwise from smaller batches: docs/windows.md); raise it where a GPU is not busy."""
    accumulate: int = Field(1, ge=1, le=100_000)
    """Batches of an optimizer step. Raise it to train on large batches in little memory."""
    learning_rate: float = Field(1e-3, gt=0, le=MOST_RATE)
    """Peak learning rate of AdamW. Try three times as much and a third of it first of all; lower it where the loss diverges."""
    weight_decay: float = Field(0.01, ge=0, le=1_000)
    """Weight decay of AdamW. Raise it where the score on valid falls while the loss on train still falls."""
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    """Share of the steps in which the learning rate rises to its peak; then it falls along a cosine. Raise it where the loss
    diverges at the start."""
    final_rate_fraction: float = Field(0.01, ge=0, le=1)
    """Last learning rate as a share of the peak. Rarely changed."""
    average_fraction: float = Field(0.0, ge=0, lt=1)
    """Validate and keep a running average of the weights over about this share of the steps; 0: the weights as they are. Try 0.1
    where scores on valid jump from one validation to the next."""
    clip_norm: float = Field(1.0, gt=0, le=MOST_RATE)
    """Largest norm of a gradient; a longer one is scaled down. Lower it where the loss diverges."""
    reverse_complement: bool = True
    """Train on the reverse complement of half of the windows, chosen at random. Switch it off where all windows read along the
    same strand of what they show, such as transcripts."""
    validate_every: int = Field(0, ge=0)
    """Steps between validations; 0: 20 validations in a run, or fewer, down to 4, where the valid split is large. Lower it to see
    the curve in more detail."""
    patience: int = Field(0, ge=0)
    """Validations without a new best after which a run stops; 0 never stops early. Set it, to 5 for instance, to save time
    where a model overfits soon."""
    save_every: int = Field(0, ge=0)
    """Steps between checkpoints to resume from; 0 saves at validations only. Set it where a killed run would lose much time."""
    max_minutes: float = Field(0.0, ge=0)
    """Minutes after which a run stops and saves; 0: no limit. Set it where a job has a time limit, and go on with --resume: the
    learning rates stay the same."""
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    """Precision of the matrix products: 32, bf16 or 16 (GPU) bits; auto: bf16 on a GPU that has it, else 32, for which a CPU has
    fast kernels. Say 32 where the loss diverges, or to compare with a run on a CPU."""
    devices: int = Field(1, ge=1, le=1_024)
    """Number of GPUs (or CPU processes) on a node, which share each batch. Raise it to train on several GPUs."""
    num_nodes: int = Field(1, ge=1, le=100_000)
    """Number of nodes; SLURM and torchrun are detected. Raise it to train on several machines."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to train: auto takes a GPU where there is one: NVIDIA's, else Apple's, on which it is untested. Say cpu to leave the
    GPU alone; gpu raises an error if there is no GPU."""
    tensorboard: bool = True
    """Write curves for TensorBoard into the run. Switch it off to start a second earlier and to save disk."""
    fold: int = Field(0, ge=0, le=MOST_FOLDS)
    """Fold of a dataset with folds, from 1: train and choose on what belongs to its models, and leave out what it tests; 0: the
    splits of the whole dataset. A study sets it itself."""

    @property
    def n_processes(self) -> int:
        """Processes that train together, over all nodes."""
        return self.devices * self.num_nodes


class PretrainConfig(TrainingConfig):
    """Masked-language-model pretraining."""

    data: Path
    """Dataset folder, made by 'dnaspt prepare'."""
    out: Path
    """Run folder to write."""
    preset: Preset = "small"
    """Size of the encoder: tiny (32 channels, 12 layers), small (64, 30), base (256, 30) or paper (512, 30). tiny is for trials,
    small for a CPU, base and paper for a GPU."""
    encoder: EncoderConfig | None = None
    """Architecture of the encoder in full, instead of `preset`. Give it for another depth or reach."""
    epochs: float = Field(24.0, gt=0, le=_MOST_EPOCHS)
    """Passes over the training data. Raise it while nats per masked base on valid still fall at the end of a run."""
    learning_rate: float = Field(2e-3, gt=0, le=MOST_RATE)
    """Peak learning rate of AdamW. Lower it where the loss diverges, and for larger encoders."""
    mask_fraction: float = Field(0.15, gt=0, lt=1)
    """Share of the bases that are masked and guessed. Rarely changed."""
    repeat_weight: float = Field(1.0, ge=0, le=1)
    """Weight of soft-masked (lower-case) bases in the loss. Lower it, to 0.1 for instance, for genomes full of repeats."""
    masking: Literal["distinct", "as-published"] = "distinct"
    """How bases are masked. distinct: with a token of its own. as-published: with the base T, and random letters are drawn from
    seven tokens, as in the code of arXiv 2506.17766; only to test published numbers."""
    splits: tuple[str, ...] = Field(("train",), min_length=1)
    """Splits whose sequences are read. Add test only where the labels alone are held out, and say so with the scores."""
    unlabeled: bool = True
    """Read the split `unlabeled`, too, where the dataset has it. Switch it off to pretrain on the labeled sequences alone."""
    more_data: Paths = ()
    """Further datasets whose train sequences are read. Give them to pretrain once on all that a lab has; the best checkpoint
    is chosen on valid of the first dataset. What the valid and test parts of the first dataset and of those in `held_out` share
    with any sequence to read is cut out of it."""
    held_out: Paths = ()
    """Datasets that the encoder is to serve. Bases of their valid and test parts are cut out of all that is read: stretches of 32
    bases or more, on either strand, become N, and the run counts them. Give every dataset on which you will fine-tune or
    test."""

    @property
    def joins_data(self) -> bool:
        """Whether it reads, or is to serve, more than one dataset."""
        return bool(self.more_data or self.held_out)

    @model_validator(mode="after")
    def _check_splits(self) -> Self:
        if self.joins_data and set(self.splits) != {"train"}:
            raise ValueError(
                f"splits {', '.join(self.splits)}: with more_data or held_out only train is read; leave splits out"
            )
        return self


class FinetuneConfig(TrainingConfig):
    """Fine-tuning of an encoder with a task head, or training both from scratch."""

    data: Path
    """Dataset folder, made by 'dnaspt prepare'."""
    out: Path
    """Run folder to write."""
    encoder: Path | None = None
    """Pretrained encoder: a run or checkpoint of 'dnaspt pretrain', or BEND's ConvNet. Left out, training starts from scratch."""
    preset: Preset | Literal["onehot", "basset"] = "small"
    """Size of an encoder from scratch: tiny, small, base or paper, as for pretraining; or a baseline of BEND: onehot (a CNN on
    the one-hot code) or basset (windows). A gene model without an encoder reads letters unless a size is given, whose weights
    are then random. Take the size of the pretrained encoder that is compared with it."""
    embeddings: str = ""
    """Published DNA language model, frozen, instead of an encoder: a folder, or a name on the Hugging Face hub. Give it to
    compare with other models."""
    revision: str = ""
    """Commit of the model on the hub. Give it so that others get the same model, and where it brings code of its own."""
    head: HeadName = "auto"
    """Task head: gene-model (whole genes from sensors, lengths and site scores; estimated, not trained), crf (legal order of nine
    classes), softmax (each base alone), crf-unconstrained (the published CRF), sigmoid (windows and bins), or for numbers mse
    (squared error of z-scores) or poisson (counts); auto takes gene-model for genes, but crf for those of BEND and where the stop
    codon is no part of the CDS, and mse for numbers. Change it to compare heads."""
    network: Path | None = None
    """Fine-tuned network on top of a gene-model: a run with head crf or softmax on the same dataset and fold, whose scores of the
    nine classes are added with a weight that is chosen on valid. The checkpoint holds both. Give it where
    you have measured on your genes that it helps."""
    teacher: Path | None = None
    """Fine-tuned model, such as an ensemble, whose probabilities are learned instead of the labels of train (which still choose
    the checkpoint, on valid). For labels of windows. Give it to have one network that predicts nearly as well as several."""
    genetic_code: int | None = None
    """Number of the genetic code at NCBI (1, 4, 6, 10 or 12) by which a gene-model reads and predicts genes; left out, that
    of the dataset. Give it where the dataset does not know its code."""
    start_codons: tuple[str, ...] = ()
    """Codons that a gene of a gene-model may begin with; left out, ATG. Give ATG, too, and add CTG, GTG or TTG where annotated
    genes begin so."""
    freeze_encoder: bool = False
    """Train the head alone. Switch it on where labels are very few, or to see what pretraining has learned by itself."""
    encoder_rate: float = Field(1.0, gt=0, le=1)
    """Learning rate of the encoder as a share of the head's; 'dnaspt finetune' takes 0.1 for windows. Lower it where fine-tuning
    destroys what was pretrained."""
    crf_rate: float = Field(10.0, gt=0, le=1_000_000)
    """Learning rate of the CRF's transition scores as a multiple of the head's: they start at 0 and have to reach about -7.
    Rarely changed."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: rare classes or labels weigh more in a softmax or sigmoid head. Try it where a rare one is never predicted."""
    positive_weight: float = Field(0.0, ge=0, le=1_000_000)
    """Weight of true labels in a sigmoid head; 0 leaves it to `class_weights`. Raise it where few windows have the label."""
    pool: Literal["mean", "normalized"] = "mean"
    """How the vectors of a window are pooled: mean (as BEND does), or normalized: the mean is batch-normalized, and each label
    begins at its frequency. 'dnaspt finetune' takes normalized for windows, if a batch has 16 of them and one process trains."""
    composition: bool = False
    """Add what the k-mers of a window say of its labels (logistic regression on 4-mers and Markov chains, estimated in seconds),
    with a share of the log-odds that is fitted on valid and held near 0.75. For labels of windows; 'dnaspt finetune' does so
    for up to 32 of them."""
    average_strands: Literal["auto", "always", "never"] = "auto"
    """Whether the model of windows predicts the mean of both strands by default. auto: where that has the better score on valid;
    prediction then takes twice as long. Say never where the strand of the windows matters."""
    label_fraction: float = Field(1.0, gt=0, le=1)
    """Share of the train split to learn from: of its windows; of genes, stretches of about 10 kb with whole genes. Lower it to
    see what fewer labels would give."""
    choose_by: Literal["auto", "mcc", "exon_f1", "gene_f1"] = "auto"
    """Score on valid by which the best checkpoint is chosen, and by which `patience` counts. auto: MCC for genes, AUROC or AUPRC
    for windows. exon_f1, gene_f1: F1 of exons or genes, as `predict` writes them. Say exon_f1 where whole exons matter more than
    single bases; it is 0 until the first exons are right, so let `patience` wait for them."""
    epochs: float = Field(16.0, gt=0, le=_MOST_EPOCHS)
    """Passes over the training data. Raise it while the score on valid still grows at the end of a run."""


class EnsembleConfig(Settings):
    """Several fine-tuned models as one."""

    data: Path
    """Dataset folder on which they were fine-tuned."""
    out: Path
    """Run folder to write."""
    runs: tuple[Path, ...] = Field(min_length=1)
    """Runs of 'dnaspt finetune' with one kind of head: other seeds, other encoders, from scratch and pretrained. Two good ones
    that differ help more than many that are alike. A single one makes sense with a composition."""
    weights: Literal["equal", "valid"] = "equal"
    """Weights of the models. equal: the mean of their log-odds (windows) or emissions (genes). valid: those by which the labels
    of valid are most probable, for windows. Say valid where models are unlike and valid has hundreds of windows with a label."""
    composition: bool = False
    """Add what the k-mers of a window say, as the setting of fine-tuning does. For labels of windows."""
    fold: int = Field(0, ge=0, le=MOST_FOLDS)
    """Fold of the dataset for which they were trained, from 1; 0: the splits of the whole dataset."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to compute: auto takes a GPU where there is one."""


OF_GRADIENTS = frozenset(
    {
        *TrainingConfig.model_fields,
        *(
            "encoder_rate",
            "crf_rate",
            "class_weights",
            "positive_weight",
            "pool",
            "choose_by",
            "composition",
            "teacher",
        ),
    }
    - {"seed", "fold", "accelerator", "precision"}
)
"""Settings of fine-tuning that have no effect on a gene model: nothing of it is trained by gradients."""

Config = TypeVar("Config", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of settings.

    Raises:
        ConfigError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error


def build_config(kind: type[Config], options: Mapping[str, Any], toml: Path | None = None) -> Config:
    """Build checked settings from options or keywords, and a TOML file.

    Args:
        kind: the settings to build.
        options: values by name; they win over the file. None means not given; what has a path (a run) is taken for it.
        toml: file of settings.

    Raises:
        ConfigError: no such file, not TOML, a name that no setting has (with the nearest one), or a bad value.
    """
    values = {} if toml is None else read_toml(toml)
    source = toml or "options"
    for where, names in ((source, values), ("options", options)):
        for name in names:
            if name not in kind.model_fields:
                raise ConfigError(f"{where}: no setting is called {name!r}; {_nearest(name, kind.model_fields)}")
    values |= {name: _plain_path(value) for name, value in options.items() if value is not None}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_fault(kind, error)}") from error


def _plain_path(value: Any) -> Any:
    """The path of what has one, such as a run; everything else as it is."""
    return Path(value) if isinstance(value, os.PathLike) else value


def _nearest(name: str, known: Iterable[str]) -> str:
    """Words that offer the setting whose name is nearest, or all settings."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"


def _first_fault(kind: type[Settings], error: ValidationError) -> str:
    """The first thing that is wrong; settings that contradict each other say so themselves, without a value."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    if first["type"] == "missing":
        return f"{where} is missing; give --{where.replace('_', '-')}, or set it in a file given with --config"
    if first["type"] == "extra_forbidden":
        inner = _settings_at(kind, first["loc"][:-1])
        hint = _nearest(str(first["loc"][-1]), inner.model_fields) if inner else "check its name"
        return f"no setting is called {where!r}; {hint}"
    return f"{where} = {_short(first['input'])}: {first['msg']}"


def _short(value: Any) -> str:
    """A value as an error shows it, on one line."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**80 else "a number of more than 80 digits"
    return text if len(text) <= 100 else f"{text[:100]}..."


def _settings_at(kind: type[Settings], place: Sequence[str | int]) -> type[Settings] | None:
    """The settings within settings that a place such as ("encoder",) or ("arms", 0) leads to; None where it leads to none."""
    for name in place:
        if isinstance(name, int):
            continue  # an item of a list of settings
        if name not in kind.model_fields:
            return None
        inner = _settings_in(kind.model_fields[name].annotation)
        if inner is None:
            return None
        kind = inner
    return kind


def _settings_in(annotation: Any) -> type[Settings] | None:
    """The kind of settings that an annotation such as `EncoderConfig | None` or `tuple[Arm, ...]` names."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next((inner for part in get_args(annotation) if (inner := _settings_in(part))), None)
