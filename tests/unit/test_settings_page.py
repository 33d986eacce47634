"""docs/settings.md has every kind of settings, and every setting has a description."""

import ast
import runpy
from pathlib import Path

import pytest

import dnaspt
from dnaspt.config import Settings

SOURCE = Path(dnaspt.__file__).parent
SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_settings.py"))
PAGE: dict[str, type[Settings]] = SCRIPT["PAGE"]
NOBODY_WRITES = {"Pretrain", "Finetune", "Evaluate", "Baseline", "Simulation", "SimulationSummary"}
"""What a study tells its worker to do, and what a simulation has written: frozen and checked like settings, but no settings."""


def kinds_of_settings() -> set[str]:
    """Names of all classes that derive from `Settings` and from which no other derives."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    kinds, n_before = {"Settings"}, 0
    while len(kinds) > n_before:
        n_before = len(kinds)
        kinds |= {name for name, parents in bases.items() if parents & kinds}
    return kinds - {parent for name in kinds for parent in bases[name]} - {"Settings"}


def test_every_kind_of_settings_is_on_the_page() -> None:
    assert kinds_of_settings() - NOBODY_WRITES == {kind.__name__ for kind in PAGE.values()}


@pytest.mark.parametrize("title", PAGE)
def test_every_setting_has_a_description(title: str) -> None:
    assert SCRIPT["undescribed"](PAGE[title]) == []


def test_a_setting_is_one_row_of_its_table() -> None:
    lines = SCRIPT["settings_page"]().splitlines()
    for title, kind in PAGE.items():
        first = lines.index(f"## {title}") + 5
        rows = lines[first : first + len(kind.model_fields)]
        assert {row.split("`")[1] for row in rows} == set(kind.model_fields)
        assert all(row.startswith("| `") and row.endswith(" |") for row in rows)
