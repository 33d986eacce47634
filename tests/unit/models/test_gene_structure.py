"""The tables of genes against a plain reading of every codon, every pair of letters, and every split of a codon."""

from itertools import product

import numpy as np
import pytest

from dnaspt.genome.genetic_code import GENETIC_CODES, GeneticCode, genetic_code
from dnaspt.models.gene_structure import (
    BARRED,
    END,
    GENE_LEFT,
    GENE_RIGHT,
    GO_ON,
    INTRON_LEFT,
    INTRON_RIGHT,
    MINUS_SHIFT,
    gene_structure,
    word_number,
)

TABLES = sorted(GENETIC_CODES)


def words(n: int) -> list[str]:
    return ["".join(letters) for letters in product("ACGTN", repeat=n)]


def turned(word: str) -> str:
    return word[::-1].translate(str.maketrans("ACGT", "TGCA"))


def ends(code: GeneticCode, strand: int) -> tuple[set[str], set[str], set[str]]:
    """The codons that a gene may begin with and end with from left to right, and those that no frame may hold."""
    if strand == 0:
        return set(code.starts), set(code.stops), set(code.stops)
    return set(map(turned, code.stops)), set(map(turned, code.starts)), set(map(turned, code.stops))


def test_numbers_of_words_are_in_base_five() -> None:
    assert [word_number(word) for word in ("A", "N", "CA", "TTT", "NNN")] == [0, 4, 5, 93, 124]


@pytest.mark.parametrize("table", TABLES)
def test_flags_of_boundaries(table: int) -> None:
    code = genetic_code(table)
    structure = gene_structure(code)
    for strand in range(2):
        shift = MINUS_SHIFT * strand
        left, right, barred = ends(code, strand)
        for word in words(3):
            flags = int(structure.codon_left[word_number(word)]) >> shift & 31
            assert flags == GENE_LEFT * (word in left) + BARRED * (word in barred)
            assert int(structure.codon_right[word_number(word)]) >> shift & 31 == GENE_RIGHT * (word in right)
        begins, stops = ({"GT", "GC"}, {"AG"}) if strand == 0 else ({"CT"}, {"AC", "GC"})
        for word in words(2):
            assert int(structure.pair_left[word_number(word)]) >> shift & 31 == INTRON_LEFT * (word in begins)
            assert int(structure.pair_right[word_number(word)]) >> shift & 31 == INTRON_RIGHT * (word in stops)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("strand", [0, 1])
def test_classes_allow_what_the_whole_codons_allow(table: int, strand: int) -> None:
    code = genetic_code(table)
    structure = gene_structure(code)
    left, right, barred = ends(code, strand)
    for phase in (1, 2):
        for prefix in words(phase):
            later = structure.later[strand, phase, word_number(prefix)]
            first = structure.first[strand, phase, word_number(prefix)]
            assert structure.phases[strand, later] == phase and not structure.edges[strand, later]
            fits = {codon for codon in left if codon.startswith(prefix)}
            assert (first >= 0) == bool(fits)
            for rest in words(3 - phase):
                outcome = structure.outcomes[strand, later, word_number(rest)]
                assert outcome == GO_ON * (prefix + rest not in barred) + END * (prefix + rest in right)
                if fits:
                    assert structure.outcomes[strand, first, word_number(rest)] == GO_ON * (prefix + rest in fits)
            if fits:
                assert structure.phases[strand, first] == phase and not structure.edges[strand, first]


@pytest.mark.parametrize("table", TABLES)
def test_whole_codons_and_unknown_prefixes_allow_everything(table: int) -> None:
    structure = gene_structure(genetic_code(table))
    for strand in range(2):
        assert structure.phases[strand, structure.later[strand, 0, 0]] == 0
        assert structure.outcomes[strand, structure.later[strand, 0, 0], 0] == GO_ON
        for phase in range(3):
            edge = structure.edge[strand, phase]
            assert structure.phases[strand, edge] == phase and structure.edges[strand, edge]
            assert (structure.outcomes[strand, edge, : 5 ** ((3 - phase) % 3)] == GO_ON).all()


@pytest.mark.parametrize("table", TABLES)
def test_no_two_classes_are_the_same(table: int) -> None:
    structure = gene_structure(genetic_code(table))
    for strand in range(2):
        real = np.flatnonzero(structure.phases[strand] >= 0)
        rows = {
            (structure.phases[strand, c], structure.edges[strand, c], structure.outcomes[strand, c].tobytes())
            for c in real
        }
        assert len(rows) == len(real)


def test_classes_of_the_standard_code_by_hand() -> None:
    structure = gene_structure()
    one, two = structure.later[0, 1], structure.later[0, 2]
    assert len({one[word_number(letter)] for letter in "ACGN"}) == 1 and one[word_number("T")] != one[word_number("A")]
    assert len(set(two.tolist())) == 3
    assert two[word_number("TA")] != two[word_number("TG")] != two[word_number("AA")]
    after_t = structure.outcomes[0, one[word_number("T")]]
    assert [int(after_t[word_number(rest)]) for rest in ("AA", "AG", "GA", "GG", "NA")] == [END] * 3 + [GO_ON] * 2
