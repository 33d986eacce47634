"""What SPTClassifier and SPTRegressor share: pretrain on the sequences, fine-tune on their labels, keep the model.

The sequences become a dataset of windows in a temporary folder, and the same functions train on it that the command line calls.
"""

import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from dnaspt.arguments import check_switches
from dnaspt.checkpoint import find_checkpoint
from dnaspt.config import MOST_SEED, Config, FinetuneConfig, PretrainConfig, build_config
from dnaspt.data.dataset import Window
from dnaspt.data.manifest import UNLABELED, Manifest
from dnaspt.errors import ConfigError
from dnaspt.inference.model import MAX_WINDOW_BP, load
from dnaspt.inference.sequences import Sequences, read_sequences
from dnaspt.prepare.writer import DatasetWriter
from dnaspt.training.finetune import finetune
from dnaspt.training.pretrain import pretrain
from dnaspt.training.recipe import LEAST_WINDOWS
from dnaspt.training.runs import Run

if TYPE_CHECKING:
    from dnaspt.inference.model import Model

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Targets:
    """Labels of n sequences, as a dataset holds them.

    Attributes:
        task: of the dataset: sequences, classes or values.
        names: of the K labels.
        labels: (n, K) int8, or float32 numbers.
        groups: number of the group of each sequence (n,): of each group a share chooses the checkpoint.
    """

    task: str
    names: tuple[str, ...]
    labels: np.ndarray
    groups: np.ndarray


class SPTEstimator(BaseEstimator):
    """Pretrains on the sequences it is given, fine-tunes on their labels, and keeps the model; see the classes made of it.

    Attributes:
        n_features_in_: 1, as scikit-learn counts a column of sequences.
    """

    def __init__(
        self,
        *,
        preset: str = "small",
        pretrain_epochs: float = 24.0,
        epochs: float = 16.0,
        learning_rate: float = 1e-3,
        pretrain_learning_rate: float = 2e-3,
        encoder: Any = None,
        unlabeled: Any = None,
        valid_fraction: float = 0.1,
        batch_bp: int = 16_384,
        pool: Literal["normalized", "mean"] = "normalized",
        average_strands: bool = True,
        accelerator: Literal["auto", "cpu", "gpu"] = "auto",
        random_state: "int | np.random.RandomState | None" = 0,
    ) -> None:
        self.preset = preset
        self.pretrain_epochs = pretrain_epochs
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.pretrain_learning_rate = pretrain_learning_rate
        self.encoder = encoder
        self.unlabeled = unlabeled
        self.valid_fraction = valid_fraction
        self.batch_bp = batch_bp
        self.pool = pool
        self.average_strands = average_strands
        self.accelerator = accelerator
        self.random_state = random_state

    def _train(self, codes: Sequence[np.ndarray], targets: Targets) -> dict[str, bytes]:
        """Pretrain on n sequences, and fine-tune on their labels.

        Returns:
            The files of the checkpoint that is best on valid, by name.

        Raises:
            ConfigError: a sequence is too long, or a setting is out of range.
            KeyboardInterrupt: a signal stopped the training.
        """
        if (longest_bp := max(map(len, codes))) > MAX_WINDOW_BP:
            raise ConfigError(
                f"a sequence has {longest_bp:,} bp; expected {MAX_WINDOW_BP:,} at most; cut it into windows"
            )
        self._check_settings()
        self._warn_of_idle_settings()
        seed = self._draw_seed()
        with tempfile.TemporaryDirectory(prefix="dnaspt-") as folder:
            data = Path(folder) / "data"
            # Both settings are checked before the pretraining, which may take hours.
            pretraining = self._pretraining(data, Path(folder) / "pretrained", seed)
            finetuning = self._finetuning(data, Path(folder) / "run", seed, pretraining, longest_bp)
            self._write(data, codes, targets, self._choose_valid(targets.groups, seed))
            if pretraining is not None:
                _finished(pretrain(pretraining))
            checkpoint = find_checkpoint(_finished(finetune(finetuning)).path)
            return {file.name: file.read_bytes() for file in checkpoint.iterdir() if file.is_file()}

    def _keep(self, checkpoint: dict[str, bytes]) -> None:
        """Take over a checkpoint; last, so that a model that was fitted before stays where `fit` fails."""
        self.checkpoint_, self.n_features_in_ = checkpoint, 1
        self.__dict__.pop("_model", None)

    def _check_settings(self) -> None:
        """Refuse what `build_config` does not see as it was given.

        Raises:
            ConfigError: names the setting.
        """
        for name, value in self.get_params(deep=False).items():
            if value is None and name not in ("encoder", "unlabeled", "random_state"):
                raise ConfigError(f"{name} is None; expected a value")
        if not _is_number(self.valid_fraction, Real) or not 0 < self.valid_fraction < 1:
            raise ConfigError(f"valid_fraction {self.valid_fraction!r}; expected more than 0 and less than 1")
        if not isinstance(self.random_state, np.random.RandomState | None) and (
            not _is_number(self.random_state, Integral) or not 0 <= self.random_state <= MOST_SEED
        ):
            raise ConfigError(f"random_state {self.random_state!r}; expected a whole number, 0 or more, or None")
        check_switches(average_strands=self.average_strands)
        if not _is_number(self.batch_bp, Integral):
            raise ConfigError(f"batch_bp {self.batch_bp!r}; expected a whole number")
        if self.encoder is not None and not isinstance(self.encoder, str | os.PathLike):
            raise ConfigError(f"encoder {self.encoder!r}; expected a run or checkpoint of 'dnaspt pretrain'")

    def _warn_of_idle_settings(self) -> None:
        """Say which settings have no effect beside the others."""
        defaults = type(self)().get_params()
        idle: tuple[str, ...] = ()
        if self.encoder is not None:
            idle = ("preset", "pretrain_epochs", "pretrain_learning_rate", "unlabeled")
        elif not self.pretrain_epochs:
            idle = ("pretrain_learning_rate", "unlabeled")
        for name in idle:
            if getattr(self, name) is not defaults[name] and getattr(self, name) != defaults[name]:
                log.warning("%s has no effect: nothing is pretrained here", name)

    def _draw_seed(self) -> int:
        """The seed of this fit: `random_state`, or one that it draws."""
        if _is_number(self.random_state, Integral):
            return int(self.random_state)  # type: ignore[arg-type]
        return int(check_random_state(self.random_state).randint(1 << 31))

    def _write(self, out: Path, codes: Sequence[np.ndarray], targets: Targets, is_valid: np.ndarray) -> None:
        """The sequences as a dataset of windows: each a contig of its own, with its labels."""
        with DatasetWriter(out) as writer:
            for number, (sequence, labels) in enumerate(zip(codes, targets.labels, strict=True)):
                window = Window(f"sequence{number + 1}", 0, len(sequence), "+", sequence, labels)
                writer.add("valid" if is_valid[number] else "train", window)
            if self.unlabeled is not None:
                no_labels = np.zeros(0, targets.labels.dtype)
                for number, more in enumerate(read_sequences(self.unlabeled)):
                    contig = f"unlabeled{number + 1}"
                    writer.add(UNLABELED, Window(contig, 0, len(more.codes), "+", more.codes, no_labels))
            writer.finish(
                Manifest(
                    task=targets.task,
                    labels=targets.names,
                    resolution_bp=0,
                    window_bp=max(map(len, codes)),
                    sources=(),
                    settings={"valid_fraction": self.valid_fraction},
                )
            )

    def _choose_valid(self, groups: np.ndarray, seed: int) -> np.ndarray:
        """Which sequences choose the checkpoint: a share of each group, one of each at least: (n,) bool."""
        generator = np.random.default_rng(seed)
        chosen = np.zeros(len(groups), dtype=bool)
        for number in range(groups.max() + 1):
            members = np.flatnonzero(groups == number)
            n_valid = min(len(members) - 1, max(1, round(self.valid_fraction * len(members))))
            chosen[generator.permutation(members)[:n_valid]] = True
        return chosen

    def _shared_settings(self, data: Path, out: Path, seed: int) -> dict[str, Any]:
        return {
            "data": data,
            "out": out,
            "seed": seed,
            "batch_bp": self.batch_bp,
            "accelerator": self.accelerator,
            "tensorboard": False,
        }

    def _pretraining(self, data: Path, out: Path, seed: int) -> PretrainConfig | None:
        """Settings of the pretraining; None where an encoder is given, or training starts from scratch."""
        if self.encoder is not None or not self.pretrain_epochs:
            return None
        settings = {
            "preset": self.preset,
            "epochs": self.pretrain_epochs,
            "learning_rate": self.pretrain_learning_rate,
        }
        return _build(PretrainConfig, self._shared_settings(data, out, seed) | settings, "pretraining")

    def _finetuning(
        self, data: Path, out: Path, seed: int, pretraining: PretrainConfig | None, longest_bp: int
    ) -> FinetuneConfig:
        """Settings of the fine-tuning."""
        encoder = self.encoder if pretraining is None else pretraining.out
        pool = self.pool
        if pool == "normalized" and self.batch_bp // longest_bp < LEAST_WINDOWS:
            log.warning(
                "a batch of %d bp holds fewer than %d sequences of %d bp: pool is 'mean'; give a larger batch_bp",
                *(self.batch_bp, LEAST_WINDOWS, longest_bp),
            )
            pool = "mean"
        settings = self._shared_settings(data, out, seed) | {
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "average_strands": "always" if self.average_strands else "never",
            "pool": pool,
        }
        settings |= {"preset": self.preset} if encoder is None else {"encoder": Path(encoder)}
        return _build(FinetuneConfig, settings, "fine-tuning")

    @property
    def model_(self) -> "Model":
        """The fine-tuned model, for embeddings and files of predictions."""
        check_is_fitted(self, "checkpoint_")
        if "_model" not in self.__dict__:
            with tempfile.TemporaryDirectory(prefix="dnaspt-") as folder:
                for name, content in self.checkpoint_.items():
                    (Path(folder) / name).write_bytes(content)
                self._model = load(Path(folder), accelerator=self.accelerator)
        return self._model

    def __getstate__(self) -> dict[str, Any]:
        """Settings and the checkpoint's bytes: a copy loads its own model."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_model"}

    def __sklearn_tags__(self) -> Any:
        """Sequences are text, not numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def codes_of(X: Sequences, y: np.ndarray) -> list[np.ndarray]:
    """Codes of n sequences.

    Raises:
        ConfigError: `y` has another number of labels, or there is none.
    """
    codes = [sequence.codes for sequence in read_sequences(X)]
    if len(codes) != len(y):
        raise ConfigError(f"X has {len(codes)} sequences, y {len(y)} labels; expected as many")
    if not codes:
        raise ConfigError("X is empty")
    return codes


def _is_number(value: Any, kind: type) -> bool:
    """Whether a value is a number of a kind; scikit-learn lets anything be set."""
    return isinstance(value, kind)


def _build(kind: type[Config], settings: dict[str, Any], step: str) -> Config:
    """Checked settings of a step.

    Raises:
        ConfigError: a bad value; names the step.
    """
    try:
        return build_config(kind, settings)
    except ConfigError as error:
        raise ConfigError(f"{step}: {str(error).removeprefix('options: ')}") from error


def _finished(run: Run) -> Run:
    """The run.

    Raises:
        KeyboardInterrupt: a signal stopped it. Its folder is a temporary one, so that it cannot be resumed.
    """
    if not run.finished:
        raise KeyboardInterrupt(f"fit was stopped by {run.stopped_by} at step {run.step}; nothing of it is kept")
    return run
