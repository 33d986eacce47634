"""Windows in memory to a report of what their splits share."""

from collections.abc import Iterable, Mapping

from dnaspt.data.dataset import Window
from dnaspt.data.manifest import LeakageReport
from dnaspt.prepare.leakage import LeakageSketch


def leakage_report(windows_by_split: Mapping[str, Iterable[Window]], *, same_genome: bool = True) -> LeakageReport:
    """What the windows of splits share, by the name of the split; see `LeakageSketch`."""
    sketch = LeakageSketch(same_genome=same_genome)
    for split, rows in windows_by_split.items():
        for window in rows:
            sketch.add(split, window)
    return sketch.report()
