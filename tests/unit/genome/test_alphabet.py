"""Letters, codes, and the two views of a base's code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaspt.genome import alphabet

dna = st.text("ACGTNacgtn", max_size=40)


@settings(deadline=None)
@given(dna)
def test_letters_come_back_with_their_case(letters: str) -> None:
    codes = alphabet.encode(letters)
    assert alphabet.decode(codes) == letters
    assert np.array_equal(alphabet.encode(letters.encode()), codes)


@settings(deadline=None)
@given(dna)
def test_tokens_forget_the_case_and_the_mask_remembers_it(letters: str) -> None:
    codes = alphabet.encode(letters)
    assert alphabet.decode(alphabet.tokens(codes)) == letters.upper()
    assert alphabet.soft_masked(codes).tolist() == [letter.islower() for letter in letters]
    assert alphabet.is_unknown(codes).tolist() == [letter in "Nn" for letter in letters]


@settings(deadline=None)
@given(dna)
def test_cpgs_are_found_in_either_case(letters: str) -> None:
    expected = [at for at in range(len(letters) - 1) if letters[at : at + 2].upper() == "CG"]
    assert alphabet.cpg_positions(alphabet.encode(letters)).tolist() == expected


@settings(deadline=None)
@given(dna)
def test_the_reverse_complement_undoes_itself_and_keeps_case_and_n(letters: str) -> None:
    pairs = str.maketrans("ACGTacgt", "TGCAtgca")
    turned = alphabet.reverse_complement(alphabet.encode(letters))
    assert alphabet.decode(turned) == letters.translate(pairs)[::-1]
    assert alphabet.decode(alphabet.reverse_complement(turned)) == letters


def test_uracil_is_t_other_iupac_letters_are_n_and_the_rest_is_no_dna() -> None:
    assert alphabet.decode(alphabet.encode("UuRYSWKMBDHVry")) == "TtNNNNNNNNNNnn"
    assert (alphabet.encode("EJ*-é1 ") == alphabet.NOT_DNA).all() and len(alphabet.encode("é")) == 1


@pytest.mark.parametrize(
    ("letters", "expected"), [("", False), ("N", True), ("NA", False), ("NnA", True), ("ACGTN", False)]
)
def test_a_sequence_is_mostly_unknown_from_more_than_half_n(letters: str, expected: bool) -> None:
    assert alphabet.is_mostly_unknown(alphabet.encode(letters)) is expected
