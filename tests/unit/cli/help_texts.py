"""What the help of a command promises, beside what its settings really are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from dnaspt.cli.main import app
from dnaspt.config import Settings

_PROMISED = re.compile(r" \[default: (.*)\]$")


def commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its name in words, such as "prepare genes"."""
    group = typer.main.get_command(app) if group is None else group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands())


def promised(command: str) -> dict[str, str]:
    """The default of each option as the help of a command says it in words."""
    return {
        parameter.name: found[1]
        for parameter in COMMANDS[command].params
        if parameter.param_type_name == "option" and (found := _PROMISED.search(parameter.help or ""))
    }


def own_defaults(command: str) -> dict[str, Any]:
    """The defaults that options have in the code of a command, without those that are empty."""
    return {
        parameter.name: parameter.default
        for parameter in COMMANDS[command].params
        if parameter.param_type_name == "option" and parameter.default not in (None, False, "", [], ())
    }


def defaults_of(settings: type[Settings]) -> dict[str, Any]:
    """The defaults of the settings that need not be given."""
    fields = settings.model_fields.items()
    return {name: field.get_default(call_default_factory=True) for name, field in fields if not field.is_required()}


def wrong_promises(command: str, real: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """The options whose help promises another default than the real one, both said.

    Words such as "keep it" stand for what is empty (None, 0, False) and for a switch that is on. A number is always compared.
    """
    wrong = {}
    for name, words in promised(command).items():
        if name not in real:
            continue
        value, first = real[name], re.split(r"[:; ]", words)[0]
        is_number = re.fullmatch(r"[\d.]+", first) is not None
        if is_number and value is not None:
            right = float(first) == value
        else:
            right = value in (None, False, 0, "", ()) or value is True or words.split(";")[0] == str(value)
        if not right:
            wrong[name] = (words, value)
    return wrong
