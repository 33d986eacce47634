"""A run as others may see it: its description without paths, its scores, and the dataset that it was trained on."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dnaspt.checkpoint_config import CheckpointConfig, find_checkpoint, read_config
from dnaspt.config import AnyEncoderConfig, HuggingFaceConfig
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.evaluation.results import Evaluation, count_evaluations, read_evaluation
from dnaspt.sharing.paths import is_absolute, last_name, without_paths
from dnaspt.training.runs import RESULT, SETTINGS, RunResult, read_result

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShareableRun:
    """What an export writes of a run.

    Attributes:
        checkpoint: the checkpoint that is exported.
        config: its description, without paths.
        result: how training ended; None where the folder is a checkpoint, or the run is not finished.
        is_unfinished: whether it is a run whose training has not come to its end.
        evaluations: scores of this checkpoint, by split.
        n_test: how often the test split was scored, by the run's own log.
        data: name of the dataset's folder; "" where it is not on record.
        manifest: the dataset as the model saw it; None where it is not here.
    """

    checkpoint: Path
    config: CheckpointConfig
    result: RunResult | None
    is_unfinished: bool
    evaluations: tuple[Evaluation, ...]
    n_test: int
    data: str
    manifest: Manifest | None


def read_shareable(run: Path, data: Path | None = None) -> ShareableRun:
    """Read what an export writes of a run.

    Args:
        run: run or checkpoint folder.
        data: its dataset; None looks where the run found it.

    Raises:
        CheckpointError: no checkpoint, or one that nobody else could load.
        ConfigError: `data` is not the dataset that the model was trained on. DatasetError, InputError: a file that is broken.
    """
    checkpoint, config = find_checkpoint(run), read_config(run)
    for encoder in _encoders(config):
        if isinstance(encoder, HuggingFaceConfig) and (is_absolute(encoder.path) or Path(encoder.path).is_dir()):
            problem = "reads with a Hugging Face model in a folder of this machine, which nobody else has"
            raise CheckpointError(f"{run}: {problem}; fine-tune with its name on the hub (--embeddings OWNER/NAME)")
    settings = config.provenance.get("settings", {})
    evaluations = tuple(_evaluations(run, checkpoint))
    manifest = _manifest_of(run, config, data)
    name = data if data is not None else Path(last_name(settings.get("data") or ""))
    return ShareableRun(
        checkpoint=checkpoint,
        config=config.model_copy(update={"provenance": without_paths(config.provenance)}),
        result=read_result(run) if (run / RESULT).is_file() else None,
        is_unfinished=(run / SETTINGS).is_file() and not (run / RESULT).is_file(),
        evaluations=evaluations,
        n_test=count_evaluations(run),
        data=name.resolve().name if data is not None else name.name,
        manifest=manifest,
    )


def _encoders(config: CheckpointConfig) -> Iterator[AnyEncoderConfig]:
    """The encoders of a model, of its network, and of the models of an ensemble."""
    yield config.encoder
    yield from (member.encoder for member in config.members)
    if config.network is not None:
        yield config.network.encoder
        yield from (member.encoder for member in config.network.members)


def _evaluations(run: Path, checkpoint: Path) -> Iterator[Evaluation]:
    """Evaluations of the checkpoint, test first; those of another one are left out, and a warning names them."""
    files = sorted(
        run.glob("evaluation-*.json"), key=lambda file: (not file.name.startswith("evaluation-test"), file.name)
    )
    for file in files:
        evaluation = read_evaluation(file)
        scored = last_name(evaluation.checkpoint, whole=True)
        if scored and scored != checkpoint.name:
            log.warning("%s: scores of %s, not of %s: left out", file, scored, checkpoint.name)
            continue
        yield evaluation


def _manifest_of(run: Path, config: CheckpointConfig, data: Path | None) -> Manifest | None:
    """The dataset that a model was trained on, as its fold saw it; None where it is not here.

    Raises:
        ConfigError: `data` is another one. DatasetError: it cannot be read.
    """
    settings = config.provenance.get("settings", {})
    folder = data or (Path(settings["data"]) if settings.get("data") else None)
    digests = {config.data_digest, *config.provenance.get("read", [])} - {""}
    if folder is None or not digests:
        return None
    try:
        whole = read_manifest(folder)
    except DatasetError as error:
        if data is not None:
            raise
        log.warning("%s: the card says little of the data (%s); give the dataset with data (--data)", run, error)
        return None
    for fold in range(len(whole.folds) + 1):
        if (seen := whole.of_fold(fold)).digest in digests:
            return seen
    if data is not None:
        raise ConfigError(f"{data}: is not the dataset that {run} was trained on (digests differ)")
    log.warning(
        "%s: the card says little of the data: %s holds another dataset now; give it with data (--data)", run, folder
    )
    return None
