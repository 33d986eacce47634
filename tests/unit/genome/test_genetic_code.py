"""Genetic codes: the standard one, others by their numbers, and start codons."""

import re

import pytest

from dnaspt.errors import ConfigError
from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import CODONS, GENETIC_CODES, STANDARD, STOP, GeneticCode, genetic_code


def test_codons_stand_in_the_order_of_their_codes() -> None:
    numbers = [int(alphabet.encode(codon) @ [16, 4, 1]) for codon in CODONS]
    assert numbers == list(range(64))


def test_the_standard_code_has_three_stops_and_all_twenty_amino_acids() -> None:
    assert set(STANDARD.stops) == {"TAA", "TAG", "TGA"} and STANDARD.starts == ("ATG",)
    assert set(STANDARD.amino_acids.values()) == {*"ACDEFGHIKLMNPQRSTVWY", STOP}
    examples = {"ATG": "M", "TGG": "W", "GCC": "A", "AAA": "K", "CGT": "R", "TTT": "F", "GGG": "G"}
    assert {codon: STANDARD.amino_acids[codon] for codon in examples} == examples


def test_another_code_is_one_line_of_ncbi() -> None:
    ciliate = GeneticCode.from_ncbi(6, "FFLLSSSSYYQQCC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", ("ATG",))
    assert ciliate.stops == ("TGA",)
    assert [ciliate.amino_acids[codon] for codon in ("TAA", "TAG")] == ["Q", "Q"]


@pytest.mark.parametrize(
    ("table", "stops", "others"),
    [
        (1, {"TAA", "TAG", "TGA"}, {}),
        (4, {"TAA", "TAG"}, {"TGA": "W"}),
        (6, {"TGA"}, {"TAA": "Q", "TAG": "Q"}),
        (10, {"TAA", "TAG"}, {"TGA": "C"}),
        (12, {"TAA", "TAG", "TGA"}, {"CTG": "S"}),
    ],
)
def test_codes_have_the_numbers_of_ncbi_and_differ_from_the_standard_one_in_few_codons(
    table: int, stops: set[str], others: dict[str, str]
) -> None:
    code = genetic_code(table)
    assert (code.table, set(code.stops), code.starts) == (table, stops, ("ATG",))
    differing = {
        codon: code.amino_acids[codon] for codon in CODONS if code.amino_acids[codon] != STANDARD.amino_acids[codon]
    }
    assert differing == others
    assert genetic_code(table) is code is GENETIC_CODES[table]


def test_start_codons_can_be_added_and_give_the_same_object_each_time() -> None:
    code = genetic_code(12, ("ATG", "CTG"))
    assert code.starts == ("ATG", "CTG") and code.stops == genetic_code(12).stops
    assert genetic_code(12, ["ATG", "CTG", "ATG"]) is code
    assert genetic_code(1, ("ATG",)) is STANDARD


@pytest.mark.parametrize(
    ("table", "starts", "message"),
    [
        (7, (), "genetic code 7; expected one of NCBI's tables 1, 4, 6, 10, 12"),
        (1, ("AUG",), "start codon 'AUG'; expected three letters of A, C, G and T, such as ATG"),
        (1, ("ATG", "TAA"), "start codon 'TAA' is a stop codon in genetic code 1"),
    ],
)
def test_other_codes_and_starts_are_refused(table: int, starts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        genetic_code(table, starts)
