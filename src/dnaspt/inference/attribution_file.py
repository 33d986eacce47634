"""Attributions of windows in memory, as npz files that modisco-lite reads, and as a bigWig of contributions.

NAME.npz has the hypothetical attributions as its array arr_0, and all else that there is to say of them; NAME.onehot.npz has the
letters as its array arr_0. `modisco motifs -s NAME.onehot.npz -a NAME.npz` takes the two.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnaspt import __version__
from dnaspt.atomic import atomic_file
from dnaspt.errors import InputError, refuse_full_disk
from dnaspt.genome.bigwig import write_bigwig

VERSION = 2
"""Of the format of the npz file."""
_ARRAYS = ("arr_0", "onehot", "names", "chrom", "start", "end", "strand", "predicted", "about")


@dataclass(frozen=True, slots=True, eq=False)
class Attributions:
    """Attributions of n windows, of L bases at most.

    Attributes:
        names: name of each window (n,).
        chrom: contig, or name of the sequence (n,).
        start: 0-based starts (n,) int64.
        end: half-open ends (n,) int64.
        strand: the strand whose letters these are: "+", "-", or "." where it is not known (n,).
        letters: one-hot A, C, G, T (n, 4, L) uint8; 0 for N and behind the end of a shorter window.
        scores: hypothetical attributions (n, 4, L) float32, in the unit of `predicted`; 0 behind the end of a shorter window.
        predicted: what the model predicts of each window (n,) float32: log-odds of the label, in nats; or its number.
        label: the label that is explained.
        method: ism, gradient or deeplift.
        average_strands: whether the mean of both strands was explained.
        weights: sha256 of the weights of the model.
        data_digest: digest of the dataset whose windows they are; empty for other sources.
        is_number: whether the label is a number (regression); all values are then in its unit, else in nats.
    """

    names: np.ndarray
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    letters: np.ndarray
    scores: np.ndarray
    predicted: np.ndarray
    label: str
    method: str
    average_strands: bool
    weights: str
    data_digest: str = ""
    is_number: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def quantity(self) -> str:
        """What is explained, in words: log-odds, or the predicted number."""
        return "predicted number" if self.is_number else "log-odds"

    @property
    def unit(self) -> str:
        """Of all values: nats, or that of the label."""
        return "in the unit of the label" if self.is_number else "in nats"

    @property
    def contributions(self) -> np.ndarray:
        """Attributions of the letters that stand there (n, L) float32; 0 for N."""
        return np.asarray((self.scores * self.letters).sum(axis=1, dtype=np.float32))


def onehot_file(out: Path) -> Path:
    """The file of letters beside one of attributions: NAME.onehot.npz."""
    return out.with_name(f"{out.stem}.onehot.npz")


def write_attributions(out: Path, found: Attributions) -> tuple[Path, Path]:
    """Write NAME.npz and NAME.onehot.npz; each appears whole or not at all.

    Returns:
        The two files.

    Raises:
        NoSpaceError: the disk is full.
    """
    about = {
        "version": VERSION,
        "dnaspt": __version__,
        "label": found.label,
        "is_number": found.is_number,
        "method": found.method,
        "average_strands": found.average_strands,
        "weights": found.weights,
        "data_digest": found.data_digest,
    }
    arrays = {
        "arr_0": found.scores,
        "onehot": found.letters,
        "names": found.names.astype(np.str_),
        "chrom": found.chrom.astype(np.str_),
        "start": found.start,
        "end": found.end,
        "strand": found.strand.astype(np.str_),
        "predicted": found.predicted,
        "about": np.array(json.dumps(about)),
    }
    letters = onehot_file(out)
    for file, content in ((letters, {"arr_0": found.letters}), (out, arrays)):
        try:
            with atomic_file(file) as unfinished, unfinished.open("wb") as stream:
                np.savez_compressed(stream, **content)  # type: ignore[arg-type]
        except OSError as error:
            refuse_full_disk(file, error)
            raise
    return out, letters


def read_attributions(path: Path) -> Attributions:
    """Read NAME.npz as `write_attributions` writes it.

    Raises:
        InputError: not such a file, or one of a later version.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["version"] != VERSION:
                do = "update dnaspt" if about["version"] > VERSION else "run 'dnaspt explain' again"
                raise InputError(path, f"is of version {about['version']}", expected=f"{VERSION}", do=do)
            arrays = {name: file[name] for name in _ARRAYS}
        scores, letters = arrays["arr_0"], arrays["onehot"]
        n = len(arrays["names"])
        if scores.shape != letters.shape or scores.ndim != 3 or scores.shape[:2] != (n, 4):
            raise ValueError
        return Attributions(
            names=arrays["names"],
            chrom=arrays["chrom"],
            start=arrays["start"],
            end=arrays["end"],
            strand=arrays["strand"],
            letters=letters,
            scores=scores,
            predicted=arrays["predicted"],
            label=str(about["label"]),
            is_number=bool(about["is_number"]),
            method=str(about["method"]),
            average_strands=bool(about["average_strands"]),
            weights=str(about["weights"]),
            data_digest=str(about["data_digest"]),
        )
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(path, "no attributions", expected="a file that 'dnaspt explain' wrote") from error


def write_contributions(out: Path, found: Attributions, lengths: Sequence[tuple[str, int]]) -> int:
    """Write the contributions as a bigWig: the mean over windows where several share a base; N has no value.

    Args:
        out: the file; it appears whole or not at all.
        found: attributions of windows of a genome, on its forward strand.
        lengths: all contigs and their lengths in bp, in the order of the genome.

    Returns:
        How many bases lie in more than one window.

    Raises:
        InputError: it cannot be written, or all letters are N. NoSpaceError: the disk is full.
    """
    n_shared = 0

    def blocks() -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
        nonlocal n_shared
        contributions, is_letter = found.contributions, found.letters.sum(axis=1) > 0
        for name, _ in lengths:
            rows = np.flatnonzero(found.chrom == name)
            row, offset = np.nonzero(is_letter[rows])
            positions, inverse, counts = np.unique(
                found.start[rows][row] + offset, return_inverse=True, return_counts=True
            )
            sums = np.bincount(inverse, weights=contributions[rows][row, offset], minlength=len(positions))
            n_shared += int((counts > 1).sum())
            yield name, positions, positions + 1, sums / np.maximum(counts, 1)

    write_bigwig(out, lengths, blocks())
    return n_shared
