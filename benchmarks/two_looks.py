"""athaliana_seeds, whose question was asked of three seeds and again of five: the interval that allows for both looks.

`python benchmarks/two_looks.py` reads the records, trains nothing, and prints the gain of self-pretraining with a CRF, its
95 % interval, and that of 97.5 %, so that both looks together err one time in twenty at most (Bonferroni).
"""

from pathlib import Path

import numpy as np

from dnaspt.reports.compare import drawn_means, groups_of
from dnaspt.studies.records import read_records

RECORDS = Path(__file__).parent.parent / "examples" / "studies" / "athaliana_averaged" / "records"
ARMS = ("scratch + CRF", "SPT + CRF")


def main() -> None:
    """Print both intervals."""
    finals = read_records(RECORDS, "final")
    whole = [record for record in finals if record.job.arm in ARMS and record.job.label_fraction == 1]
    groups = {group.arm: group for group in groups_of(whole)}
    before, after = (groups[arm] for arm in ARMS)
    values, resampled = after.values - before.values, after.resampled - before.resampled
    print("gain by seed:", " ".join(f"{value:+.3f}" for value in values), f"mean {values.mean():+.3f}")
    for level in (0.95, 0.975):
        drawn = drawn_means(values, resampled, before.n_blocks, level)
        low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
        print(f"{level:.1%}: [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()
