"""Sequences without a genome to train, valid and test, so that near copies stay together: no part learns what another tests."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from dnaspt.errors import ConfigError
from dnaspt.genome import alphabet
from dnaspt.prepare.folds import N_BLOCKS, FoldInterval, FoldPlan
from dnaspt.prepare.leakage import (
    BATCH_BP,
    MAX_COPIES,
    MAX_KMERS,
    MIN_CONTAINMENT,
    MIN_KMERS,
    sampled_kmers,
    strand_digest,
)

_ROWS = 1 << 12
"""Sequences that are compared with all others at once, to bound memory."""


def near_copy_groups(sequences: Sequence[np.ndarray], min_containment: float = MIN_CONTAINMENT) -> np.ndarray:
    """Groups of sequences that are copies or near copies of each other, on either strand, also through others between them.

    Two sequences are near copies where they share so much of the distinct k-mers (16 bases) of the one with fewer. Those with
    fewer than six k-mers are compared as a whole alone. Sequences of low complexity, which the report of leakage leaves out, are
    kept together here.

    Args:
        sequences: codes (L,) uint8 of each of n sequences.
        min_containment: that share.

    Returns:
        Number of the group of each sequence (n,) int64.
    """
    n = len(sequences)
    digests = np.array([strand_digest(alphabet.tokens(codes)) for codes in sequences], dtype=np.uint64)
    _, same = np.unique(digests, return_inverse=True)
    first_with = np.full(same.max(initial=-1) + 1, -1)
    first_with[same[::-1]] = np.arange(n)[::-1]
    exact = np.flatnonzero(digests)  # 0: mostly N, like nothing else
    links = [np.stack([exact, first_with[same[exact]]], axis=1), *_near_links(sequences, min_containment)]
    pairs = np.concatenate(links)
    graph = sparse.coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _near_links(sequences: Sequence[np.ndarray], min_containment: float) -> list[np.ndarray]:
    """Pairs (m, 2) of near copies, some rows at a time."""
    hashes, owners = _kmers_of(sequences)
    n_kmers = np.bincount(owners, minlength=len(sequences))
    kept = n_kmers[owners] >= MIN_KMERS
    hashes, owners = hashes[kept], owners[kept]
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    if not len(hashes):
        return []
    is_first = np.append(True, hashes[1:] != hashes[:-1])
    column = np.cumsum(is_first) - 1
    rank = np.arange(len(hashes)) - np.flatnonzero(is_first)[column]
    is_shared = np.bincount(column)[column] > 1
    shape = (len(sequences), int(column[-1]) + 1)

    def matrix(kept: np.ndarray) -> sparse.csr_matrix:
        return sparse.csr_matrix((np.ones(int(kept.sum()), np.int32), (owners[kept], column[kept])), shape=shape)

    of_all, of_first = matrix(is_shared), matrix(is_shared & (rank < MAX_COPIES)).T.tocsr()
    links = []
    for start in range(0, len(sequences), _ROWS):
        shared = (of_all[start : start + _ROWS] @ of_first).tocoo()
        ours, theirs = shared.row + start, shared.col
        least = np.minimum(n_kmers[ours], n_kmers[theirs])
        are_near = (ours != theirs) & (shared.data >= min_containment * least)
        links.append(np.stack([ours[are_near], theirs[are_near]], axis=1).astype(np.int64))
    return links


def _kmers_of(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sampled k-mers of all sequences, and the sequence of each."""
    total_bp = sum(map(len, sequences))
    scale = 1 << max(0, (total_bp // MAX_KMERS).bit_length())
    hashes, owners = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    first, pending_bp = 0, 0
    for index, codes in enumerate(sequences):
        pending_bp += len(codes)
        if pending_bp >= BATCH_BP or index == len(sequences) - 1:
            own, of = sampled_kmers(sequences[first : index + 1], scale)
            hashes.append(own)
            owners.append(of.astype(np.int64) + first)
            first, pending_bp = index + 1, 0
    return np.concatenate(hashes), np.concatenate(owners)


def draw_splits(groups: np.ndarray, strata: Sequence[Hashable], shares: dict[str, float], seed: int) -> np.ndarray:
    """Draw whole groups into splits, so that each split has its share of the sequences, and of each stratum of labels.

    Args:
        groups: group of each of n sequences (n,).
        strata: what is to be alike in all splits, of each sequence: its labels.
        shares: share of each split; they sum to 1.
        seed: seed of the draw.

    Returns:
        Name of the split of each sequence (n,).
    """
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(index)
    by_stratum: dict[Hashable, list[int]] = {}
    for group, own in members.items():
        stratum = Counter(strata[index] for index in own).most_common(1)[0][0]
        by_stratum.setdefault(stratum, []).append(group)
    generator = np.random.default_rng(seed)
    names = list(shares)
    splits = np.empty(len(groups), dtype=object)
    all_counts = dict.fromkeys(names, 0)
    for own_groups in by_stratum.values():
        shuffled = [own_groups[index] for index in generator.permutation(len(own_groups))]
        shuffled.sort(key=lambda group: -len(members[group]))  # the large ones first, while there is room for them
        counts = dict.fromkeys(names, 0)
        for group in shuffled:
            size = len(members[group])
            done, all_done = sum(counts.values()) + size, sum(all_counts.values()) + size
            # what the stratum lacks, and what all of them together lack: strata may have a single sequence
            lacking = {name: shares[name] * (done + all_done) - counts[name] - all_counts[name] for name in names}
            split = max(names, key=lambda name: lacking[name])
            counts[split] += size
            all_counts[split] += size
            splits[members[group]] = split
    return splits


def draw_folds(
    names: Sequence[str],
    lengths: Sequence[int],
    groups: np.ndarray,
    strata: Sequence[Hashable],
    n_folds: int,
    seed: int,
) -> FoldPlan:
    """Draw whole groups into folds of a cross-validation, and folds into blocks, each with its share of each stratum.

    Args:
        names: name of each of n sequences, all different.
        lengths: its bases.
        groups: its group.
        strata: what is to be alike in all blocks; see `draw_splits`.
        n_folds: number of folds.
        seed: seed of the draw.

    Raises:
        ConfigError: fewer groups than folds.
    """
    n_groups = len(np.unique(groups))
    if n_groups < n_folds:
        raise ConfigError(f"{n_folds} folds of {n_groups} sequences that are no near copies; say fewer folds")
    folds = {str(number): 1 / n_folds for number in range(1, n_folds + 1)}
    fold = draw_splits(groups, strata, folds, seed).astype(np.int64)
    block, of_folds = np.zeros(len(names), dtype=np.int64), []
    for number in range(1, n_folds + 1):
        own = np.flatnonzero(fold == number)
        if not len(own):
            raise ConfigError(f"{n_folds} folds, but near copies are so many that one is empty; say fewer folds")
        n_blocks = min(N_BLOCKS, len(np.unique(groups[own])))
        n_before = int(block.max())
        blocks = {str(n_before + 1 + k): 1 / n_blocks for k in range(n_blocks)}
        block[own] = draw_splits(groups[own], [strata[row] for row in own.tolist()], blocks, seed).astype(np.int64)
        of_folds.append(tuple(np.unique(block[own]).tolist()))
    rows = zip(names, lengths, fold.tolist(), block.tolist(), strict=True)
    return FoldPlan(n_folds, tuple(FoldInterval(name, 0, n_bp, *own) for name, n_bp, *own in rows), tuple(of_folds))
