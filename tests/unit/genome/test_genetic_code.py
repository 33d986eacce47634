"""The standard genetic code, and that another one is a row of data."""

import re

import pytest

from dnaspt.errors import ConfigError
from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import CODONS, STANDARD, STOP, GeneticCode, genetic_code


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


def test_codes_by_their_number_differ_from_the_standard_one_as_ncbi_says() -> None:
    differences = {
        1: {},
        4: {"TGA": "W"},
        6: {"TAA": "Q", "TAG": "Q"},
        10: {"TGA": "C"},
        12: {"CTG": "S"},
    }
    for table, changed in differences.items():
        code = genetic_code(table)
        assert code.table == table and code.starts == ("ATG",)
        assert dict(code.amino_acids) == dict(STANDARD.amino_acids) | changed
        assert set(code.stops) == {"TAA", "TAG", "TGA"} - set(changed)


def test_a_code_that_is_not_there_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(ConfigError, match="genetic code 7; expected one of NCBI's tables 1, 4, 6, 10, 12"):
        genetic_code(7)


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
        (1, "ATG", "start codons 'ATG'; expected a list of them, such as ['ATG']"),
        (1, ("ATG", "TAA"), "start codon 'TAA' is a stop codon in genetic code 1"),
    ],
)
def test_other_codes_and_starts_are_refused(table: int, starts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        genetic_code(table, starts)
