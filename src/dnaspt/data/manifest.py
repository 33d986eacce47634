"""`manifest.json` of a dataset folder: what the folder is, where it comes from, what was dropped and why."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dnaspt import __version__
from dnaspt.atomic import sha256_of_file
from dnaspt.errors import DatasetError
from dnaspt.tasks import TASKS

FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
UNLABELED = "unlabeled"


class Source(BaseModel):
    """A file that the dataset was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    sha256: str
    n_bytes: int

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Read the file once and remember its digest."""
        return cls(path=str(path), sha256=sha256_of_file(path), n_bytes=path.stat().st_size)


class SplitSummary(BaseModel):
    """What one split holds.

    label_counts: how often each label is true, in bases or windows. known_counts: how often it is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_windows: int
    n_bp: int
    n_labeled: int
    n_missing: int
    label_counts: dict[str, int]
    known_counts: dict[str, int] = Field(default_factory=dict)


class Manifest(BaseModel):
    """`manifest.json`: what the folder is, where it comes from, what was dropped and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")
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
    leakage: dict[str, Any] = Field(default_factory=dict)
    stop_in_cds: bool | None = None
    digest: str = ""
    """sha256 over the tables' own digests: what a checkpoint remembers as the data it saw."""

    @property
    def per_base(self) -> bool:
        """Whether each base has a class, and not each window or bin its labels."""
        return self.resolution_bp == 1


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a finished dataset folder.

    Raises:
        DatasetError: no folder, no manifest (unfinished), another format version, or a manifest that does not parse.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        what = "no manifest.json in it: not a dataset, or unfinished" if path.parent.is_dir() else "no such folder"
        what = "is a file; expected a folder" if path.parent.is_file() else what
        raise DatasetError(f"{folder}: {what}; make it with 'dnaspt prepare'")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version = raw.get("format_version")
        if version != FORMAT_VERSION:
            raise DatasetError(f"{path}: format version {version}; expected {FORMAT_VERSION}; prepare it again")
        if raw.get("task") not in TASKS:
            raise DatasetError(f"{path}: task {raw.get('task')!r}; expected {', '.join(TASKS)}")
        return Manifest.model_validate(raw)
    except (ValueError, ValidationError, AttributeError) as error:
        raise DatasetError(f"{path}: not a manifest of dnaspt ({str(error).splitlines()[0]})") from error
