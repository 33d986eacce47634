"""Labeled sequences to a classifier with scikit-learn's interface: pretrain on the sequences, fine-tune on the labels."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from dnaspt.errors import ConfigError, InputError
from dnaspt.estimators.estimator import SPTEstimator, Targets, codes_of
from dnaspt.inference.sequences import Sequences

_TOO_FEW = 2
"""A class needs as many sequences: one to learn from, one to choose a checkpoint on."""


class SPTClassifier(ClassifierMixin, SPTEstimator):
    """A classifier of DNA sequences that pretrains on the sequences it is given (self-pretraining).

    `fit` sets a tenth of the sequences aside to choose checkpoints. It pretrains an encoder on the others without their labels,
    then fine-tunes it with the labels. More than two classes are learned by one softmax, as classes of `prepare_sequences`. It is
    the network alone: what `finetune` adds to models of windows by default (k-mers beside the network, a smaller rate for the
    encoder, averaged weights) is left out.

    Args:
        preset: size of the encoder: paper, base, small or tiny.
        pretrain_epochs: passes over the sequences before fine-tuning; 0 trains from scratch.
        epochs: passes over the labeled sequences in fine-tuning.
        learning_rate: peak learning rate of fine-tuning.
        pretrain_learning_rate: peak learning rate of pretraining.
        encoder: run or checkpoint of `dnaspt.pretrain` to begin from, instead of pretraining here.
        unlabeled: further sequences, without labels, to pretrain on.
        valid_fraction: share of each class that chooses the checkpoint.
        batch_bp: bases in a batch.
        pool: how the states of a sequence become one vector: normalized (learns faster) or mean.
        average_strands: predict the mean of both strands.
        accelerator: auto takes a GPU where there is one; cpu or gpu.
        random_state: seed of everything random, a whole number; the same seed gives the same model on the same machine. None
            (or a NumPy RandomState) draws another seed at each fit, as in scikit-learn.

    Attributes:
        classes_: the labels, sorted: (n_classes,).
        n_features_in_: 1, as scikit-learn counts a column of sequences.

    Example:
        >>> X = ["ACGCGCGTCGCG" * 4, "ATTATAAATTTA" * 4] * 16
        >>> y = ["island", "desert"] * 16
        >>> clf = dnaspt.SPTClassifier(preset="tiny", pretrain_epochs=1, epochs=2).fit(X, y)
        >>> clf.classes_.tolist()
        ['desert', 'island']
        >>> clf.predict_proba(X[:3]).shape
        (3, 2)
    """

    def fit(self, X: Sequences, y: Sequence[Any]) -> Self:
        """Pretrain on the sequences and fine-tune on their labels.

        Args:
            X: n sequences: strings, an array of strings, or an array of letters (n, L); lengths may differ.
            y: n labels, numbers or text.

        Raises:
            ConfigError: lengths of X and y differ, a label is missing (None or NaN), y mixes text and numbers, a class has fewer
                than two sequences, there is one class only, or a setting is out of range.
            KeyboardInterrupt: a signal stopped the training. A model that was fitted before stays as it was.
        """
        labels = _read_labels(y)
        codes = codes_of(X, labels)
        classes, numbers = np.unique(labels, return_inverse=True)
        counts = np.bincount(numbers)
        if len(classes) < 2:
            raise ConfigError(f"y has one class, {classes.tolist()[0]!r}; expected two or more")
        if counts.min() < _TOO_FEW:
            few = classes.tolist()[counts.argmin()]
            raise ConfigError(f"class {few!r} has {counts.min()} sequence; expected {_TOO_FEW} or more of each class")
        one_hot = np.eye(len(classes), dtype=np.int8)[numbers]
        if len(classes) > 2:
            targets = Targets("classes", tuple(map(str, classes)), one_hot, numbers)
        else:
            targets = Targets("sequences", (str(classes[1]),), one_hot[:, 1:], numbers)
        self._keep(self._train(codes, targets))
        self.classes_ = classes
        return self

    def predict_proba(self, X: Sequences) -> np.ndarray:
        """Probability of each class: (n, n_classes), in the order of `classes_`; rows sum to 1.

        Sequences of which more than half is N have NaN, and a warning counts them.
        """
        probabilities = np.asarray(self.model_.predict_proba(X, average_strands=self.average_strands))
        if len(self.classes_) == 2:
            return np.concatenate([1 - probabilities, probabilities], axis=1)
        return probabilities

    def predict(self, X: Sequences) -> np.ndarray:
        """The most probable class of each sequence: (n,).

        Raises:
            InputError: more than half of a sequence is N, so that it has no class; `predict_proba` gives NaN for it.
        """
        probabilities = self.predict_proba(X)
        missing = np.flatnonzero(np.isnan(probabilities).any(axis=1))
        if len(missing):
            n = f"{len(missing)} of {len(probabilities)}"
            found = f"{n} sequences are more than half N; the first is sequence {missing[0] + 1}"
            do = "leave them out, or call predict_proba, which gives NaN for them"
            raise InputError("X", found, expected="sequences that have a class", do=do)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])


def _read_labels(y: Any) -> np.ndarray:
    """Labels (n,) of one type.

    Raises:
        ConfigError: a missing label, or text among numbers.
    """
    # Of a list with text and NaN, or with text and numbers, NumPy would make text.
    values = np.asarray(y, dtype=object).ravel()
    is_masked = y.mask if isinstance(y, np.ma.MaskedArray) else False
    missing = np.flatnonzero(pd.isna(values) | np.ravel(is_masked))
    if len(missing):
        raise ConfigError(
            f"{len(missing)} of {len(values)} labels are missing, first label {missing[0] + 1}; leave these sequences out, "
            "or give them as unlabeled"
        )
    is_text = {isinstance(value, str | bytes) for value in values}
    if len(is_text) > 1:
        raise ConfigError("y mixes text and numbers; expected labels of one type")
    return np.asarray(y).ravel()
