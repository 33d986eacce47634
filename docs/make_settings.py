"""The settings of every command to docs/settings.md: `python docs/make_settings.py`."""

import inspect
import json
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dnaspt.bend.prepare import PrepareBendConfig
from dnaspt.config import (
    BassetConfig,
    EncoderConfig,
    EnsembleConfig,
    FinetuneConfig,
    HuggingFaceConfig,
    PretrainConfig,
    Settings,
)
from dnaspt.prepare.genes import PrepareGenesConfig
from dnaspt.prepare.methylation import PrepareMethylationConfig
from dnaspt.prepare.regions import PrepareRegionsConfig
from dnaspt.prepare.sequences import PrepareSequencesConfig
from dnaspt.prepare.unlabeled import PrepareUnlabeledConfig
from dnaspt.simulation.simulate import SimulateConfig
from dnaspt.studies.settings import Arm, StudyConfig

PAGE: dict[str, type[Settings]] = {
    "dnaspt prepare genes": PrepareGenesConfig,
    "dnaspt prepare regions": PrepareRegionsConfig,
    "dnaspt prepare methylation": PrepareMethylationConfig,
    "dnaspt prepare sequences": PrepareSequencesConfig,
    "dnaspt prepare unlabeled": PrepareUnlabeledConfig,
    "dnaspt prepare bend": PrepareBendConfig,
    "dnaspt pretrain": PretrainConfig,
    "[encoder] of dnaspt pretrain": EncoderConfig,
    "dnaspt finetune": FinetuneConfig,
    "dnaspt ensemble": EnsembleConfig,
    "dnaspt study": StudyConfig,
    "[[arms]] of dnaspt study": Arm,
    "dnaspt simulate": SimulateConfig,
    "Encoder of a checkpoint: Basset": BassetConfig,
    "Encoder of a checkpoint: Hugging Face model": HuggingFaceConfig,
}
"""Titles of the page, in its order; a test says whether any kind of settings is missing."""


def settings_page() -> str:
    """Each command's settings with their defaults, as they stand in a TOML file."""
    parts = [
        "# Settings",
        "Made by `docs/make_settings.py`. Names are those of a TOML file given with `--config`, and of the keywords in Python.",
        "Where an option of the same name (with hyphens) exists, it wins over the file. A misspelt name is an error that offers",
        "the right one. Those that are never given, but kept in a checkpoint, come last.",
        "",
    ]
    for title, kind in PAGE.items():
        parts += [
            f"## {title}",
            _purpose(kind),
            "",
            "| setting | default | what it is, and when to change it |",
            "|---|---|---|",
        ]
        parts += [f"| `{name}` | {_default(field)} | {_cell(field.description)} |" for name, field in _fields(kind)]
        parts.append("")
    return "\n".join(parts)


def undescribed(kind: type[Settings]) -> list[str]:
    """Names of the settings that have no description."""
    return [name for name, field in kind.model_fields.items() if not (field.description or "").strip()]


def _purpose(kind: type[Settings]) -> str:
    """The first paragraph of the docstring."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())


def _fields(kind: type[Settings]) -> list[tuple[str, FieldInfo]]:
    """Settings by name: what must be given first, then its own ones, then those that it shares with others."""
    own = inspect.get_annotations(kind)
    return sorted(kind.model_fields.items(), key=lambda item: (not item[1].is_required(), item[0] not in own))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if value is None or value in ((), {}):
        return "none"
    return f"`{json.dumps(value, default=str)}`"


def _cell(text: str | None) -> str:
    """A description on one line; a bar would end the cell."""
    return " ".join((text or "").replace("|", "\\|").split())


if __name__ == "__main__":
    (Path(__file__).parent / "settings.md").write_text(settings_page(), encoding="utf-8")
