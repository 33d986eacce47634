"""Self-pretraining: the train sequences of a dataset, or of several, to a masked language model (arXiv 2506.17766).

Settings, dataset and run folder are checked before torch is imported, so that a mistake fails fast.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaspt.config import PretrainConfig
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import UNLABELED, Manifest, joint_digest, read_fold_or_whole, read_manifest
from dnaspt.data.segments import Segment, segments, unlabeled_windows, without_overlaps
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.genome import alphabet
from dnaspt.output import refuse_inputs
from dnaspt.prepare.held_out import CutOut, cut_out, refuse_shared
from dnaspt.training.masked_windows import mask_windows
from dnaspt.training.processes import check_processes
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run

if TYPE_CHECKING:
    from dnaspt.training.loop import Reporter

log = logging.getLogger(__name__)

WINDOW_BP = 4096
"""Minimum window length of pretraining in bp; shorter windows that touch are joined."""


def pretrain(
    config: PretrainConfig, *, resume: bool = False, overwrite: bool = False, reporter: "Reporter | None" = None
) -> Run:
    """Pretrain on the sequences of `config.splits`, and on `unlabeled` where the dataset has it and the settings want it.

    With `more_data` or `held_out`, no base is read that stands in a valid or test part of the dataset or of those in `held_out`
    (`prepare.held_out`); and weights are not chosen on what stands in a test part.

    Args:
        config: settings.
        resume: go on with a run that was broken off, or, with more epochs or steps, with one that is finished (`schedule`).
        overwrite: replace a run that is there.
        reporter: shows the progress.

    Returns:
        The run. Its scores are nats per masked base and masked accuracy of the best checkpoint, on fixed positions of valid;
        its result has those of n-gram models, too, once the run is finished or time has stopped it.

    Raises:
        DatasetError: no dataset, or one without the splits or the fold asked for; or nothing is left of them to read.
        ConfigError: settings that do not fit, or a run folder where something is read.
        CheckpointError: the run folder is there already, was started with other settings, or is none to resume.
        BusyError: another process writes the run folder.
        DivergedError: the loss is no longer finite.
    """
    hint = check_processes(config)
    sources = _sources_of(config)
    refuse_inputs(config.out, {"data": config.data, "more_data": config.more_data, "held_out": config.held_out})
    with RunFolder(config.out, config, resume=resume, overwrite=overwrite, hint=hint) as folder:
        if config.n_processes == 1:
            folder.claim()  # of several, rank 0 claims it later
        return _train(config, sources, folder, reporter)


@dataclass(frozen=True, slots=True)
class _Sources:
    """The datasets of a pretraining by their folders, as its fold sees them.

    Attributes:
        read: those whose sequences are read; the best checkpoint is chosen on valid of the first.
        held_out: those whose valid and test parts are cut out; empty where a dataset is read alone.
    """

    read: Mapping[Path, Manifest]
    held_out: Mapping[Path, Manifest]

    @property
    def first(self) -> Manifest:
        """The dataset on whose valid split the best checkpoint is chosen."""
        return next(iter(self.read.values()))

    @property
    def digest(self) -> str:
        """Digest of all that is read and cut out; that of the dataset where it is read alone."""
        return joint_digest(self.read.values(), self.held_out.values()) if self.held_out else self.first.digest

    @property
    def held_out_by(self) -> str:
        """Folders of the held-out datasets, as messages name them."""
        return ", ".join(map(str, self.held_out))

    @property
    def window_bp(self) -> int:
        """Length at which windows are cut in bp."""
        return max(WINDOW_BP, *(manifest.window_bp for manifest in self.read.values()))

    def joined(self) -> dict[str, list[str]]:
        """Digests of the datasets, for the checkpoint."""
        named = {"read": self.read, "held_out": self.held_out}
        return {name: [manifest.digest for manifest in manifests.values()] for name, manifests in named.items()}

    def held_out_segments(self, *names: str) -> list[Segment]:
        """Sequences of these splits of the held-out datasets."""
        return [
            segment
            for folder, manifest in self.held_out.items()
            for name in names
            if name in manifest.splits
            for segment in segments(read_split(folder, name, manifest.fold))
        ]


def _sources_of(config: PretrainConfig) -> _Sources:
    """The datasets that a pretraining reads, and those that it cuts out.

    Raises:
        DatasetError: no dataset, or none has the fold. ConfigError: one lacks a split that is needed.
    """
    if config.joins_data:
        folders = (config.data, *config.more_data, *config.held_out)
        views = {folder: read_fold_or_whole(folder, config.fold) for folder in folders}
        if not any(view.fold for view in views.values()):
            read_manifest(config.data, config.fold)  # raises the error where a fold is given
        read = {folder: views[folder] for folder in (config.data, *config.more_data)}
        sources = _Sources(read, {folder: views[folder] for folder in (config.data, *config.held_out)})
    else:
        sources = _Sources({config.data: read_manifest(config.data, config.fold)}, {})
    if "valid" not in sources.first.splits:
        hint = sources.first.hint
        raise ConfigError(f"{config.data}: has no valid split; the best checkpoint could not be chosen{hint}")
    for folder, manifest in sources.held_out.items():
        if "test" not in manifest.splits and folder in config.held_out:
            raise ConfigError(f"{folder}: has no test split to hold out{manifest.hint or '; leave it out of held_out'}")
    return sources


def epoch_bp(config: PretrainConfig) -> int:
    """Bases that an epoch of a pretraining reads, as `pretrain` would: after cutting out.

    Raises:
        DatasetError, ConfigError: as `pretrain`.
    """
    splits, _ = _read(config, _sources_of(config))
    return sum(len(split.codes) for split in splits)


def _train(config: PretrainConfig, sources: _Sources, folder: RunFolder, reporter: "Reporter | None") -> Run:
    """Read the sequences, and train."""
    splits, counts = _read(config, sources)
    if counts is not None:
        log.info("%s: cut out, as held out by %s: %s", config.data, sources.held_out_by, counts)
        joined = (segment.codes for split in splits for segment in segments(split))
        refuse_shared(joined, sources.held_out_segments("valid", "test"), config.data)
    valid = mask_windows(
        _read_valid(config, sources), config.mask_fraction, as_published=config.masking == "as-published"
    )
    if not valid.n_masked:
        problem = f"with mask_fraction {config.mask_fraction:g} no base of the valid split is masked"
        raise ConfigError(f"{config.data}: {problem}, so no checkpoint can be chosen; raise it, or prepare more data")

    from dnaspt.training.train_language_model import PretrainingData, train_language_model  # torch: seconds

    data = PretrainingData(
        manifest=sources.first,
        names=tuple(_names_of(config, sources)),
        splits=splits,
        valid=valid,
        window_bp=sources.window_bp,
        digest=sources.digest,
        joined=sources.joined(),
        cut_out=counts,
    )
    return train_language_model(config, data, folder, reporter)


def _names_of(config: PretrainConfig, sources: _Sources) -> list[str]:
    """Splits that are read: those of the settings, and `unlabeled` where a dataset has it."""
    has_more = config.unlabeled and any(UNLABELED in manifest.splits for manifest in sources.read.values())
    return [*config.splits, *([UNLABELED] if has_more else [])]


def _read(config: PretrainConfig, sources: _Sources) -> tuple[list[Split], CutOut | None]:
    """The windows to read, split by split, and what was cut out of them; None where a dataset is read alone.

    Raises:
        DatasetError: a split that is not there, or nothing is left to read.
    """
    parts = [
        read_split(folder, name, manifest.fold)
        for folder, manifest in sources.read.items()
        for name in _names_of(config, sources)
        if name in manifest.splits or name != UNLABELED or UNLABELED in config.splits
    ]
    if not sources.held_out:
        return [without_overlaps(part, sources.window_bp) for part in parts], None
    offered = [list(segments(part)) for part in parts]
    cut, counts = cut_out([segment for own in offered for segment in own], sources.held_out_segments("valid", "test"))
    rest = iter(cut)
    windows = [_known_windows(list(islice(rest, len(own))), sources.window_bp) for own in offered]
    splits = [split for split in windows if split is not None]
    if not splits:
        raise DatasetError(
            f"{config.data}: nothing is left to read: all of it stands in valid or test parts of {sources.held_out_by}"
        )
    return splits, counts


def _read_valid(config: PretrainConfig, sources: _Sources) -> Split:
    """The windows on which checkpoints are chosen, without what stands in test parts.

    Raises:
        DatasetError: nothing is left of them.
    """
    split = read_split(config.data, "valid", sources.first.fold)
    if not sources.held_out:
        return without_overlaps(split, sources.window_bp)
    valid, _ = cut_out(list(segments(split)), sources.held_out_segments("test"))
    windows = _known_windows(valid, sources.window_bp)
    if windows is None:
        where = f"stands in test parts of {sources.held_out_by}"
        raise DatasetError(f"{config.data}: all of its valid split {where}, so no checkpoint can be chosen")
    return windows


def _known_windows(joined: Sequence[Segment], window_bp: int) -> Split | None:
    """Windows of segments; those without a known base are left out. None where none is left."""
    windows = unlabeled_windows(joined, window_bp)
    n_known = np.add.reduceat(~alphabet.is_unknown(windows.codes), windows.offsets[:-1], dtype=np.int64)
    return windows.take(np.flatnonzero(n_known)) if n_known.any() else None
