"""The settings of every command to docs/settings.md: `python docs/make_settings.py`."""

import inspect
import json
from pathlib import Path

from dnaspt.data.genes import PrepareGenesConfig
from dnaspt.data.methylation import PrepareMethylationConfig
from dnaspt.data.regions import PrepareRegionsConfig
from dnaspt.data.simulate import SimulateConfig
from dnaspt.study.settings import Arm, StudyConfig
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dnaspt.bend.prepare import PrepareBendConfig
from dnaspt.config import EncoderConfig, FinetuneConfig, PretrainConfig, Settings

COMMANDS: dict[str, type[Settings]] = {
    "dnaspt prepare genes": PrepareGenesConfig,
    "dnaspt prepare regions": PrepareRegionsConfig,
    "dnaspt prepare methylation": PrepareMethylationConfig,
    "dnaspt prepare bend": PrepareBendConfig,
    "dnaspt pretrain": PretrainConfig,
    "dnaspt finetune": FinetuneConfig,
    "dnaspt study": StudyConfig,
    "[[arms]] of dnaspt study": Arm,
    "dnaspt simulate": SimulateConfig,
    "[encoder] of dnaspt pretrain": EncoderConfig,
}


def settings_page() -> str:
    """Each command's settings with their defaults, as they stand in a TOML file."""
    parts = [
        "# Settings",
        "Made by `docs/make_settings.py`. Names are those of a TOML file given with `--config`; where an option",
        "of the same name (with hyphens) exists, it wins.",
        "",
    ]
    for command, kind in COMMANDS.items():
        parts += [f"## {command}", "```", inspect.getdoc(kind) or "", "```", "| setting | default | |", "|---|---|---|"]
        parts += [
            f"| `{name}` | {_default(field)} | {' '.join((field.description or '').split())} |"
            for name, field in kind.model_fields.items()
        ]
        parts.append("")
    return "\n".join(parts)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if value is None or value in ((), {}):
        return "none"
    return f"`{json.dumps(value, default=str)}`"


if __name__ == "__main__":
    (Path(__file__).parent / "settings.md").write_text(settings_page())
