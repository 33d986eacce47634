"""Sequences with numbers to a regressor with scikit-learn's interface: pretrain on the sequences, fine-tune on the numbers."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin

from dnaspt.errors import ConfigError
from dnaspt.estimators.estimator import SPTEstimator, Targets, codes_of
from dnaspt.inference.sequences import Sequences

_N_GROUPS = 5
"""Groups of sequences by their number: of each some choose the checkpoint, so that these cover the range."""
_TOO_FEW = 10
"""As many sequences are needed: two of each group."""
_MOST = 1e30
"""Largest number that can be learned: products of its square fit double precision."""


class SPTRegressor(RegressorMixin, SPTEstimator):
    """A regressor of DNA sequences that pretrains on the sequences it is given (self-pretraining).

    `fit` sets a tenth of the sequences aside to choose checkpoints. It pretrains an encoder on the others without their numbers,
    then fine-tunes it with the numbers, by squared error. Numbers are brought to mean 0 and standard deviation 1 for that; they
    are predicted as they were given. Of skewed numbers, such as counts of reads, give the logarithms; `dnaspt.finetune` can
    learn counts as such (head "poisson").

    Args:
        preset: size of the encoder: paper, base, small or tiny.
        pretrain_epochs: passes over the sequences before fine-tuning; 0 trains from scratch.
        epochs: passes over the labeled sequences in fine-tuning.
        learning_rate: peak learning rate of fine-tuning.
        pretrain_learning_rate: peak learning rate of pretraining.
        encoder: run or checkpoint of `dnaspt.pretrain` to begin from, instead of pretraining here.
        unlabeled: further sequences, without numbers, to pretrain on.
        valid_fraction: share of the sequences that chooses the checkpoint; they cover the range of the (first) number.
        batch_bp: bases in a batch.
        pool: how the states of a sequence become one vector: normalized (learns faster) or mean.
        average_strands: predict the mean of both strands.
        accelerator: auto takes a GPU where there is one; cpu or gpu.
        random_state: seed of everything random, a whole number; the same seed gives the same model on the same machine. None
            (or a NumPy RandomState) draws another seed at each fit, as in scikit-learn.

    Attributes:
        n_features_in_: 1, as scikit-learn counts a column of sequences.

    Example:
        >>> X = ["ACGCGCGTCGCG" * 4, "ATTATAAATTTA" * 4] * 16
        >>> y = [2.5, -1.0] * 16
        >>> reg = dnaspt.SPTRegressor(preset="tiny", pretrain_epochs=1, epochs=2).fit(X, y)
        >>> reg.predict(X[:3]).shape
        (3,)
    """

    def fit(self, X: Sequences, y: Any) -> Self:
        """Pretrain on the sequences and fine-tune on their numbers.

        Args:
            X: n sequences: strings, an array of strings, or an array of letters (n, L); lengths may differ.
            y: numbers (n,), or (n, K) for K numbers of each sequence, of which some, not all, may be missing (NaN).

        Raises:
            ConfigError: lengths of X and y differ, a sequence has no number, a number is infinite or above 1e30, there are fewer
                than ten sequences, no number takes two values, or a setting is out of range.
            DatasetError: the sequences that were set aside all have one number, so no checkpoint can be chosen.
            KeyboardInterrupt: a signal stopped the training. A model that was fitted before stays as it was.
        """
        numbers = _read_numbers(y)
        codes = codes_of(X, numbers)
        if len(codes) < _TOO_FEW:
            raise ConfigError(f"X has {len(codes)} sequences; expected {_TOO_FEW} or more")
        matrix = numbers.reshape(len(codes), -1)
        names = tuple(map(str, getattr(y, "columns", [f"y{k + 1}" for k in range(matrix.shape[1])])))
        if len(set(names)) < len(names):
            raise ConfigError(f"y has two columns of one name: {', '.join(names)}; rename one of them")
        groups = np.argsort(np.argsort(matrix[:, 0], kind="stable"), kind="stable") * _N_GROUPS // len(codes)
        self._keep(self._train(codes, Targets("values", names, matrix.astype(np.float32), groups)))
        self._is_flat = numbers.ndim == 1
        return self

    def predict(self, X: Sequences) -> np.ndarray:
        """The number of each sequence (n,), or its numbers (n, K), as `y` of `fit` had them: float32.

        Sequences of which more than half is N have NaN, and a warning counts them.
        """
        found = np.asarray(self.model_.predict(X, average_strands=self.average_strands), dtype=np.float32)
        return found[:, 0] if self._is_flat else found


def _read_numbers(y: Any) -> np.ndarray:
    """Numbers (n,) or (n, K) float64.

    Raises:
        ConfigError: text, a sequence without any number, a number that is too large, or no two different ones.
    """
    values = y.to_numpy(dtype=object) if isinstance(y, pd.Series | pd.DataFrame) else np.ma.asarray(y)
    if values.dtype.kind not in "biufO" or any(isinstance(own, str | bytes) for own in values.flat):
        raise ConfigError("y holds what is no number; expected numbers")
    try:
        known = np.where(np.ma.getmaskarray(values) | pd.isna(np.asarray(values)), np.nan, np.asarray(values))
        numbers = known.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"y holds what is no number ({error})") from error
    if numbers.ndim not in (1, 2) or (numbers.ndim == 2 and not numbers.shape[1]):
        raise ConfigError(f"y has shape {numbers.shape}; expected (n,) or (n, K)")
    if (too_large := np.abs(numbers) > _MOST).any():
        raise ConfigError(f"y holds {numbers[too_large][0]:g}; expected finite numbers, {_MOST:g} at most")
    rows = numbers.reshape(len(numbers), -1 if numbers.size else 1)
    missing = np.flatnonzero(np.isnan(rows).all(axis=1))
    if len(missing):
        raise ConfigError(
            f"{len(missing)} of {len(numbers)} sequences have no number, first sequence {missing[0] + 1}; leave them out, or "
            "give them as unlabeled"
        )
    if len(rows) and not any(len(np.unique(column[~np.isnan(column)].astype(np.float32))) > 1 for column in rows.T):
        raise ConfigError("y has no two numbers that differ in single precision; there is nothing to learn")
    return numbers
