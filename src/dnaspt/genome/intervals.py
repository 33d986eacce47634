"""Genomic intervals, 0-based half-open everywhere inside; other conventions are converted here, once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch of a contig: bases start <= i < end, 0-based."""

    chrom: str
    start: int
    end: int
    strand: str = "."

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(
                f"{self.chrom}:{self.start}-{self.end} is not a 0-based half-open interval of one base or more"
            )
        if self.strand not in ("+", "-", "."):
            raise ValueError(f"strand {self.strand!r} is none of + - .")

    @classmethod
    def from_gff3(cls, chrom: str, start: int, end: int, strand: str = ".") -> "Interval":
        """From the 1-based closed coordinates of GFF3 and GTF."""
        return cls(chrom, start - 1, end, strand)

    @classmethod
    def from_bed(cls, chrom: str, start: int, end: int, strand: str = ".") -> "Interval":
        """From the 0-based half-open coordinates of BED, narrowPeak and bedMethyl."""
        return cls(chrom, start, end, strand)

    @classmethod
    def from_bismark(cls, chrom: str, position: int) -> "Interval":
        """From the 1-based position of a Bismark coverage file: one base."""
        return cls(chrom, position - 1, position)

    def __len__(self) -> int:
        return self.end - self.start
