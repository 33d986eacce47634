"""Two compared annotations to the tables that the terminal shows."""

from dnaspt.evaluation.compare_annotations import SIDES, AnnotationComparison, Side
from dnaspt.evaluation.gene_metrics import LevelScores
from dnaspt.evaluation.metrics import Score
from dnaspt.reports.run_tables import FEW_BLOCKS
from dnaspt.reports.tables import Table, cell, written
from dnaspt.words import LEVELS, words_of

_MEASURES = ("sensitivity", "precision", "F1")
_COUNTS = ("reference", "found", "predicted", "right")
_GENE_NOTE = "A gene is found, or right, if any of its transcripts has the coding exons of one of the other side."
_COUNT_NOTE = (
    "All isoforms count; what they share counts once. Missed and wrong exons, transcripts and genes share no base with one of "
    "the other side on their strand."
)


def comparison_tables(comparison: AnnotationComparison) -> list[Table]:
    """Tables of two compared annotations: scores by level, genes by group, what each side holds, its illegal structures."""
    sides = {side: getattr(comparison, side) for side in SIDES}
    levels = comparison.levels.items()
    title = f"{sides['prediction'].file} against {sides['reference'].file}"
    scores = tuple((LEVELS[level], *map(written, _measures(own))) for level, own in levels)
    rough = " (few, so they are rough)" if comparison.n_blocks < FEW_BLOCKS else ""
    intervals = f"Intervals resample {comparison.n_blocks:,} blocks of about 10 kb{rough}. {_GENE_NOTE}"
    counts = tuple(
        (LEVELS[level], *_counts(own), cell(comparison.missed.get(level)), cell(comparison.wrong.get(level)))
        for level, own in levels
    )
    tables = [
        Table(title, ("level", *_MEASURES), scores, intervals),
        Table("counts", ("level", *_COUNTS, "missed", "wrong"), counts, _COUNT_NOTE),
    ]
    for divided_by, groups in comparison.groups.items():
        rows = tuple(
            (
                name,
                *(f"{score.value:.3f}" for score in _measures(own)),
                f"{own.n_found:,} of {own.n_true:,}",
                f"{own.n_right:,} of {own.n_predicted:,}",
            )
            for name, own in groups.items()
            if own.n_true + own.n_predicted
        )
        tables.append(Table(f"genes by {divided_by}", (divided_by, *_MEASURES, "found", "right"), rows))
    return [*tables, _side_table(comparison, sides), *_fault_tables(sides)]


def _measures(scores: LevelScores) -> tuple[Score, Score, Score]:
    return scores.sensitivity, scores.precision, scores.f1


def _counts(scores: LevelScores) -> tuple[str, ...]:
    return tuple(map(cell, (scores.n_true, scores.n_found, scores.n_predicted, scores.n_right)))


def _side_table(comparison: AnnotationComparison, sides: dict[str, Side]) -> Table:
    """What each side holds, and what of it is not scored."""
    reasons = dict.fromkeys(reason for side in sides.values() for reason in side.left_out)
    rows = [
        ("genes", *(cell(side.n_genes) for side in sides.values())),
        ("transcripts", *(cell(side.n_transcripts) for side in sides.values())),
        ("contigs that the other side does not have", *(cell(len(side.only_here)) for side in sides.values())),
        ("genes on them", *(cell(side.n_genes_only_here) for side in sides.values())),
        ("not scored: on unclear CDS rows of the reference", "-", cell(comparison.n_unclear)),
        *(
            (f"left out: {words_of(reason)}", *(cell(side.left_out.get(reason, 0)) for side in sides.values()))
            for reason in reasons
        ),
    ]
    return Table("what is compared", ("what", *SIDES), tuple(rows))


def _fault_tables(sides: dict[str, Side]) -> list[Table]:
    """Illegal structures of both sides; none without a genome."""
    reports = [side.structures for side in sides.values() if side.structures is not None]
    if not reports:
        return []
    rows = [
        ("transcripts with an illegal structure", *(cell(report.n_illegal) for report in reports)),
        *((kind, *(cell(report.faults[kind]) for report in reports)) for kind in reports[0].faults),
        ("transcripts judged", *(cell(report.n_transcripts) for report in reports)),
        ("introns judged", *(cell(report.n_introns) for report in reports)),
        ("said to be partial: may lack a start and a stop codon", *(cell(side.n_partial) for side in sides.values())),
        ("not judged: contig not in the genome", *(cell(side.n_not_judged) for side in sides.values())),
    ]
    return [Table("illegal structures", ("what", *SIDES), tuple(rows))]
