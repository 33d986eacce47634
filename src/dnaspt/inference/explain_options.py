"""What `explain` is asked for: windows of which source, and how they are explained. Nothing here imports PyTorch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dnaspt.data.manifest import SPLITS
from dnaspt.errors import ConfigError

Method = Literal["ism", "gradient", "deeplift"]
METHODS: tuple[Method, ...] = get_args(Method)

N_REFERENCES = 20
"""Shuffled sequences with which DeepLIFT compares each sequence."""
N_WINDOWS = 200
"""Windows of a split that are explained where nothing else is said."""
_MOST_REFERENCES = 1_000
_MOST_SEED = 2**31 - _MOST_REFERENCES
"""Seeds of shuffles are numbers of 32 bits."""


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """How windows are explained.

    Attributes:
        method: ism (each base is changed to each other letter), gradient (gradient x input) or deeplift (DeepLIFT/SHAP).
        average_strands: explain the mean of both strands' scores; None: as the model predicts by default.
        n_references: deeplift: shuffled sequences with which each is compared; with both strands one more if it is odd.
        seed: of windows that are drawn, and of the shuffles.
    """

    method: Method = "ism"
    average_strands: bool | None = None
    n_references: int = N_REFERENCES
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            ConfigError: says what.
        """
        if self.method not in METHODS:
            raise ConfigError(f"method {self.method!r}; expected {', '.join(METHODS)}")
        if not 1 <= self.n_references <= _MOST_REFERENCES:
            raise ConfigError(f"n_references {self.n_references}; expected 1 to {_MOST_REFERENCES:,}")
        if not 0 <= self.seed <= _MOST_SEED:
            raise ConfigError(f"seed {self.seed}; expected 0 to {_MOST_SEED:,}")


@dataclass(frozen=True, slots=True)
class ExplainSource:
    """Where the windows come from: a file of sequences, intervals of a genome, or a split of a dataset.

    Attributes:
        sequences: table or FASTA of sequences.
        genome: FASTA of a genome.
        regions: BED of intervals of the genome.
        data: dataset folder.
        split: of the dataset.
        fold: of the dataset, from 1; 0 for the splits of the whole dataset.
        n_windows: windows of the split at most; None for 200.
        sequence_column: column of the sequences.
        name_column: column of their names.
    """

    sequences: Path | None = None
    genome: Path | None = None
    regions: Path | None = None
    data: Path | None = None
    split: str = "test"
    fold: int = 0
    n_windows: int | None = None
    sequence_column: str | None = None
    name_column: str | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            ConfigError: says what.
        """
        if sum(path is not None for path in (self.sequences, self.genome, self.data)) != 1:
            raise ConfigError("give one of sequences (a table or FASTA), genome with regions (FASTA and BED), or data")
        if (self.genome is None) != (self.regions is None):
            raise ConfigError("genome and regions go together: a FASTA of contigs, and a BED of intervals on them")
        if self.data is None and (self.split != "test" or self.fold or self.n_windows is not None):
            raise ConfigError("split, fold and n_windows are for data")
        if self.sequences is None and (self.sequence_column or self.name_column):
            raise ConfigError("sequence_column and name_column are for sequences")
        if self.split not in SPLITS:
            raise ConfigError(f"split {self.split!r}; expected {', '.join(SPLITS)}")
        if self.n_windows is not None and self.n_windows < 1:
            raise ConfigError(f"n_windows {self.n_windows}; expected 1 or more")

    def inputs(self) -> dict[str, Path | None]:
        """The files and folders that are read, by what they are."""
        return {"sequences": self.sequences, "genome": self.genome, "regions": self.regions, "data": self.data}
