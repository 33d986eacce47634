"""Two compared annotations as tables: their numbers are those of the comparison."""

from pathlib import Path

from dnaspt.evaluation.compare_annotations import compare_annotations
from dnaspt.reports.annotation_tables import comparison_tables
from dnaspt.reports.tables import Table


def shown(tmp_path: Path, genome: str = "") -> dict[str, Table]:
    rows = 'c{}\tx\tCDS\t{}\t{}\t.\t+\t0\tgene_id "{}"; transcript_id "{}";\n'
    (tmp_path / "ref.gtf").write_text(rows.format(1, 3, 14, "a", "a.t") + rows.format(1, 101, 200, "b", "b.t"))
    (tmp_path / "pred.gtf").write_text(rows.format(1, 3, 14, "a", "a.t") + rows.format(2, 1, 9, "p", "p.t"))
    if genome:
        (tmp_path / "g.fa").write_text(genome)
    fasta = tmp_path / "g.fa" if genome else None
    compared = compare_annotations(tmp_path / "ref.gtf", tmp_path / "pred.gtf", fasta, n=10)
    return {table.title: table for table in comparison_tables(compared)}


def test_tables_have_scores_counts_groups_and_sides(tmp_path: Path) -> None:
    tables = shown(tmp_path)
    scores, counts, *others = tables.values()
    assert scores.title == f"{tmp_path / 'pred.gtf'} against {tmp_path / 'ref.gtf'}"
    assert {row[0]: row[1].split()[0] for row in scores.rows}["gene"] == "0.500"
    assert {row[0]: row[1:] for row in counts.rows}["coding exon"] == ("2", "1", "2", "1", "1", "1")
    assert {row[0]: row[1:] for row in counts.rows}["coding base"] == ("112", "12", "21", "12", "-", "-")
    assert [table.title for table in others] == ["genes by gene length", "genes by coding exons", "what is compared"]
    assert tables["genes by coding exons"].rows == (("1", "0.500", "0.500", "0.500", "1 of 2", "1 of 2"),)
    sides = {row[0]: row[1:] for row in tables["what is compared"].rows}
    assert sides["contigs that the other side does not have"] == ("0", "1")
    assert sides["genes on them"] == ("0", "1")
    assert "few, so they are rough" in scores.note


def test_with_a_genome_illegal_structures_are_a_table(tmp_path: Path) -> None:
    letters = "cc" + "ATGAAACCCTAA" + "c" * 200
    faults = shown(tmp_path, f">c1\n{letters}\n>c2\nATGAAAAAA\n")["illegal structures"]
    rows = {row[0]: row[1:] for row in faults.rows}
    assert rows["transcripts with an illegal structure"] == ("1", "1")
    assert rows["no start codon"] == ("1", "0")
    assert rows["no stop codon"] == ("1", "1")
    assert rows["transcripts judged"] == ("2", "2")
