"""A sensitivity that is asked for, to how much more or less probable genes are made: by what `finetune` measured on valid.

Sensitivity is that of exons with both ends exact, as the field reports it. That of coding bases would be no safe promise: it
hardly falls where genes become so improbable that neighbors are joined into one.
"""

from dnaspt.checkpoint_config import CheckpointConfig, OperatingPoint, SplitRates
from dnaspt.errors import ConfigError
from dnaspt.tasks import GENE_MODEL


def check_sensitivity(sensitivity: float | None, head: str) -> None:
    """Refuse a sensitivity that is no share, or that is asked of another head than a gene model.

    Raises:
        ConfigError: says which.
    """
    if sensitivity is None:
        return
    if head != GENE_MODEL:
        raise ConfigError(f"--sensitivity is for gene models; this model has a {head} head")
    if not 0 < sensitivity <= 1:
        raise ConfigError(f"sensitivity {sensitivity:g}; expected more than 0 and at most 1, a share of exons")


def operating_point(config: CheckpointConfig, sensitivity: float) -> OperatingPoint:
    """Of the gene offsets whose sensitivity of exons on valid reaches what is asked for, the one of the highest precision.

    Where more genes always cost precision, that is the lowest of these offsets. Offsets are not interpolated: the sensitivity
    and the precision of the one that is taken were measured.

    Args:
        config: description of a gene model.
        sensitivity: share of the annotated exons whose both ends are exact, above 0, at most 1.

    Raises:
        ConfigError: none reaches it, or none is on record.
    """
    if not config.operating_points:
        problem = "the checkpoint has no record of sensitivities: an earlier version of dnaspt wrote it"
        raise ConfigError(f"--sensitivity: {problem}; run 'dnaspt finetune' again, or leave the option out")
    points = [point for point in config.operating_points if point.valid.exon.sensitivity is not None]
    if not points:
        raise ConfigError("--sensitivity: the valid split of the model has no exon, so nothing was measured on it")
    reaching = [point for point in points if _sensitivity(point) >= sensitivity]
    if not reaching:
        best = max(points, key=_sensitivity)
        highest = f"the highest is {_sensitivity(best):.4f}, at {best.gene_offset:+g} nats"
        raise ConfigError(f"sensitivity {sensitivity:g} of exons is not reached on the model's valid split; {highest}")
    return max(reaching, key=lambda point: (point.valid.exon.precision or 0, -abs(point.gene_offset)))


def _sensitivity(point: OperatingPoint) -> float:
    return point.valid.exon.sensitivity or 0.0


def describe(point: OperatingPoint, sensitivity: float, *, has_network: bool = False) -> str:
    """What was asked for, what was taken, and what to expect of it, in one line.

    Args:
        point: the operating point that was taken.
        sensitivity: share of exons that was asked for.
        has_network: whether the gene model has a network; the rates on train were measured without it.
    """
    how = "out of fold, without the network" if has_network else "out of fold"
    taken = f"{sensitivity:g} of exons asked for, {point.gene_offset:+g} nats on the log-odds of a gene's beginning"
    return f"{taken}; valid: {_rates(point.valid)}; train, {how}: {_rates(point.train)}"


def _rates(split: SplitRates) -> str:
    """Sensitivity and precision of a split, in words."""
    parts = []
    for name, level in (("exons", split.exon), ("coding bases", split.base)):
        sensitivity, precision = (
            "unknown" if value is None else f"{value:.3f}" for value in (level.sensitivity, level.precision)
        )
        parts.append(f"{name} sensitivity {sensitivity}, precision {precision} ({level.n_true:,} annotated)")
    return ", ".join(parts)
