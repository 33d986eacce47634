"""BEND's precomputed one-hot sequences (WebDataset tars of input.npy and output.npy) to windows.

Samples carry no coordinates: each is a contig of its own, named after its file. Letters are in BEND's order A C G N T.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dnaspt.data.dataset import Window
from dnaspt.data.manifest import SPLITS
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.tasks import MISSING

_CODES = np.array([alphabet.A, alphabet.C, alphabet.G, alphabet.N, alphabet.T], dtype=np.uint8)
_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_MAX_BYTES = 1 << 30
"""Of one array."""


def part_files(folder: Path) -> dict[str, list[Path]]:
    """The tars of each part of a cross-validation, part1_0.tar.gz and so on.

    Raises:
        InputError: no folder, or fewer than three parts.
    """
    parts: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("part*")):
        if file.name.endswith(_SUFFIXES):
            parts.setdefault(file.name.split(".")[0].split("_")[0], []).append(file)
    if len(parts) < 3:
        what = f"tars of {len(parts)} parts" if folder.is_dir() else "no such folder"
        raise InputError(folder, what, expected="part1*.tar.gz, part2*.tar.gz, ... of BEND")
    return parts


def tar_files(folder: Path) -> dict[str, list[Path]]:
    """The tars of each split, by the beginning of their names, sorted.

    Raises:
        InputError: no folder, or a split that training needs has none.
    """
    files = {
        split: sorted(file for file in folder.glob(f"{split}*") if file.name.endswith(_SUFFIXES)) for split in SPLITS
    }
    if missing := [split for split in ("train", "valid") if not files[split]]:
        what = f"no tar of the {missing[0]} split" if folder.is_dir() else "no such folder"
        raise InputError(folder, what, expected="train*.tar.gz, valid*.tar.gz, test*.tar.gz of BEND")
    return files


def read_tar(path: Path, n_labels: int, *, per_base: bool, bin_bp: int) -> Iterator[Window]:
    """The samples of a tar, in order.

    Args:
        path: tar, plain or gzip.
        n_labels: classes of a base, or labels of a window or bin.
        per_base: each base has a class.
        bin_bp: bases of a bin; 0 where labels are of the window.

    Raises:
        InputError: no tar, truncated, a sample without one of the arrays, or arrays that do not fit.
    """
    stem = path.name.split(".")[0]
    sample: dict[str, np.ndarray] = {}
    key = ""
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                name, _, kind = member.name.rpartition("/")[2].partition(".")
                if kind not in ("input.npy", "output.npy"):
                    continue
                if name != key and sample:
                    raise InputError(
                        path, f"sample {key!r} has only {next(iter(sample))}", expected="input.npy and output.npy"
                    )
                key = name
                sample[kind] = _array(path, tar, member)
                if len(sample) == 2:
                    yield _window(path, f"{stem}:{key}", sample, n_labels, per_base=per_base, bin_bp=bin_bp)
                    sample, key = {}, ""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            path, f"no whole tar ({error})", expected="a WebDataset tar of BEND", do="download it again"
        ) from error
    if sample:
        raise InputError(path, f"sample {key!r} has only {next(iter(sample))}", expected="input.npy and output.npy")


def _array(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> np.ndarray:
    content = tar.extractfile(member)
    if content is None or member.size > _MAX_BYTES:
        raise InputError(path, f"{member.name} of {member.size:,} bytes", expected=f"at most {_MAX_BYTES:,}")
    try:
        return np.asarray(np.load(io.BytesIO(content.read()), allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise InputError(path, f"{member.name} is no array ({error})", expected=".npy without objects") from error


def _window(
    path: Path, name: str, sample: dict[str, np.ndarray], n_labels: int, *, per_base: bool, bin_bp: int
) -> Window:
    codes = _codes(path, name, sample["input.npy"])
    labels = sample["output.npy"].squeeze()
    labels = labels[None] if labels.ndim == 0 else labels
    n_wanted = len(codes) if per_base else len(codes) // bin_bp if bin_bp else n_labels
    n_classes = n_labels if per_base else 2
    if labels.shape != (n_wanted,):
        raise InputError(path, f"{name}: output.npy is {sample['output.npy'].shape}", expected=f"{n_wanted:,} labels")
    sound = (labels == MISSING) | ((labels >= 0) & (labels < n_classes) & (labels == np.floor(labels)))
    if not sound.all():
        found = f"{name}: output.npy has {labels[~sound][0]}"
        raise InputError(path, found, expected=f"0 to {n_classes - 1}, or {MISSING}")
    return Window(name, 0, len(codes), ".", codes, labels.astype(np.int8))


def _codes(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """Codes of integers (L,), or of a one-hot code (L, 5), with or without a first axis of 1."""
    values = array[0] if array.ndim > 1 and array.shape[0] == 1 else array
    if values.ndim == 2 and values.shape[1] == len(_CODES) and (values.sum(axis=1) == 1).all():
        values = values.argmax(axis=1)
    if values.ndim != 1 or not len(values) or not np.isin(values, range(len(_CODES))).all():
        expected = "0 to 4 (A C G N T), or one-hot (L, 5)"
        raise InputError(path, f"{name}: input.npy is {array.dtype} {array.shape}", expected=expected)
    return _CODES[values.astype(np.int64)]
