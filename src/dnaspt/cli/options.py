"""Options that several commands share, and the given ones as keywords of the Python API."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from dnaspt.security import OFFLINE, TRUST, allow

HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of every command: -h is --help."""

_IN_ORDER_OF_USE = (
    *(
        "prepare",
        "pretrain",
        "finetune",
        "evaluate",
        "predict",
        "decode",
        "embed",
        "explain",
        "variants",
        "baseline",
        "study",
        "ensemble",
        "report",
        "browse",
        "inspect",
    ),
    *("compare-annotations", "simulate", "export", "bend"),
)

_ENDS_WITHIN = re.compile(r"[:-]\d{1,3}(,\d{3})*$")
_GOES_ON = re.compile(r"\d{3}(-\d{1,3})?")
"""Ends and beginnings of parts of an interval with commas in its positions."""


class Commands(TyperGroup):
    """The commands in their order of use; Typer would put those with subcommands last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, as `--help` shows them."""
        return [name for name in _IN_ORDER_OF_USE if name in self.commands]


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises where the words of a command line make no sense; it exports the subclass alone."""


class Command(TyperCommand):
    """A command whose help shows the names of its arguments without their Python types, and that loses no value.

    An option that takes one value and is given twice is an error: Typer would take the last one and say nothing.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line.

        Raises:
            UsageError: they make no sense; an option that takes one value was given more than once.
        """
        if not ctx.resilient_parsing:
            _, _, in_order = self.make_parser(ctx).parse_args(args=list(args))
            for parameter, times in Counter(in_order).items():
                if times > 1 and parameter.param_type_name == "option" and not parameter.multiple:
                    names = " / ".join((*parameter.opts, *parameter.secondary_opts))
                    raise UsageError(f"Option '{names}' was given {times} times; it takes one value", ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options, each with its help."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            records = [
                record
                for parameter in self.get_params(ctx)
                if parameter.param_type_name == kind and (record := parameter.get_help_record(ctx))
            ]
            if kind == "argument":
                records = [(name.split(" <")[0], text) for name, text in records]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


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
    option(
        "--config", metavar="FILE", help="TOML file with any setting (docs/settings.md); options win.", default="none"
    ),
]
Fold = Annotated[
    int | None,
    option(metavar="K", help="Fold of a dataset made with --folds, from 1.", default="splits of the whole dataset"),
]
SequenceColumn = Annotated[
    str | None,
    option(
        metavar="NAME",
        help="Of a table: column of the sequences.",
        default="sequence, seq, dna, dna_sequence, sequences or text",
    ),
]
NameColumn = Annotated[
    str | None,
    option(
        metavar="NAME",
        help="Of a table: column of the names.",
        default="name, id, index, seq_id, sequence_id or seqname, if any",
    ),
]
Overwrite = Annotated[bool, option("--overwrite", help="Replace what is there already.", default="refuse")]
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

Json = Annotated[
    bool,
    option("--json", help="Print JSON (docs/json.md); messages go to standard error.", default="tables"),
]

_SWITCHES = ("trust_remote_code", "offline")


def given(context: typer.Context) -> dict[str, Any]:
    """The options that were given on the command line, by the names that the Python API has for them.

    Options that were not given are left out, so that a TOML file or the default of the API decides. Switches of security
    (`--trust-remote-code`, `--offline`) are set here and left out, too. With `--json` messages go to standard error until the
    command ends.
    """
    options = dict(context.params)
    if options.pop("as_json", False):
        from dnaspt.progress import messages_to_stderr

        messages_to_stderr(wanted=True)
        context.call_on_close(lambda: messages_to_stderr(wanted=False))
    trust, offline = (bool(options.pop(name, False)) for name in _SWITCHES)
    allow(trust_remote_code=trust, offline=offline)
    return {name: value for name, value in options.items() if _is_given(context, name)}


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether a person has given an option; else it has its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def loci_of(text: str | None) -> tuple[str, ...] | None:
    """As `names`, of windows and intervals: the commas of chr1:5,001-5,100 divide nothing. For `callback` of an option."""
    parts = names(text)
    joined: list[str] = []
    for part in parts or ():
        if joined and _ENDS_WITHIN.search(joined[-1]) and _GOES_ON.fullmatch(part):
            joined[-1] += f",{part}"
        else:
            joined.append(part)
    return None if parts is None else tuple(joined)


def names(text: str | None) -> tuple[str, ...] | None:
    """Names that are separated by commas: for `callback` of an option."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
