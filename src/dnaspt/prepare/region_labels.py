"""Region files and a file of names to the labels of a dataset: which name belongs to which file or index."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnaspt.data.manifest import SPLITS
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions
from dnaspt.genome.columns import read_lines
from dnaspt.genome.text_files import unpacked_name
from dnaspt.prepare.windows import LABEL_NAME, unfit_names

log = logging.getLogger(__name__)


def peak_labels(files: Sequence[Path], labels_file: Path | None) -> tuple[tuple[str, ...], list[int]]:
    """Names of the labels of peak files.

    Args:
        files: one file per label.
        labels_file: names, one per line; None takes the files' names without suffix.

    Returns:
        The names, and for each the index of its file.

    Raises:
        ConfigError: two files give the same name, or one a name that no label can have.
        InputError: the names in `labels_file` do not fit the files.
    """
    stems = tuple(_stem(path) for path in files)
    in_order = list(range(len(stems)))
    if labels_file is None:
        if repeated := [stem for stem, number in Counter(stems).items() if number > 1]:
            raise ConfigError(f"two region files are named {repeated[0]!r}; rename one, or give labels_file")
        if unfit := unfit_names(stems):
            raise ConfigError(
                f"a region file is named {unfit[0]!r}; expected {LABEL_NAME}; rename it, or give labels_file"
            )
        return stems, in_order
    names = _read_names(labels_file)
    if set(names) == set(stems) and len(names) == len(stems):
        return names, [stems.index(name) for name in names]
    if len(names) != len(stems) or set(names) & set(stems):
        found = f"{len(names)} names ({names[0]}, ...) for {len(stems)} region files ({stems[0]}, ...)"
        raise InputError(labels_file, found, expected="the files' stems, or one name for each file in order")
    return names, in_order


def row_labels(
    labeled: LabeledRegions, labels_file: Path | None, n_labels: int | None = None
) -> tuple[LabeledRegions, tuple[str, ...]]:
    """Names of the labels of a table whose rows have label indices.

    If every row says 0 or 1 and no second name is given, these are no and yes for a single label, not two indices. Rows without a
    label among them are refused: they may be unknown, or have none of two labels.

    Args:
        labeled: the table.
        labels_file: names, one per line; None names them label_0, label_1, ...
        n_labels: smallest number of labels, where there is no `labels_file`.

    Returns:
        The table, with a yes as index 0 where it says no and yes, and the names.

    Raises:
        InputError: no row has a label, one has none where the others say no or yes, or one has an index without a name.
    """
    if not labeled.n_labels():
        found = "no row has a label"
        raise InputError(
            labeled.regions.path, found, expected="a column 'label' with indices: 0, 1, ... or several: 0,2"
        )
    names = None if labels_file is None else _read_names(labels_file)
    n_known = len(names) if names else n_labels or 1
    if n_known == 1 and labeled.is_binary():
        log.warning("%s: column 'label' holds 0 and 1 alone: read as no and yes", labeled.regions.path)
        return labeled.with_one_label(), names or ("label",)
    if n_known == 1 and (row := labeled.first_without_label()) is not None:
        found = "no label in this row, though others have 0 or 1"
        do = "leave out rows whose label is not known; if 0 and 1 number two labels, say n_labels = 2 (in a file for --config)"
        raise InputError(labeled.regions.path, found, do=do, line=int(labeled.regions.line[row]))
    if names is None:
        return labeled, tuple(f"label_{index}" for index in range(max(n_known, labeled.n_labels())))
    if labeled.n_labels() > len(names):
        at = int(np.argmax(labeled.indices >= len(names)))
        row = int(np.searchsorted(labeled.offsets, at, side="right")) - 1
        expected = f"an index below {len(names)}, the number of names in {labels_file}"
        line = int(labeled.regions.line[row])
        raise InputError(labeled.regions.path, f"label {labeled.indices[at]}", expected=expected, line=line)
    return labeled, names


def row_splits(labeled: LabeledRegions) -> np.ndarray | None:
    """Split of each row of a table as an index into `SPLITS` (n,) int8, or None where it has no split column.

    Raises:
        InputError: a split is not train, valid or test.
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
    """Names of labels from a text file, one per line."""
    names = [line.strip() for _, line in read_lines(path) if line.strip()]
    if not names:
        raise InputError(path, "no label", expected="one name a line")
    if len(set(names)) < len(names):
        raise InputError(path, "a label that stands here twice", expected="one name a line")
    if unfit := unfit_names(names):
        raise InputError(path, f"label {unfit[0]!r}", expected=LABEL_NAME)
    return tuple(names)


def _stem(path: Path) -> str:
    """Name of a file without its suffix: peaks of peaks.bed.gz."""
    name = unpacked_name(path)
    return name.rsplit(".", 1)[0] or name
