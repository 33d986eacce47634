"""Region files and a list of names to the labels of a dataset: which name stands for which file or index."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnaspt.data.store import SPLITS
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions
from dnaspt.genome.columns import read_lines


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
    return tuple(names)


def row_labels(labeled: LabeledRegions, labels_file: Path | None) -> tuple[str, ...]:
    """Names of the labels of a table: those of the file, or label_0, label_1, ...

    Raises:
        InputError: a row has an index beyond the names.
    """
    if labels_file is None:
        return tuple(f"label_{index}" for index in range(max(1, labeled.n_labels())))
    names = _read_names(labels_file)
    if labeled.n_labels() > len(names):
        at = int(np.argmax(labeled.indices >= len(names)))
        row = int(np.searchsorted(labeled.offsets, at, side="right")) - 1
        expected = f"an index below {len(names)}, the number of names in {labels_file}"
        line = int(labeled.regions.line[row])
        raise InputError(labeled.regions.path, f"label {labeled.indices[at]}", expected=expected, line=line)
    return names


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
