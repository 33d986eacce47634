"""`make results`: the pages and the tables of the studies are those of the records, and a number that is not would be seen."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STUDIES = sorted(file.parent.name for file in BENCHMARKS.parent.glob("examples/studies/*/study.md"))
BOOTSTRAPS_LONG = ("human_brain", "human_wgbs")
"""Studies of many windows, whose resamples take seconds."""
SEEDS = "gain athaliana_seeds primary: scratch + CRF > SPT + CRF"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script, which imports others beside it."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("make_results")
    sys.path.remove(str(BENCHMARKS))


def test_every_page_is_current(script: ModuleType) -> None:
    assert [page.name for page in script.stale_pages()] == [], "run make results"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in BOOTSTRAPS_LONG else name for name in STUDIES]
)
def test_the_tables_of_a_study_follow_from_its_records(script: ModuleType, name: str) -> None:
    assert script.stale_tables(name) == {}, "run make results"
    assert script.report_is_current(name), f"run benchmarks/studies.py {name}"


def test_the_script_knows_every_study(script: ModuleType) -> None:
    assert sorted((*script.ORDER, *script.GENE_STUDIES)) == STUDIES


def test_every_table_stands_in_a_page(script: ModuleType) -> None:
    text = "".join((script.ROOT / page).read_text() for page in script.PAGES)
    assert [name for name in script.TABLES if f"<!-- {name} -->" not in text] == []


def filled(script: ModuleType, text: str) -> str:
    """A text with its regions filled."""
    return str(script.REGION.sub(lambda region: script.fill(region, "page"), text))


def test_a_number_that_is_not_current_is_replaced(script: ModuleType) -> None:
    current = f"<!-- {SEEDS} -->+0.072 [-0.014, +0.152]<!-- / -->"
    assert filled(script, current.replace("0.072", "0.081")) == current
    crf = "<!-- 3 digits of crf-cpu: median_s.pytorch-crf.step : median_s.ours, gene moves.step -->{}<!-- / -->"
    assert filled(script, crf.format("")) == crf.format("551")


def test_a_gain_the_other_way_round_has_the_other_sign(script: ModuleType) -> None:
    assert script.number("gain athaliana_seeds primary: SPT + CRF > scratch + CRF") == "-0.072 [-0.152, +0.014]"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<!-- unknown -->1<!-- / -->", "<!-- unknown -->: no such table or number"),
        ("<!-- gain athaliana primary: a > b -->1<!-- / -->", "the study has no such comparison"),
        ("<!-- 3 digits of crf-cpu: no.such.key -->1<!-- / -->", "no such table or number"),
        ("<!-- prediction -->\n<!-- / -->", "ends with <!-- / -->"),
    ],
)
def test_a_region_that_no_record_fills_is_an_error(script: ModuleType, text: str, error: str) -> None:
    with pytest.raises(ValueError, match="page: <!--") as raised:
        filled(script, text)
    assert error in str(raised.value)


@pytest.mark.parametrize(
    ("value", "n", "text"),
    [(591381.1, 3, "591,000"), (31.39, 2, "31"), (2.2255, 2, "2.2"), (0.0149, 3, "0.0149"), (1.56e-7, 2, "1.6e-7")],
)
def test_numbers_are_written_to_so_many_digits(script: ModuleType, value: float, n: int, text: str) -> None:
    assert script.digits(value, n) == text


def test_a_changed_digit_of_a_table_is_seen_and_another_processors_rounding_is_not(script: ModuleType) -> None:
    rows = "arm,values\na,0.500000 0.250000\n"
    assert script.is_same(rows, "arm,values\na,0.5000000001 0.25\n")
    assert not script.is_same(rows, "arm,values\na,0.500100 0.250000\n")
    assert not script.is_same(rows, "arm,more,values\na,1,0.500000 0.250000\n")
    assert not script.is_same("", rows)
