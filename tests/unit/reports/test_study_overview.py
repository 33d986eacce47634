from pathlib import Path

from dnaspt.evaluation.metrics import Score
from dnaspt.reports.compare import BASELINE, Difference
from dnaspt.reports.study_overview import write_overview
from dnaspt.reports.study_report import StudyResult


def result_of(name: str, *differences: Difference) -> StudyResult:
    return StudyResult(name, Path(name), (f"Answer of {name}.",), (), differences, "MCC", f"Method of {name}.", ())


GAIN = Difference("pretraining", "scratch", "SPT", 1.0, Score(0.1, 0.05, 0.15), 3)


def test_datasets_stand_side_by_side(tmp_path: Path) -> None:
    results = {"one": result_of("one", GAIN), "two": result_of("two")}
    answer = write_overview(tmp_path, results, "dnaspt study x.toml --out .")
    assert answer == ["Self-pretraining (scratch to SPT): better on one."]
    page, text = ((tmp_path / f"study.{kind}").read_text() for kind in ("html", "md"))
    assert text.startswith(f"# Study of one, two\n\n- {answer[0]}\n\nBetter or worse where the interval excludes 0.")
    assert "## one\n\n| what | from | to | labels | gain in MCC [95 %] | detectable gain | verdict |" in text
    assert "Answer of two. More: two/study.html. Method of two." in text and "dnaspt study x.toml" in text
    assert page.count("<svg") == 1 and (tmp_path / "study_figures" / "gains1.svg").is_file()


def test_baselines_alone_give_no_answer(tmp_path: Path) -> None:
    results = {"one": result_of("one", Difference(BASELINE, "k-mers", "SPT", 1.0, GAIN.gain, 3))}
    (sentence,) = write_overview(tmp_path, results, "dnaspt study")
    assert sentence == "The study compares no two arms that differ in one thing alone, but for baselines."
