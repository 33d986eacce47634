"""The standard genetic code, and that another one is a row of data."""

from dnaspt.genome import alphabet
from dnaspt.genome.genetic_code import CODONS, STANDARD, STOP, GeneticCode


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
