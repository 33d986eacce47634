"""Genetic codes and splice sites as data: what each codon means, which codons start and stop a gene, how introns end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from types import MappingProxyType
from typing import NamedTuple, Self

from dnaspt.errors import ConfigError

CODONS = tuple("".join(bases) for bases in product("ACGT", repeat=3))
"""The 64 codons, AAA AAC AAG AAT ACA ... TTT: the order of their letters' codes."""
STOP = "*"


@dataclass(frozen=True, slots=True, eq=False)
class GeneticCode:
    """A genetic code.

    Attributes:
        table: its number at NCBI (https://www.ncbi.nlm.nih.gov/Taxonomy/Utils/wprintgc.cgi).
        amino_acids: one-letter amino acid of each codon, `STOP` for a stop codon.
        starts: codons that a complete gene begins with.
        stops: codons that end a gene.
    """

    table: int
    amino_acids: Mapping[str, str]
    starts: tuple[str, ...]
    stops: tuple[str, ...]

    @classmethod
    def from_ncbi(cls, table: int, amino_acids: str, starts: tuple[str, ...]) -> Self:
        """From the line "AAs" of NCBI's table: 64 letters for TTT TTC TTA TTG TCT ... GGG.

        Args:
            table: its number at NCBI.
            amino_acids: the line.
            starts: codons that a complete gene begins with.
        """
        codons = ("".join(bases) for bases in product("TCAG", repeat=3))
        meaning = dict(zip(codons, amino_acids, strict=True))
        stops = tuple(codon for codon in CODONS if meaning[codon] == STOP)
        return cls(table, MappingProxyType(meaning), starts, stops)


STANDARD = GeneticCode.from_ncbi(1, "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",))
"""The standard code. NCBI also lists TTG and CTG as starts; annotations of nuclear genes begin with ATG."""
GENETIC_CODES: Mapping[int, GeneticCode] = MappingProxyType(
    {
        1: STANDARD,
        4: GeneticCode.from_ncbi(4, "FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",)),
        6: GeneticCode.from_ncbi(6, "FFLLSSSSYYQQCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",)),
        10: GeneticCode.from_ncbi(10, "FFLLSSSSYY**CCCWLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",)),
        12: GeneticCode.from_ncbi(12, "FFLLSSSSYY**CC*WLLLSPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",)),
    }
)
"""Codes by their number at NCBI: 1 standard; 4 mold and protozoan mitochondria, Mycoplasma; 6 ciliates; 10 Euplotes;
12 alternative yeasts, as Candida. All of them with ATG as their only start."""


def genetic_code(table: int, starts: Sequence[str] = ()) -> GeneticCode:
    """The code with this number at NCBI.

    Args:
        table: its number, a key of `GENETIC_CODES`.
        starts: codons that a gene may begin with; none given: ATG.

    Returns:
        the code, the same object for the same table and starts.

    Raises:
        ConfigError: there is none here, or a start is no codon of A, C, G and T, or is a stop codon of this code.
    """
    if table not in GENETIC_CODES:
        known = ", ".join(map(str, GENETIC_CODES))
        raise ConfigError(f"genetic code {table}; expected one of NCBI's tables {known}")
    code = GENETIC_CODES[table]
    if isinstance(starts, str):
        raise ConfigError(f"start codons {starts!r}; expected a list of them, such as ['ATG']")
    for start in starts:
        if start not in CODONS:
            raise ConfigError(f"start codon {start!r}; expected three letters of A, C, G and T, such as ATG")
        if start in code.stops:
            raise ConfigError(f"start codon {start!r} is a stop codon in genetic code {table}")
    return code if tuple(starts) in ((), code.starts) else _with_starts(code, tuple(dict.fromkeys(starts)))


@cache
def _with_starts(code: GeneticCode, starts: tuple[str, ...]) -> GeneticCode:
    """The same code with other start codons: one object, so that what is derived from it is kept."""
    return replace(code, starts=starts)


class SplicePair(NamedTuple):
    """First and last two letters of an intron, in the direction of transcription."""

    donor: str
    acceptor: str


GT_AG, GC_AG, AT_AC = SplicePair("GT", "AG"), SplicePair("GC", "AG"), SplicePair("AT", "AC")
MAJOR_SPLICE_PAIRS = (GT_AG, GC_AG)
"""Introns of the major spliceosome: 98.7 % and 0.6 % of mammalian introns (Burset et al. 2000)."""
SPLICE_PAIRS = (GT_AG, GC_AG, AT_AC)
"""With those of the minor spliceosome. What has other ends is most often an error of annotation or assembly."""
