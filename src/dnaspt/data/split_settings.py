"""Settings that say how contigs are divided into splits, as every kind of dataset takes them, to a `SplitPlan`."""

from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Self

from pydantic import model_validator

from dnaspt.config import Settings
from dnaspt.data.splits import SplitPlan, read_split_table
from dnaspt.errors import InputError

_SPLIT_WORDS = ("position", "contig", "train", "train-only", "valid", "test")


class SplitSettings(Settings):
    """How contigs are divided.

    split: "position", "contig", one of the other words of `SplitPlan`, or the path of a split table.
    fractions: train, valid and test parts of "position".
    valid_contigs, test_contigs: names, for "contig".
    """

    split: str | None = None
    fractions: tuple[float, float, float] = (0.72, 0.08, 0.20)
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split_table is not None and not self.split_table.exists():
            raise ValueError(f"split {self.split!r} is neither a file nor one of {', '.join(_SPLIT_WORDS)}")
        if self.split != "contig" and (self.valid_contigs or self.test_contigs):
            raise ValueError("valid_contigs and test_contigs have an effect with split 'contig' alone")
        return self

    @property
    def split_table(self) -> Path | None:
        """The table that divides the contigs, where one does."""
        return Path(self.split) if self.split is not None and self.split not in _SPLIT_WORDS else None

    def plan(self) -> SplitPlan:
        """How contigs are divided; by position where nothing is said.

        Raises:
            InputError: a split table that cannot be used.
            ConfigError: fractions that do not sum to 1, or a contig that is named twice.
        """
        if self.split_table is not None:
            return SplitPlan(by="column", table=read_split_table(self.split_table))
        return SplitPlan(
            by=self.split or "position",  # type: ignore[arg-type]  # one of the words, checked when built
            fractions=self.fractions,
            valid_contigs=frozenset(self.valid_contigs),
            test_contigs=frozenset(self.test_contigs),
        )


def check_written(genome: Path, n_windows: Mapping[str, int], wanted: Set[str], dropped: Counter[str]) -> None:
    """Refuse a dataset without a window, or without one in a split that was asked for.

    Args:
        genome: the file that the error names.
        n_windows: windows by split.
        wanted: splits that must have some.
        dropped: why windows are not there.

    Raises:
        InputError: there is none; the reasons are named.
    """
    empty = [split for split in ("train", "valid") if split in wanted and not n_windows.get(split)]
    if any(n_windows.values()) and not empty:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items() if count) or "nothing was dropped"
    if not any(n_windows.values()):
        raise InputError(genome, f"no window left ({reasons})", do="check window_bp, the split and the filters")
    do = "choose another --split or a smaller window_bp"
    raise InputError(genome, f"no window in the {empty[0]} split ({reasons})", expected="one or more", do=do)
