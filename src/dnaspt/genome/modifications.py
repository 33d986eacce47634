"""The name of a row of bedMethyl to what its level is a level of: 5mC, another modification, or several together.

Programs write names (modbam2bed: 5mC), codes of SAM's MM tag (modkit: `m`), numbers of ChEBI (modkit: 27551), with or without
the motif of the row (modkit: `m,CG,0`), and patterns of both strands (modkit pileup-hemi: `m,-,C`). Others write the name of
the sample.
"""

import re
from dataclasses import dataclass

FIVE_MC = "5mC"
ANY_C = "any modification of C"
OTHER = "another modification"
"""A modification whose code is known and whose name does not matter here."""

_OF_CODE = {"m": FIVE_MC, "h": "5hmC", "f": "5fC", "c": "5caC", "C": ANY_C, "a": "6mA"} | dict.fromkeys(
    "gebTUAoGnN", OTHER
)
"""Codes of SAM's MM tag. A capital letter is any modification of that base."""
_OF_CHEBI = {"27551": FIVE_MC, "76792": "5hmC", "76794": "5fC", "76793": "5caC", "21839": "4mC", "28871": "6mA"}
_BEGIN, _END = r"(?<![A-Za-z0-9])", r"(?:p?G|CG|HG|HH)?(?![A-Za-z0-46-9])"
"""Names may be joined (5mC5hmC), and those that begin with 5 may follow letters (brain5hmC)."""
_NAMES = tuple(
    (name, re.compile("|".join(f"(?:{pattern})" for pattern in patterns)))
    for name, patterns in {
        "5hmC": (
            rf"(?:(?<![0-9])(?i:5[-_ ]?(?:h|ohh?)m(?:e|d)?c)|{_BEGIN}(?:hmC|hmc|(?i:ohmc))){_END}",
            r"(?i:hydroxy[-_ ]?methyl)",
        ),
        "5fC": (rf"{_BEGIN}(?:(?i:5[-_ ]?fd?c)|fC){_END}", r"(?i:formyl[-_ ]?(?:deoxy)?cytosine)"),
        "5caC": (rf"{_BEGIN}(?:(?i:5[-_ ]?cad?c)|caC){_END}", r"(?i:carboxy(?:l|deoxy|[-_ ])*cytosine)"),
        "4mC": (rf"{_BEGIN}(?i:n?4[-_ ]?m(?:e|d)?c|m4d?c){_END}", r"(?i:4[-_ ]?methyl[-_ ]?(?:deoxy)?cytosine)"),
        "6mA": (rf"{_BEGIN}(?:(?i:n?6[-_ ]?m(?:e|d)?a|m6d?a)|mA)(?![A-Za-z0-9])", r"(?i:methyl(?:deoxy)?adenine)"),
        OTHER: (
            rf"{_BEGIN}(?i:5[-_ ]?hmu|5[-_ ]?fu|5[-_ ]?cau|8[-_ ]?oxo-?d?g|xao|m1a|m5u|pseu|psi)(?![A-Za-z0-9])",
            r"(?i:pseudouridine|inosine|methyluracil)",
        ),
        FIVE_MC: (
            rf"(?:(?<![0-9])(?i:5[-_ ]?m(?:e|d)?c)|{_BEGIN}(?:(?i:m5d?c)|mC)){_END}",
            r"(?i:(?<![4-][-_ ])(?<!hydroxy[-_ ])(?<![4])(?<![a-z])methyl[-_ ]?(?:deoxy)?cytosine)",
        ),
    }.items()
)
_HINT = re.compile(
    "m[45]?[de]?c|[fa]d?c|m[16]?[de]?a|cyto|hydroxy|aden|oxo|uridine|uracil|inosine|[mf5]u|cau|xao|pse?u|psi|chebi|^[0-9]{4}"
    "|[,+/;|&]|^[a-z] ",
    re.IGNORECASE,
)
"""What a name of three letters or more has in it if it can name a modification: a file may have a name for each of its rows."""
_CYTOSINE = frozenset([FIVE_MC, "5hmC", "5fC", "5caC", ANY_C])


@dataclass(frozen=True, slots=True)
class RowName:
    """What the name of a row says.

    Attributes:
        modifications: names of the modifications whose reads the level counts; empty if the name does not say.
        is_pattern: whether the level is the share of one pattern of both strands.
        motif: the motif that put the row into the file; empty if the name has none.
    """

    modifications: frozenset[str] = frozenset()
    is_pattern: bool = False
    motif: str = ""

    @property
    def is_5mc(self) -> bool:
        """Whether the level is taken as one of 5mC alone: also where the name, as that of a sample, says nothing."""
        return not self.is_pattern and self.modifications <= {FIVE_MC}

    @property
    def is_combined(self) -> bool:
        """Whether the level counts 5mC together with other modifications of the same cytosine, as bisulfite does."""
        is_of_c = bool(self.modifications & {FIVE_MC, ANY_C}) and self.modifications <= _CYTOSINE
        return not self.is_pattern and not self.is_5mc and is_of_c


def parse_name(text: str) -> RowName:
    """Read the name of a row (column 4 of bedMethyl)."""
    text = text.strip("\"' ")
    if len(text) > 2 and not _HINT.search(text):
        return RowName()
    fields = [field.strip() for field in text.split(",")]
    if "-" in fields[:2] and len(fields) > 1:
        return RowName(is_pattern=True)
    if len(fields) > 2 and all(_by_code(field) for field in fields[:2]) and re.fullmatch("[ACGTUN]", fields[2]):
        return RowName(is_pattern=True)
    codes = _by_code(fields[0])
    if codes and len(fields) == 3 and fields[2].isdecimal():
        return RowName(codes, motif=",".join(fields[1:]))
    if len(fields) > 1 and all(_by_code(field) for field in fields):
        return RowName(frozenset().union(*map(_by_code, fields)))
    if not codes and re.match("[a-z] ", text):  # not a capital letter: "T cell" is a sample
        codes = _by_code(text[0])
    if codes:
        return RowName(codes)
    names = frozenset(name for name, pattern in _NAMES if pattern.search(text))
    motif = ",".join(fields[1:]) if len(fields) == 3 and fields[2].isdecimal() else ""
    return RowName(names, motif=motif)


def _by_code(text: str) -> frozenset[str]:
    """Modifications of a code, of a number of ChEBI, or of several of them joined; none if it is neither."""
    if sam := re.fullmatch(r"[ACGTUN][+-]([a-zA-Z]+|[0-9]+)[.?]?", text):  # as in the MM tag: C+mh
        return _by_code(sam[1])
    number = re.fullmatch(r"(?i:chebi:)?([0-9]{4,})", text)
    if number:
        return frozenset([_OF_CHEBI.get(number[1], OTHER)])
    parts = re.split(r"[+/;|&]", text)
    if len(parts) > 1:
        return frozenset().union(*map(_by_code, parts)) if all(map(_by_code, parts)) else frozenset()
    if text in ("mh", "hm"):
        return frozenset([FIVE_MC, "5hmC"])
    return frozenset([_OF_CODE[text]]) if text in _OF_CODE else frozenset()
