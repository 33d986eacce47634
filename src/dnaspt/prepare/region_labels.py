"""Region files and a list of names to the labels of a dataset: which name stands for which file or index."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnaspt.data.manifest import SPLITS
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions
from dnaspt.genome.columns import read_lines

log = logging.getLogger(__name__)

_COLUMNS = ("chrom", "start", "end")
"""Columns beside the labels in predictions."""


def row_splits(labeled: LabeledRegions) -> np.ndarray | None:
    """Index in `SPLITS` of each row (n,) int8, or None where the table has no split column.

    Raises:
        InputError: a split is none of train, valid and test.
    """
    if labeled.split is None:
        return None
    indices = np.full(len(labeled.split), -1, dtype=np.int8)
    for index, name in enumerate(SPLITS):
        indices[labeled.split == name] = index
    if (indices < 0).any():
        row = int(np.argmax(indices < 0))
        found, line = f"split {labeled.split[row]!r}", int(labeled.regions.line[row])
        raise InputError(labeled.regions.path, found, expected="train, valid or test", line=line)
    return indices


def _read_names(path: Path) -> tuple[str, ...]:
    names = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not names or len(set(names)) < len(names):
        raise InputError(
            path, "no label" if not names else "a label that stands here twice", expected="one name a line"
        )
    if unfit := [name for name in names if "/" in name or name in _COLUMNS]:
        raise InputError(
            path, f"label {unfit[0]!r}", expected="a name that can stand in a file's name and is no column's"
        )
    return tuple(names)


def row_labels(
    labeled: LabeledRegions, labels_file: Path | None, n_labels: int | None = None
) -> tuple[LabeledRegions, tuple[str, ...]]:
    """The table and the names of its labels: those of the file, or label_0, label_1, ..., at least `n_labels` of them.

    Where each row says 0 or 1 and no second name is given, that is no and yes for a single label, and not two indices.

    Raises:
        InputError: a row has an index beyond the names.
    """
    names = None if labels_file is None else _read_names(labels_file)
    n_known = len(names) if names else n_labels or 1
    if n_known == 1 and labeled.says_yes_or_no():
        log.warning("%s: column 'label' holds 0 and 1 alone: read as no and yes", labeled.regions.path)
        return labeled.yes_as_index(), names or ("label",)
    if names is None:
        return labeled, tuple(f"label_{index}" for index in range(max(n_known, labeled.n_labels())))
    if labeled.n_labels() > len(names):
        at = int(np.argmax(labeled.indices >= len(names)))
        row = int(np.searchsorted(labeled.offsets, at, side="right")) - 1
        expected = f"an index below {len(names)}, the number of names in {labels_file}"
        line = int(labeled.regions.line[row])
        raise InputError(labeled.regions.path, f"label {labeled.indices[at]}", expected=expected, line=line)
    return labeled, names


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] or name


def peak_labels(files: Sequence[Path], labels_file: Path | None) -> tuple[tuple[str, ...], list[int]]:
    """Names of the labels, and for each the place of its file.

    Raises:
        ConfigError: two files give the same name.
        InputError: the names in `labels_file` do not fit the files.
    """
    stems = tuple(_stem(path) for path in files)
    if labels_file is None:
        if repeated := [stem for stem, count in Counter(stems).items() if count > 1]:
            raise ConfigError(f"two region files are named {repeated[0]!r}; rename one, or give labels_file")
        return stems, list(range(len(stems)))
    names = _read_names(labels_file)
    if set(names) == set(stems) and len(names) == len(stems):
        return names, [stems.index(name) for name in names]
    if len(names) != len(stems) or set(names) & set(stems):
        found = f"{len(names)} names ({names[0]}, ...) for {len(stems)} region files ({stems[0]}, ...)"
        raise InputError(labels_file, found, expected="the files' stems, or one name for each file in order")
    return names, list(range(len(stems)))
