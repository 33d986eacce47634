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
        "prepare_sequences",
        "prepare_unlabeled",
        "prepare_bend",
        "simulate",
        "SimulationSummary",
        "Dataset",
    ),
    "Train": ("pretrain", "finetune", "ensemble", "Run", "RunResult"),
    "Use a model": (
        *("load", "Model", "Transcript", "to_frame", "decode_emissions", "score_variants"),
        *("explain", "ExplanationSummary", "export"),
    ),
    "Score": (
        *("evaluate", "baseline", "Evaluation", "BesideBaseline", "GeneScores", "Score"),
        *("compare_annotations", "AnnotationComparison"),
    ),
    "Compare": ("study", "StudyResult", "Record", "report", "browse", "GenomeBrowser", "inspect", "Description"),
    "scikit-learn": ("SPTClassifier", "SPTRegressor"),
    "Errors": (
        *(
            "DnasptError",
            "RunStopped",
            "InputError",
            "ConfigError",
            "DatasetError",
            "CheckpointError",
            "DivergedError",
            "NoSpaceError",
            "BusyError",
            "NotFiniteError",
            "NoMemoryError",
        ),
    ),
}
BUILT_BY_USERS = ("SPTClassifier", "SPTRegressor", "Transcript")
"""Classes whose constructor is shown; all others are what a function returns."""
_NOT_SHOWN = frozenset(
    {
        *("to_dict", "from_dict", "of"),
        *("averages", "task_model", "check_windows", "check_embeds", "predict_windows"),
    }
)
"""Methods that are there for the readers and writers of files, and for the functions that take a model."""
_HEADINGS = ("Args", "Returns", "Raises", "Attributes", "Example")
_HEAD = """# Python

What `import dnaspt` offers, in the order of use:

- A *dataset* is a folder that `prepare_genes`, `prepare_regions`, `prepare_methylation`, `prepare_sequences` or
  `prepare_unlabeled` makes from your
  files. Its windows are divided into three splits: `train` to learn from, `valid` to choose with, `test` to score at the end.
- A *run* is a folder that `pretrain`, `finetune` or `ensemble` writes: checkpoints of the model, scores, settings, and a log.
- A *model* is what `load` reads from a run: it predicts, embeds sequences, and scores variants.

Paths are `str` or `Path`; a `Dataset`, a `Run` or a `Model` can be given wherever its folder can. Settings are keywords with the
names of the TOML settings ([settings.md](settings.md)). A mistake of yours is a `DnasptError`; its text says what to do.
It names options as the command line has them: `--learning-rate` is the keyword `learning_rate`, `--overwrite` is
`overwrite=True`, `--no-codons` is `codons=False`, `--lr` is `learning_rate`, and `--min-coding-length` is `min_coding_bp`.
Coordinates are 0-based half-open, unless a text says otherwise. In shapes, B is the number of sequences, L their length in bases,
K the number of labels, and D the number of hidden states.

This page is made from the docstrings by `docs/make_api.py`. A test runs the examples; they use a small simulated genome.
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
    is_error = inspect.isclass(public) and issubclass(public, BaseException)
    if not inspect.isclass(public) or name in BUILT_BY_USERS:
        parts.append(_signature(name, public))
    parts.append(_markdown(inspect.getdoc(public) or "", is_error=is_error))
    if inspect.isclass(public) and not is_error:
        for own, member in vars(public).items():
            if own.startswith("_") or own in _NOT_SHOWN or not getattr(member, "__doc__", None):
                continue
            if inspect.isfunction(member) or isinstance(member, classmethod):
                called = getattr(public, own)
                parts += [f"#### {name}.{own}\n", _signature(own, called), _markdown(inspect.getdoc(called) or "")]
            elif isinstance(member, property):
                parts += [f"#### {name}.{own}\n", _markdown(inspect.getdoc(member) or "")]
    return "\n".join(parts)


def _signature(name: str, function: Any) -> str:
    """Name and parameters, without the types; on one line if they fit."""
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


def _markdown(text: str, *, is_error: bool = False) -> str:
    """A docstring in Google's style as Markdown; of an error without the arguments that build it."""
    blocks, title, lines = [], "", []
    for line in [*text.splitlines(), "Example:"]:
        if line.rstrip(":") in _HEADINGS and line.endswith(":"):
            blocks.append((title, lines))
            title, lines = line.rstrip(":"), []
        else:
            lines.append(line)
    page = "\n".join(_section(title, lines) for title, lines in blocks if not (is_error and title == "Args"))
    return re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", page)


def _section(title: str, lines: list[str]) -> str:
    body = inspect.cleandoc("\n".join(["", *lines])).strip()
    if not title:
        return body + "\n"
    if title == "Example":
        return f"```python\n{body}\n```\n"
    if title == "Returns":
        before, *listed = re.split(r"\n- ", body)
        return "\n".join([f"**Returns**: {_one_line(before)}\n", *(f"- {_one_line(item)}" for item in listed)]) + "\n"
    if title == "Raises":
        body = re.sub(r"\. ((?:\w+Error, )*(?:\w+Error|RunStopped): )", r".\n\1", _one_line(body))
    items: list[str] = []
    for line in body.splitlines():
        found = re.match(r"^(\*{0,2}\w[\w, ]*): (.*)$", line)
        if found:
            items.append(f"- `{found[1]}`: {found[2]}")
        elif items:
            items[-1] += f" {line.strip()}"
    heading = "Arguments" if title == "Args" else title
    return f"**{heading}**\n\n" + "\n".join(items) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    (Path(__file__).parent / "python.md").write_text(api_page(), encoding="utf-8")
