"""BEND's precomputed one-hot sequences (WebDataset tars of input.npy and output.npy) to windows.

Samples carry no coordinates: each is a contig of its own, named after its file. BEND orders letters A C G N T.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnaspt.bend.labels import valid_labels
from dnaspt.data.dataset import Window
from dnaspt.data.manifest import SPLITS
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING

_CODES = np.array([alphabet.A, alphabet.C, alphabet.G, alphabet.N, alphabet.T], dtype=np.uint8)
"""Our codes in BEND's order of letters."""
_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_INPUT, _OUTPUT = "input.npy", "output.npy"
_MAX_BYTES = 1 << 30
"""Largest size of one array."""


@dataclass(frozen=True, slots=True)
class TarLabels:
    """What the output of a sample holds.

    Attributes:
        n_labels: classes of a base, or labels of a window or bin.
        per_base: whether each base has a class.
        bin_bp: length of a bin in bp; 0 where labels are of the whole window.
    """

    n_labels: int
    per_base: bool = False
    bin_bp: int = 0

    @property
    def n_classes(self) -> int:
        """Values that a label can take: classes of a base, or 2 for a label that is true or not."""
        return self.n_labels if self.per_base else 2

    def count(self, n_bp: int) -> int:
        """Labels of a sequence of n_bp bases."""
        if self.per_base:
            return n_bp
        return n_bp // self.bin_bp if self.bin_bp else self.n_labels


def part_files(folder: Path) -> dict[str, list[Path]]:
    """The tars of each part of a cross-validation, part1_0.tar.gz and so on.

    Raises:
        InputError: no folder, or fewer than three parts.
    """
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("part*")):
        if file.name.endswith(_SUFFIXES):
            files.setdefault(file.name.split(".")[0].split("_")[0], []).append(file)
    if len(files) < 3:
        found = f"tars of {len(files)} parts" if folder.is_dir() else "no such folder"
        raise InputError(folder, found, expected="part1*.tar.gz, part2*.tar.gz, ... of BEND")
    return files


def split_files(folder: Path) -> dict[str, list[Path]]:
    """The tars of each split, by the beginning of their names, sorted.

    Raises:
        InputError: no folder, or a split that training needs has none.
    """
    files = {
        split: sorted(file for file in folder.glob(f"{split}*") if file.name.endswith(_SUFFIXES)) for split in SPLITS
    }
    if missing := [split for split in ("train", "valid") if not files[split]]:
        found = f"no tar of the {missing[0]} split" if folder.is_dir() else "no such folder"
        raise InputError(folder, found, expected="train*.tar.gz, valid*.tar.gz, test*.tar.gz of BEND")
    return files


def read_tar(path: Path, expected: TarLabels) -> Iterator[Window]:
    """Read the samples of a tar, in order.

    Args:
        path: tar, plain or gzip.
        expected: what the output of a sample holds.

    Raises:
        InputError: no tar, truncated, a sample without one of the arrays, or arrays that do not fit.
    """
    stem = path.name.split(".")[0]
    arrays: dict[str, np.ndarray] = {}
    sample = ""
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                name, _, kind = member.name.rpartition("/")[2].partition(".")
                if not member.isfile() or kind not in (_INPUT, _OUTPUT):
                    continue
                if name != sample and arrays:
                    raise _half_sample(path, sample, arrays)
                sample = name
                arrays[kind] = _read_array(path, tar, member)
                if len(arrays) == 2:
                    yield _window(path, f"{stem}:{sample}", arrays, expected)
                    arrays, sample = {}, ""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            path, f"no whole tar ({error})", expected="a WebDataset tar of BEND", do="download it again"
        ) from error
    if arrays:
        raise _half_sample(path, sample, arrays)


def _half_sample(path: Path, sample: str, arrays: dict[str, np.ndarray]) -> InputError:
    found = f"sample {sample!r} has only {next(iter(arrays))}"
    return InputError(path, found, expected=f"{_INPUT} and {_OUTPUT}")


def _read_array(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> np.ndarray:
    """The array of a member; objects, which could run code, are refused."""
    content = tar.extractfile(member)
    if content is None or member.size > _MAX_BYTES:
        raise InputError(path, f"{member.name} of {member.size:,} bytes", expected=f"at most {_MAX_BYTES:,}")
    try:
        return np.asarray(np.load(io.BytesIO(content.read()), allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise InputError(path, f"{member.name} is no array ({error})", expected=".npy without objects") from error


def _window(path: Path, name: str, arrays: dict[str, np.ndarray], expected: TarLabels) -> Window:
    codes = _codes(path, name, arrays[_INPUT])
    labels = arrays[_OUTPUT].squeeze()
    labels = labels[None] if labels.ndim == 0 else labels
    n_labels = expected.count(len(codes))
    if labels.shape != (n_labels,):
        raise InputError(path, f"{name}: {_OUTPUT} is {arrays[_OUTPUT].shape}", expected=f"{n_labels:,} labels")
    is_valid = valid_labels(labels, expected.n_classes)
    if not is_valid.all():
        found = f"{name}: {_OUTPUT} has {labels[~is_valid][0]}"
        raise InputError(path, found, expected=f"0 to {expected.n_classes - 1}, or {MISSING}")
    return Window(name, 0, len(codes), ".", codes, labels.astype(np.int8))


def _codes(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """Codes (L,) of numbers of letters (L,), or of a one-hot code (L, 5), with or without a first axis of 1."""
    letters = array[0] if array.ndim > 1 and array.shape[0] == 1 else array
    if letters.ndim == 2 and letters.shape[1] == len(_CODES) and (letters.sum(axis=1) == 1).all():
        letters = letters.argmax(axis=1)
    if letters.ndim != 1 or not len(letters) or not np.isin(letters, range(len(_CODES))).all():
        expected = "0 to 4 (A C G N T), or one-hot (L, 5)"
        raise InputError(path, f"{name}: {_INPUT} is {array.dtype} {array.shape}", expected=expected)
    return _CODES[letters.astype(np.int64)]
