"""Paths out of what others will read: they say who works where, and lead nowhere on another machine."""

import re
from functools import cache
from typing import Any

from dnaspt.config import EnsembleConfig, FinetuneConfig, PretrainConfig

_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:[\\/]|file:")
_STEP = re.compile(r"step-[0-9]+")


def without_paths(provenance: dict[str, Any]) -> dict[str, Any]:
    """A provenance in which only the last name of each path is left."""
    return {name: _public(name, value) for name, value in provenance.items()}


def _public(name: str, value: Any) -> Any:
    """A value of a provenance without folders."""
    if isinstance(value, dict):
        return {key: _public(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_public(name, inner) for inner in value]
    if isinstance(value, str) and (name in _path_settings() or is_absolute(value) or ".." in value):
        return last_name(value)
    return value


def is_absolute(path: str) -> bool:
    """Whether a text is a path from the root, from a home folder, or of a network, of any system."""
    return bool(_ABSOLUTE.match(path))


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
