"""Self-pretraining: a dataset's own train sequences to a masked language model (arXiv 2506.17766).

Settings, dataset and run folder are checked before torch is imported, so that a mistake fails fast.
"""

from typing import TYPE_CHECKING

from dnaspt.config import PretrainConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import UNLABELED, Manifest, read_manifest
from dnaspt.data.segments import without_overlaps
from dnaspt.errors import ConfigError
from dnaspt.output import refuse_inputs
from dnaspt.training.masked_windows import mask_windows
from dnaspt.training.processes import check_processes
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run

if TYPE_CHECKING:
    from dnaspt.training.loop import Reporter

WINDOW_BP = 4096
"""Minimum window length of pretraining in bp; shorter windows that touch are joined."""


def pretrain(
    config: PretrainConfig, *, resume: bool = False, overwrite: bool = False, reporter: "Reporter | None" = None
) -> Run:
    """Pretrain on the sequences of `config.splits`, and on `unlabeled` where the dataset has it and the settings want it.

    Args:
        config: settings.
        resume: go on with a run that was broken off, or, with more epochs or steps, with one that is finished (`schedule`).
        overwrite: replace a run that is there.
        reporter: shows the progress.

    Returns:
        The run. Its scores are nats per masked base and masked accuracy of the best checkpoint, on fixed positions of valid;
        its result has those of n-gram models, too, once the run is finished or time has stopped it.

    Raises:
        DatasetError: no dataset, or one without the splits or the fold asked for.
        ConfigError: settings that do not fit, or a run folder where something is read.
        CheckpointError: the run folder is there already, was started with other settings, or is none to resume.
        BusyError: another process writes the run folder.
        DivergedError: the loss is no longer finite.
    """
    hint = check_processes(config)
    manifest = read_manifest(config.data, config.fold)
    if "valid" not in manifest.splits:
        raise ConfigError(f"{config.data}: has no valid split; the best checkpoint could not be chosen{manifest.hint}")
    refuse_inputs(config.out, {"data": config.data})
    with RunFolder(config.out, config, resume=resume, overwrite=overwrite, hint=hint) as folder:
        if config.n_processes == 1:
            folder.claim()  # of several, rank 0 claims it later
        return _train(config, manifest, folder, reporter)


def _train(config: PretrainConfig, manifest: Manifest, folder: RunFolder, reporter: "Reporter | None") -> Run:
    """Read the sequences, and train."""
    names = [*config.splits, *([UNLABELED] if config.unlabeled and UNLABELED in manifest.splits else [])]
    window_bp = max(manifest.window_bp, WINDOW_BP)
    splits = [without_overlaps(read_split(config.data, name, config.fold), window_bp) for name in names]
    as_published = config.masking == "as-published"
    valid_split = without_overlaps(read_split(config.data, "valid", config.fold), window_bp)
    valid = mask_windows(valid_split, config.mask_fraction, as_published=as_published)
    if not valid.n_masked:
        problem = f"with mask_fraction {config.mask_fraction:g} no base of the valid split is masked"
        raise ConfigError(f"{config.data}: {problem}, so no checkpoint can be chosen; raise it, or prepare more data")

    from dnaspt.training.train_language_model import PretrainingData, train_language_model  # torch: seconds

    data = PretrainingData(manifest, tuple(names), splits, valid, window_bp)
    return train_language_model(config, data, folder, reporter)
