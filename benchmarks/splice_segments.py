"""Spliced segments (exon end, intron, exon start) as extra sequence for pretraining, without the genes that a dataset holds out.

`python benchmarks/splice_segments.py $DNASPT_REAL_DATA/splice_segments/eie.at.txt.gz --data data/athaliana --out extra.fa.gz`
A gene is left out with all its segments where one of them shares `--shared` or more 16-mers, on either strand, with the valid or
test split of the dataset. The segments of a gene are joined by ten N.
"""

import argparse
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np

from dnaspt.data.dataset import read_split
from dnaspt.genome import alphabet
from dnaspt.prepare.leakage import sampled_kmers

BETWEEN = "N" * 10


def main() -> None:
    """Read, check by sequence, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("segments", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="dataset whose valid and test splits are held out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shared", type=int, default=5)
    chosen = parser.parse_args()
    genes: dict[str, list[str]] = defaultdict(list)
    with gzip.open(chosen.segments, "rt", encoding="ascii") as lines:
        for line in lines:
            left, intron, right, _, gene = line.split()
            genes[gene].append(left + intron + right)
    held = held_out(chosen.data)
    kept = {name: parts for name, parts in genes.items() if most_shared(parts, held) < chosen.shared}
    with gzip.open(chosen.out, "wt", encoding="ascii") as file:
        for name, parts in kept.items():
            file.write(f">{name}\n{BETWEEN.join(parts)}\n")
    n_bp = sum(len(part) for parts in kept.values() for part in parts)
    print(f"{len(genes)} genes, {len(genes) - len(kept)} left out as held out by sequence; {n_bp:,} bp in {chosen.out}")


def held_out(data: Path) -> np.ndarray:
    """Hashes of all 16-mers of the valid and test splits, in order."""
    windows = []
    for name in ("valid", "test"):
        split = read_split(data, name)
        windows += [split.window(row).codes for row in range(len(split))]
    return np.unique(sampled_kmers(windows, 1)[0])


def most_shared(segments: list[str], held: np.ndarray) -> int:
    """The largest number of 16-mers that a segment shares with those held out."""
    hashes, segment = sampled_kmers([alphabet.encode(letters.encode()) for letters in segments], 1)
    is_held = held[np.minimum(np.searchsorted(held, hashes), len(held) - 1)] == hashes
    return int(np.bincount(segment[is_held], minlength=1).max())


if __name__ == "__main__":
    main()
