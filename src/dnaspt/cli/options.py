"""Options that several commands share, and the given ones as keywords of the Python API."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dnaspt.policy import OFFLINE, TRUST, allow

HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of every command: -h is --help."""


def option(*declarations: str, help: str, default: str = "", **settings: Any) -> Any:
    """An option of the command line whose default, in words, stands at the end of its help.

    Args:
        declarations: names such as --out and -o; left out, the parameter's.
        help: one or two short sentences.
        default: what holds where the option is not given; left out, Typer shows the parameter's own default.
        **settings: of `typer.Option`.
    """
    if default:
        return typer.Option(*declarations, help=f"{help} [default: {default}]", show_default=False, **settings)
    return typer.Option(*declarations, help=help, **settings)


Data = Annotated[Path, typer.Argument(metavar="DATA", help="Dataset folder made by 'dnaspt prepare'.")]
Config = Annotated[
    Path | None,
    option("--config", metavar="FILE", help="TOML file with any setting (docs/settings.md); options win."),
]
Overwrite = Annotated[bool, option("--overwrite", help="Replace --out if it is there.", default="keep it")]
Accelerator = Annotated[
    Literal["auto", "cpu", "gpu"], option(help="Where to compute; auto takes a GPU if there is one.")
]
TrustCode = Annotated[
    bool,
    option(
        "--trust-remote-code",
        envvar=TRUST,
        help="Run the code that a Hugging Face model brings.",
        default="refuse it",
    ),
]
Offline = Annotated[
    bool,
    option(
        "--offline",
        envvar=OFFLINE,
        help="Never use the network; Hugging Face models come from disk.",
        default="off",
    ),
]

_SWITCHES = ("trust_remote_code", "offline")


def given(context: typer.Context) -> dict[str, Any]:
    """The options that were given on the command line, by the names that the Python API has for them.

    Switches of security (`--trust-remote-code`, `--offline`) are set here and left out.
    """
    options = {name: value for name, value in context.params.items() if value not in (None, [], ())}
    if any(name in options for name in _SWITCHES):
        trust, offline = (bool(options.pop(name, False)) for name in _SWITCHES)
        allow(trust_remote_code=trust, offline=offline)
    return options


def names(text: str | None) -> tuple[str, ...] | None:
    """Names that are separated by commas: for `callback` of an option."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
