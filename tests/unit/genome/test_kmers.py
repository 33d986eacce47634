"""k-mers as numbers, and their reverse complements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaspt.genome import alphabet
from dnaspt.genome.kmers import canonical_kmers, known_kmers, number_kmers, reverse_complement_kmers


def number(word: str) -> int:
    return int(word.translate(str.maketrans("ACGT", "0123")), 4)


@settings(deadline=None)
@given(st.text("ACGT", max_size=40), st.integers(1, 32))
def test_the_number_of_a_kmer_is_its_letters_to_the_base_4(letters: str, k: int) -> None:
    words = [letters[at : at + k] for at in range(len(letters) - k + 1)]
    numbers = number_kmers(alphabet.encode(letters), k)
    assert numbers.tolist() == [number(word) for word in words]
    assert numbers.dtype == (np.uint32 if k <= 16 else np.uint64)


@settings(deadline=None)
@given(st.text("ACGTNacgtn", max_size=30), st.integers(1, 12))
def test_a_kmer_with_an_n_is_not_known_and_case_does_not_matter(letters: str, k: int) -> None:
    known = known_kmers(alphabet.encode(letters), k)
    assert known.tolist() == ["N" not in letters[at : at + k].upper() for at in range(len(letters) - k + 1)]


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
@settings(deadline=None)
@given(words=st.integers(1, 16).flatmap(lambda k: st.lists(st.text("ACGT", min_size=k, max_size=k), min_size=1)))
def test_reverse_complements_of_numbers_are_those_of_the_letters(dtype: type, words: list[str]) -> None:
    k = len(words[0])
    numbers = np.array([number(word) for word in words], dtype=dtype)
    turned = reverse_complement_kmers(numbers, k)
    assert turned.dtype == dtype
    expected = [alphabet.decode(alphabet.reverse_complement(alphabet.encode(word))) for word in words]
    assert turned.tolist() == [number(word) for word in expected]
    assert canonical_kmers(numbers, k).tolist() == np.minimum(numbers, turned).tolist()
    assert numbers.tolist() == [number(word) for word in words]
