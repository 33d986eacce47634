"""A run as others may see it: its description without paths, its scores, and the dataset that it was trained on.

Paths say who works where, and lead nowhere on another machine: of each only the last name stays.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dnaspt.checkpoint_config import CheckpointConfig, find_checkpoint, read_config
from dnaspt.config import AnyEncoderConfig, EnsembleConfig, FinetuneConfig, HuggingFaceConfig, PretrainConfig
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.evaluation.results import Evaluation, count_evaluations, read_evaluation
from dnaspt.training.runs import RESULT, RunResult, read_result

log = logging.getLogger(__name__)

_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:[\\/]|file:")
_STEP = re.compile(r"step-[0-9]+")


@dataclass(frozen=True, slots=True)
class ShareableRun:
    """What an export writes of a run.

    Attributes:
        checkpoint: the checkpoint that is exported.
        config: its description, without paths.
        result: how training ended; None where the folder is a checkpoint, or the run is not finished.
        evaluations: scores of this checkpoint, by split.
        n_test: how often the test split was scored, by the run's own log.
        data: name of the dataset's folder; "" where it is not on record.
        manifest: the dataset as the model saw it; None where it is not here.
    """

    checkpoint: Path
    config: CheckpointConfig
    result: RunResult | None
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
        if isinstance(encoder, HuggingFaceConfig) and (_ABSOLUTE.match(encoder.path) or Path(encoder.path).is_dir()):
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


def without_paths(provenance: dict[str, Any]) -> dict[str, Any]:
    """A provenance in which only the last name of each path is left."""
    return {name: _public(name, value) for name, value in provenance.items()}


def _public(name: str, value: Any) -> Any:
    """A value of a provenance without folders."""
    if isinstance(value, dict):
        return {key: _public(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_public(name, inner) for inner in value]
    if isinstance(value, str) and (name in _path_settings() or _ABSOLUTE.match(value) or ".." in value):
        return last_name(value)
    return value


def last_name(path: str, *, whole: bool = False) -> str:
    """The last name of a path of any system; none of a home folder, whose name is a person's.

    Args:
        path: the path.
        whole: of a checkpoint of a run its own name; else the run's.
    """
    names = [name for name in re.split(r"[/\\]", path) if name not in ("", ".", "..", "~")]
    if not whole and len(names) > 2 and _STEP.fullmatch(names[-1]) and names[-2] in ("best", "last"):
        return names[-3]
    return "" if not names or names[-2:-1] in (["home"], ["Users"]) else names[-1]


@cache
def _path_settings() -> frozenset[str]:
    """Names of the settings that are paths."""
    fields = {
        name: field.annotation
        for kind in (PretrainConfig, FinetuneConfig, EnsembleConfig)
        for name, field in kind.model_fields.items()
    }
    return frozenset({"path", *(name for name, annotation in fields.items() if "Path" in str(annotation))})
