"""Docstrings of this project in the words that griffe knows: examples and errors become lists, addresses become text."""

import re
from typing import Any

from griffe import Extension, Object

ERROR = re.compile(r"(?<=[.;]) (?=(?:\w+Error(?:, \w+Error)*|RunStopped): )")
"""Between two errors that stand in one line of `Raises:`."""


class Docstrings(Extension):
    """Change docstrings before they are parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of an object, if it has one."""
        if obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text: str) -> str:
    """A docstring whose example is code, whose errors stand in lines of their own, and whose addresses are text."""
    text = re.sub(r"^Example:$", "Examples:", re.sub(r"https?://(?=\w)", "", text), flags=re.MULTILINE)
    before, heading, errors = text.partition("\nRaises:\n")
    if not heading:
        return text
    errors, blank, rest = errors.partition("\n\n")
    errors = ERROR.sub("\n    ", f"    {' '.join(errors.split())}")
    return f"{before}{heading}{errors}{blank}{rest}"
