"""docs/python.md from the docstrings of the public names: python docs/make_api.py."""

import inspect
import re
from pathlib import Path
from typing import Any

import dnaspt

GROUPS = {
    "Make a dataset": (
        "prepare_genes",
        "prepare_regions",
        "prepare_methylation",
        "prepare_bend",
        "simulate",
        "Dataset",
    ),
    "Train": ("pretrain", "finetune", "Run", "RunResult"),
    "Use a model": ("load", "Model", "Transcript", "to_frame", "score_variants"),
    "Score": ("evaluate", "baseline", "Evaluation", "GeneScores", "Score"),
    "Compare": ("study", "StudyResult", "Record", "report", "inspect", "Description"),
    "scikit-learn": ("SPTClassifier",),
    "Errors": (
        *(
            "DnasptError",
            "InputError",
            "ConfigError",
            "DatasetError",
            "CheckpointError",
            "DivergedError",
            "NoSpaceError",
        ),
    ),
}
_HEADINGS = ("Args", "Returns", "Raises", "Attributes", "Example")
_HEAD = """# Python

What `import dnaspt` offers. Paths are `str` or `Path`; a `Dataset`, a `Run` or a `Model` can be given wherever its folder can.
Settings are keywords with the names of the TOML settings ([settings.md](settings.md)). This page is made from the docstrings by
`docs/make_api.py`, and a test runs its examples.
"""


def api_page() -> str:
    """The page, as Markdown."""
    listed = [name for names in GROUPS.values() for name in names]
    missing = set(dnaspt.__all__) - {"__version__"} - set(listed)
    assert not missing, f"public names without a group: {', '.join(sorted(missing))}"
    parts = [_HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name, getattr(dnaspt, name)) for name in names]
    return "\n".join(parts)


def _entry(name: str, public: Any) -> str:
    """One name: its signature, its docstring, and for a class those of its public methods."""
    parts = [f"### dnaspt.{name}\n"]
    is_error = inspect.isclass(public) and issubclass(public, Exception)
    if not is_error:
        parts.append(_signature(name, public))
    parts.append(_markdown(inspect.getdoc(public) or ""))
    if inspect.isclass(public) and not is_error:
        for own, member in vars(public).items():
            if own.startswith("_") or not getattr(member, "__doc__", None):
                continue
            if inspect.isfunction(member):
                parts += [f"#### {name}.{own}\n", _signature(own, member), _markdown(inspect.getdoc(member) or "")]
            elif isinstance(member, property):
                parts += [f"#### {name}.{own}\n", _markdown(inspect.getdoc(member) or "")]
    return "\n".join(parts)


def _signature(name: str, function: Any) -> str:
    """Name and parameters, without the types, one line if it fits."""
    parameters = []
    starred = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parameters.append("*")
            starred = True
        mark = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        starred |= parameter.kind is parameter.VAR_POSITIONAL
        has_default = parameter.default is not parameter.empty
        default = repr(parameter.default) if not callable(parameter.default) else "..."
        default = "..." if "<" in default else default
        parameters.append(f"{mark}{parameter.name}" + (f"={default}" if has_default else ""))
    line = f"{name}({', '.join(parameters)})"
    if len(line) > 100:
        line = f"{name}(\n    " + ",\n    ".join(parameters) + ",\n)"
    return f"```python\n{line}\n```\n"


def _markdown(text: str) -> str:
    """A docstring in Google's style as Markdown."""
    blocks, title, lines = [], "", []
    for line in [*text.splitlines(), "Example:"]:
        if line.rstrip(":") in _HEADINGS and line.endswith(":"):
            blocks.append((title, lines))
            title, lines = line.rstrip(":"), []
        else:
            lines.append(line)
    return "\n".join(_section(title, lines) for title, lines in blocks)


def _section(title: str, lines: list[str]) -> str:
    body = inspect.cleandoc("\n".join(["", *lines])).strip()
    if not title:
        return body + "\n"
    if title == "Example":
        return f"```python\n{body}\n```\n"
    if title == "Returns":
        return f"**Returns**: {' '.join(body.split())}\n"
    if title == "Raises":
        return f"**Raises**: {' '.join(body.split())}\n"
    items: list[str] = []
    for line in body.splitlines():
        found = re.match(r"^(\*{0,2}\w+): (.*)$", line)
        if found:
            items.append(f"- `{found[1]}`: {found[2]}")
        elif items:
            items[-1] += f" {line.strip()}"
    heading = "Arguments" if title == "Args" else title
    return f"**{heading}**\n\n" + "\n".join(items) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "python.md").write_text(api_page(), encoding="utf-8")
