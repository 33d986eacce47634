"""A simulated genome, read back from its files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnaspt.genome import alphabet
from dnaspt.simulation.simulate import SimulationSummary


@dataclass(frozen=True)
class Simulated:
    out: Path
    summary: SimulationSummary
    codes: dict[str, np.ndarray]
    transcripts: dict[str, tuple[str, str, list[tuple[int, int, int]]]]

    def letters(self, chrom: str, start: int, end: int, strand: str = "+") -> str:
        codes = alphabet.tokens(self.codes[chrom][start:end])
        return alphabet.decode(codes if strand == "+" else alphabet.reverse_complement(codes))

    def rows(self, name: str) -> list[list[str]]:
        return [line.split("\t") for line in (self.out / name).read_text().splitlines() if not line.startswith("#")]
