import itertools
import math
from collections import Counter

import numpy as np
import pytest

from dnaspt.baselines import ngram
from dnaspt.baselines.ngram import MaskedBases, best_ngram, fit_markov, fit_two_sided
from dnaspt.genome.alphabet import N, decode, encode, reverse_complement

MASK = 5

# A chain whose reverse complement is the same chain: its joint matrix J(a, b) equals J(3 - b, 3 - a).
_MOVES = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.5, 0.3, 0.1], [0.1, 0.1, 0.4, 0.5], [0.2, 0.2, 0.2, 0.3]])
_MOVES = _MOVES + _MOVES[::-1, ::-1].T
for _ in range(200):
    _MOVES = _MOVES / _MOVES.sum(axis=1, keepdims=True)
    _MOVES = _MOVES / _MOVES.sum(axis=0, keepdims=True)
LEFT_ENTROPY = -(_MOVES * np.log(_MOVES)).sum(axis=1).mean()


def two_sided_entropy() -> float:
    """Entropy of a base given its neighbors: -sum over triples of p(a, x, b) ln p(x | a, b)."""
    triples = np.einsum("ax,xb->axb", _MOVES, _MOVES) / 4
    return float(-(triples * np.log(triples / triples.sum(axis=1, keepdims=True))).sum())


def chain(n: int, seed: int) -> np.ndarray:
    """n bases of the Markov chain of first order."""
    draws = np.random.default_rng(seed).random(n)
    limits = np.cumsum(_MOVES, axis=1)[:, :3].tolist()
    codes, state = [], 0
    for draw in draws.tolist():
        low, middle, high = limits[state]
        state = (draw > low) + (draw > middle) + (draw > high)
        codes.append(state)
    return np.array(codes, dtype=np.uint8)


def masked(codes: np.ndarray, positions: np.ndarray, offsets: np.ndarray | None = None) -> MaskedBases:
    seen = codes.copy()
    seen[positions] = MASK
    return MaskedBases(seen, whole(codes) if offsets is None else offsets, positions, codes[positions])


def whole(codes: np.ndarray) -> np.ndarray:
    return np.array([0, len(codes)])


@pytest.fixture(scope="module")
def train() -> np.ndarray:
    return chain(300_000, 0)


@pytest.fixture(scope="module")
def valid() -> np.ndarray:
    return chain(200_000, 1)


def test_nats_of_a_markov_chain_are_its_conditional_entropy(train: np.ndarray, valid: np.ndarray) -> None:
    found = best_ngram(train, whole(train), masked(valid, np.arange(10, len(valid), 20)))
    assert found.markov_nats == pytest.approx(LEFT_ENTROPY, abs=0.015)
    assert found.two_sided_nats == pytest.approx(two_sided_entropy(), abs=0.015)
    assert found.two_sided_nats == min(found.nats_by_k)
    assert max(found.nats_by_k) < two_sided_entropy() + 0.03
    assert found.two_sided_accuracy > found.markov_accuracy > 0.3
    assert found.n_masked == 10_000
    assert found.markov_order == 5


def test_random_sequence_costs_ln_4_nats_and_is_guessed_one_time_in_four() -> None:
    rng = np.random.default_rng(2)
    train, valid = (rng.integers(4, size=200_000).astype(np.uint8) for _ in range(2))
    found = best_ngram(train, whole(train), masked(valid, np.arange(10, len(valid), 10)))
    assert found.markov_nats == pytest.approx(math.log(4), abs=0.005)
    assert found.two_sided_nats == pytest.approx(math.log(4), abs=0.005)
    assert found.markov_accuracy == pytest.approx(0.25, abs=0.01)


def test_probabilities_of_the_four_bases_sum_to_1_at_every_step(train: np.ndarray, valid: np.ndarray) -> None:
    seen = masked(valid, np.flatnonzero(np.random.default_rng(3).random(len(valid)) < 0.15))
    for guess in fit_two_sided(train, whole(train), 4).distributions(seen.codes, seen.offsets, seen.positions):
        assert guess.sum(axis=1) == pytest.approx(1, abs=1e-12)
        assert guess.min() > 0


def test_a_masked_neighbor_leaves_the_other_side_to_guess_from(train: np.ndarray, valid: np.ndarray) -> None:
    positions = np.arange(10, len(valid), 20)
    seen = masked(valid, positions)
    seen.codes[positions - 1] = MASK
    assert fit_markov(train, whole(train)).nats(seen).mean() == pytest.approx(math.log(4), abs=0.01)
    assert fit_two_sided(train, whole(train)).nats(seen, k=1).mean() == pytest.approx(LEFT_ENTROPY, abs=0.015)


def test_n_and_the_ends_of_sequences_end_the_context(train: np.ndarray) -> None:
    model = fit_two_sided(train, whole(train), 3)
    for letters, cut in (("ACGTNAAXAANACGT", None), ("ACGTAAXAAACGT", (4, 9))):
        codes = encode(letters.replace("X", "C").encode())
        position = np.array([letters.index("X")])
        offsets = np.array([0, *(cut or ()), len(codes)])
        alone = masked(encode(b"AACAA"), np.array([2]))
        assert model.nats(masked(codes, position, offsets)) == pytest.approx(model.nats(alone), abs=1e-12)


def test_what_stands_at_the_masked_position_is_not_looked_at(train: np.ndarray) -> None:
    model, codes, position = fit_two_sided(train, whole(train), 3), train[:50].copy(), np.array([20])
    guesses = []
    for code in (0, 3, N, MASK, 6):
        codes[20] = code
        guesses.append([*model.distributions(codes, whole(codes), position)][-1])
    assert all(np.array_equal(guess, guesses[0]) for guess in guesses)


def test_soft_masked_bases_count_as_bases(train: np.ndarray, valid: np.ndarray) -> None:
    positions = np.arange(10, 5000, 20)
    upper, lower = masked(valid[:5000], positions), masked(valid[:5000] | 8, positions)
    expected = fit_two_sided(train, whole(train), 3).nats(upper)
    assert np.array_equal(fit_two_sided(train | 8, whole(train), 3).nats(lower), expected)


def test_both_strands_are_guessed_alike(train: np.ndarray, valid: np.ndarray) -> None:
    model = fit_two_sided(train[:20_000], np.array([0, 20_000]))
    positions = np.flatnonzero(np.random.default_rng(4).random(5000) < 0.15)
    forward = model.nats(masked(valid[:5000], positions))
    backward = model.nats(masked(reverse_complement(valid[:5000]), 4999 - positions))
    assert backward == pytest.approx(forward, abs=1e-9)


@pytest.mark.parametrize("n_dense", [0, 4**9])
def test_kmers_are_counted_on_both_strands_of_every_sequence(n_dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram, "_DENSE_KMERS", n_dense)
    monkeypatch.setattr(ngram, "_CHUNK_BP", 37)
    letters = ["ACGTNACGGTCAGTTGACC" * 4, "", "TTGACANN", "GATTACA" * 9]
    codes = encode("".join(letters).encode())
    model = fit_two_sided(codes, np.cumsum([0, *map(len, letters)]), 2)
    strands = [*letters, *(decode(reverse_complement(encode(sequence.encode()))) for sequence in letters)]
    for n in range(1, 6):
        expected = Counter(s[i : i + n] for s in strands for i in range(len(s) - n + 1) if "N" not in s[i : i + n])
        words = ["".join(word) for word in itertools.product("ACGT", repeat=n)]
        assert model._kmers[n - 1][np.arange(4**n)].tolist() == [expected[word] for word in words]


def test_a_train_split_without_a_known_base_gives_the_uniform_distribution(valid: np.ndarray) -> None:
    for train in (np.zeros(0, dtype=np.uint8), np.full(50, N, dtype=np.uint8)):
        found = best_ngram(train, whole(train), masked(valid[:1000], np.arange(10, 1000, 20)))
        assert found.markov_nats == found.two_sided_nats == pytest.approx(math.log(4))


def test_bad_requests_are_refused(train: np.ndarray) -> None:
    with pytest.raises(ValueError, match="none of A C G T"):
        MaskedBases(train, whole(train), np.array([3]), np.array([N], dtype=np.uint8))
    with pytest.raises(ValueError, match="2 positions and 1 true"):
        MaskedBases(train, whole(train), np.array([3, 4]), np.array([0], dtype=np.uint8))
    with pytest.raises(ValueError, match="no masked base"):
        best_ngram(train, whole(train), masked(train, np.zeros(0, dtype=np.int64)))
    with pytest.raises(ValueError, match="contexts of 7 bases"):
        fit_markov(train[:100], np.array([0, 100])).nats(masked(train, np.array([9])), k=7)
