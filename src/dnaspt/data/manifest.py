"""`manifest.json` of a dataset folder: its task and labels, its source files, and what was dropped and why."""

import hashlib
import json
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from dnaspt import __version__
from dnaspt.atomic import sha256_of_file
from dnaspt.errors import DatasetError
from dnaspt.tasks import TASKS

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
SPLITS = ("train", "valid", "test")
UNLABELED = "unlabeled"
"""Name of the split that holds extra sequence for pretraining."""
VARIANTS = "variants"
"""Name of the table beside the windows of a dataset of variants: chrom, pos (0-based), ref, alt of each row of the test split."""


class _Frozen(BaseModel):
    """Part of the manifest: it cannot be changed, and an unknown name in the file is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """A file, or a folder of files, that the dataset was made from."""

    path: str
    sha256: str
    n_bytes: int

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Read the file once and record its digest and size; of a folder those of all files in it, by name."""
        if not path.is_dir():
            return cls(path=str(path), sha256=sha256_of_file(path), n_bytes=path.stat().st_size)
        digest, n_bytes = hashlib.sha256(), 0
        for file in sorted(own for own in path.rglob("*") if own.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()} {sha256_of_file(file)}\n".encode())
            n_bytes += file.stat().st_size
        return cls(path=str(path), sha256=digest.hexdigest(), n_bytes=n_bytes)


class NumberSummary(_Frozen):
    """What the known values of a label are like: mean, standard deviation, smallest and largest one."""

    mean: FiniteFloat
    sd: FiniteFloat
    least: FiniteFloat
    most: FiniteFloat


class SplitSummary(_Frozen):
    """Size and class balance of one split.

    Attributes:
        n_windows: number of windows.
        n_bp: bases of all windows together.
        n_labeled: known labels: of bases, or of windows times labels.
        n_missing: missing labels.
        label_counts: for each label the number of bases (or windows, or bins) for which it is true.
        known_counts: for each label the number of bases (or windows, or bins) for which it is known.
        numbers: of labels that are numbers, what they are like; only named where there are some.
    """

    n_windows: int
    n_bp: int
    n_labeled: int
    n_missing: int
    label_counts: dict[str, int]
    known_counts: dict[str, int] = Field(default_factory=dict)
    numbers: dict[str, NumberSummary] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_numbers(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Content of the file: where no label is a number it is as earlier versions wrote it."""
        content: dict[str, Any] = serialize(self)
        if not self.numbers:
            content.pop("numbers", None)
        return content


class Fold(_Frozen):
    """One fold of a cross-validation: what its models are trained on, chosen on and tested on.

    Attributes:
        contigs: contigs on which the part that is tested lies, the first ten.
        valid_blocks: blocks of the other folds on which weights are chosen; empty where the dataset has a valid split of its own.
        splits: sizes and class balance of train, valid and test.
    """

    contigs: tuple[str, ...]
    valid_blocks: tuple[int, ...]
    splits: dict[str, SplitSummary]


class SharedWindows(_Frozen):
    """How many windows of the second split of a pair share sequence with the first split.

    A window is counted once, under the first kind that applies.

    Attributes:
        n_windows: windows of the second split.
        overlapping: windows that overlap a window of the first split on the genome. None where each split has a genome
            of its own, so that positions cannot be compared.
        exact: windows with the same sequence as a window of the first split, on either strand.
        near: windows that share many k-mers with a window of the first split.
    """

    n_windows: int
    overlapping: int | None
    exact: int
    near: int

    @property
    def n_shared(self) -> int:
        """Windows of the second split that share anything with the first."""
        return (self.overlapping or 0) + self.exact + self.near


class LeakageReport(_Frozen):
    """Sequence that the splits of a dataset share.

    Attributes:
        pairs: counts for each pair of splits, under names such as "train-test".
        examples: a few lines such as "chr1:100-612 (test) ~ chr7:5000-5512 (train), containment about 0.83".
        n_not_compared: windows that are mostly N or of low complexity: their k-mers say nothing.
        k: length of a k-mer.
        scale: one in `scale` k-mers was compared. The number grows with the data, so that memory does not.
        min_containment: share of common k-mers from which two windows count as near copies.
    """

    pairs: dict[str, SharedWindows] = Field(default_factory=dict)
    examples: tuple[str, ...] = ()
    n_not_compared: int = 0
    k: int = 0
    scale: int = 0
    min_containment: float = 0.0

    @property
    def shares_sequence(self) -> bool:
        """Whether any pair of splits shares sequence."""
        return any(pair.n_shared for pair in self.pairs.values())


class Manifest(_Frozen):
    """What a dataset folder is, where it comes from, and what was dropped and why.

    Attributes:
        format_version: version of the folder's format.
        dnaspt_version: version of the program that wrote the folder.
        task: name of the task, a key of `TASKS`.
        labels: names of the labels.
        resolution_bp: bases per label: 1 for a class of each base, more for bins, 0 for labels of whole windows.
        window_bp: length of a window, as pretraining cuts it; single windows may be longer or shorter.
        sources: files that the dataset was made from.
        settings: settings of the command that made it.
        splits: size and class balance of each split.
        counts: what was found in the sources.
        dropped: what was left out, by reason.
        leakage: sequence that the splits share.
        stop_in_cds: whether the stop codon is part of the CDS; None where there are no genes.
        folds: the folds of a cross-validation; empty where the splits are fixed. They divide the train split.
        fold: number of the fold that the splits and the digest are those of, from 1; 0 for those of the whole dataset.
        digest: sha256 over the digests of the tables. A checkpoint records it as the data it was trained on.
    """

    format_version: int = FORMAT_VERSION
    dnaspt_version: str = __version__
    task: str
    labels: tuple[str, ...]
    resolution_bp: int
    window_bp: int
    sources: tuple[Source, ...]
    settings: dict[str, Any]
    splits: dict[str, SplitSummary] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)
    leakage: LeakageReport = LeakageReport()
    stop_in_cds: bool | None = None
    folds: tuple[Fold, ...] = ()
    fold: int = Field(0, exclude=True)
    digest: str = ""

    @property
    def genetic_code(self) -> int:
        """Number of the genetic code at NCBI by which the annotation was read; 1 where there are no genes."""
        table = self.settings.get("genetic_code", 1)
        return table if isinstance(table, int) else 1

    @property
    def per_base(self) -> bool:
        """Whether each base has a class; else each window or bin has labels."""
        return self.resolution_bp == 1

    @property
    def default_head(self) -> str:
        """The head that `auto` stands for: the usual one of the task, but a CRF for genes of BEND, whose protocol scores classes
        of bases, and where the stop codon is no part of the CDS; "" where nothing is trained.
        """
        if self.per_base and ("bend" in self.settings or self.stop_in_cds is False):
            return "crf"
        return next(iter(TASKS[self.task].heads), "")

    @model_serializer(mode="wrap")
    def _without_empty_folds(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Content of the file: one without folds is as earlier versions wrote it."""
        content: dict[str, Any] = serialize(self)
        if not self.folds:
            content.pop("folds", None)
        return content

    def check_has_labels(self, folder: Path) -> None:
        """Refuse a dataset of sequence without labels.

        Raises:
            DatasetError: it has none.
        """
        if not self.labels:
            raise DatasetError(f"{folder}: has no labels; it is for 'dnaspt pretrain' alone")

    @property
    def numbers_are(self) -> str:
        """What the numbers of tracks of signal are, in words; "" of other labels."""
        if "core_bp" not in self.settings or not TASKS[self.task].numbers:
            return ""
        words = f"{self.settings.get('signal_summary')} of the signal over the middle {self.settings['core_bp']} bp of a window"
        return f"log(1 + x) of the {words}" if self.settings.get("signal_log") else words

    @property
    def has_own_valid(self) -> bool:
        """Whether weights are chosen on the valid split of the dataset, in all folds."""
        return bool(self.folds) and not self.folds[0].valid_blocks

    @property
    def hint(self) -> str:
        """What to do about a split that is not there, where the dataset has folds; else empty."""
        return f"; it has {len(self.folds)} folds: choose one with fold (--fold 1)" if self.folds else ""

    def of_fold(self, fold: int) -> "Manifest":
        """The same dataset as the models of one fold see it: with its sizes of the splits, and with a digest of its own.

        Args:
            fold: number of the fold, from 1; 0 for the whole dataset.

        Raises:
            DatasetError: there is no such fold.
        """
        if fold == 0:
            return self
        if not self.folds:
            raise DatasetError(f"fold {fold}: the dataset has no folds; prepare it with folds (--folds 5)")
        if not 1 <= fold <= len(self.folds):
            raise DatasetError(f"fold {fold}: the dataset has folds 1 to {len(self.folds)}")
        splits = self.folds[fold - 1].splits
        more = {name: split for name, split in self.splits.items() if name == UNLABELED}
        digest = hashlib.sha256(f"{self.digest} fold {fold}".encode()).hexdigest()
        return self.model_copy(update={"splits": splits | more, "digest": digest, "fold": fold})

    def fold_of_digest(self, digest: str) -> int | None:
        """The fold that has a digest: 0 where it is that of the whole dataset, None where it is that of other data."""
        folds = range(len(self.folds) + 1)
        return next((fold for fold in folds if self.of_fold(fold).digest == digest), None)


def read_manifest(folder: str | PathLike[str], fold: int = 0) -> Manifest:
    """Read the manifest of a finished dataset folder.

    Args:
        folder: the dataset folder.
        fold: the fold whose splits and digest it shall have, from 1; 0 for those of the whole dataset.

    Raises:
        DatasetError: there is no such folder, it has no manifest (it is unfinished), the manifest is of another
            format version or task or is damaged, or there is no such fold.
    """
    folder = Path(folder)
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise DatasetError(f"{folder}: {_why_no_dataset(folder)}; make it with 'dnaspt prepare'")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
        version, task = content.get("format_version"), content.get("task")
        if version != FORMAT_VERSION:
            raise DatasetError(f"{path}: format version {version}; expected {FORMAT_VERSION}; prepare it again")
        if task not in tuple(TASKS):
            raise DatasetError(f"{path}: task {task!r}; expected {', '.join(TASKS)}")
        manifest = Manifest.model_validate(content)
    except (ValueError, ValidationError) as error:
        raise DatasetError(f"{path}: not a manifest of dnaspt ({str(error).splitlines()[0]})") from error
    try:
        return manifest.of_fold(fold)
    except DatasetError as error:
        raise DatasetError(f"{folder}: {error}") from error


def read_fold_or_whole(folder: str | PathLike[str], fold: int) -> Manifest:
    """Read the manifest of a dataset as a fold sees it; that of a dataset without folds has its fixed splits.

    Args:
        folder: the dataset folder.
        fold: number of the fold, from 1; 0 for the splits of the whole dataset.

    Raises:
        DatasetError: no finished dataset of this version, or it has folds, but not this one.
    """
    manifest = read_manifest(folder)
    return read_manifest(folder, fold) if manifest.folds else manifest


def joint_digest(read: Iterable[Manifest], held_out: Iterable[Manifest]) -> str:
    """Digest of a pretraining that reads several datasets, or that serves others: sha256 in hexadecimal digits.

    Args:
        read: datasets whose train sequences are read, in their order.
        held_out: datasets whose valid and test parts are cut out, in any order.
    """
    digests = {"read": [manifest.digest for manifest in read], "held_out": sorted({own.digest for own in held_out})}
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _why_no_dataset(folder: Path) -> str:
    """What stands where a dataset folder was expected."""
    if folder.is_file():
        return "is a file; expected a folder"
    if folder.is_dir():
        return f"no {MANIFEST_FILE} in it: not a dataset, or unfinished"
    return "no such folder"
