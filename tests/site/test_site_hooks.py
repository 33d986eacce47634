"""What the site changes in its pages."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("mkdocs", reason="`make site` installs it and runs these")
from mkdocs.exceptions import PluginError

HOOKS = Path(__file__).parents[2] / "docs" / "site_hooks.py"


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The hooks, which look for records of tutorials in a folder of the test."""
    monkeypatch.setenv("DNASPT_TUTORIALS", str(tmp_path))
    spec = importlib.util.spec_from_file_location("site_hooks", HOOKS)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_link_out_of_docs_leads_to_the_copy_of_the_site(hooks: ModuleType) -> None:
    known = {"bend.md", "examples/bend/spt.toml.md", "CHANGELOG.md", "tutorials/genes.md"}
    linked = hooks.with_site_links
    assert linked("[x](../examples/bend/spt.toml)", "bend.md", known) == "[x](examples/bend/spt.toml.md)"
    assert linked("[x](../../CHANGELOG.md#a)", "tutorials/genes.md", known) == "[x](../CHANGELOG.md#a)"
    assert linked("[x](docs/bend.md)", "CHANGELOG.md", known) == "[x](bend.md)"
    assert linked("[x](study_figures/a.svg)", "examples/studies/a/study.md", known) == "[x](study_figures/a.svg)"


@pytest.mark.parametrize("link", ["[x](files.md#a)", "[x](#a)", "[x](tutorials/genes.md)"])
def test_a_link_within_docs_stays(hooks: ModuleType, link: str) -> None:
    assert hooks.with_site_links(link, "bend.md", set()) == link


def test_marks_of_measured_numbers_are_not_shown(hooks: ModuleType) -> None:
    assert hooks.without_comments("F1 <!-- mean a: b -->0.8<!-- / -->.") == "F1 0.8."


def test_a_list_behind_a_paragraph_gets_a_blank_line(hooks: ModuleType) -> None:
    assert hooks.with_blank_lines("Text:\n- a\n  b\n- c\n") == "Text:\n\n- a\n  b\n- c\n"
    assert hooks.with_blank_lines("| a |\n| - |\n- b") == "| a |\n| - |\n- b"


def test_code_is_left_as_it_is(hooks: ModuleType) -> None:
    page = "a\n\n```text\n<!-- b -->\n```\n\nc"
    assert [part for is_code, part in hooks.code_and_text(page) if is_code] == ["```text\n<!-- b -->\n```"]
    assert "".join(part for _, part in hooks.code_and_text(page)) == page


def write(folder: Path, **own: object) -> None:
    block = {"language": "sh", "code": "echo a\n", "output": "a", "seconds": 0.1, "cpu_seconds": 0.1, "error": ""} | own
    (folder / "genes.json").write_text(json.dumps([block]))


def test_an_output_stands_below_its_block(hooks: ModuleType, tmp_path: Path) -> None:
    write(tmp_path)
    page = hooks.with_outputs("```sh\necho a\n```\n\n```toml\nb = 1\n```\n", "genes")
    assert page == "```sh\necho a\n```\n\n``` { .text .output }\na\n```\n\n\n```toml\nb = 1\n```\n"


@pytest.mark.parametrize("own", [{"code": "echo b\n"}, {"error": "exit status 1"}, {"language": "python"}])
def test_a_tutorial_that_was_not_run_as_it_stands_stops_the_site(
    hooks: ModuleType, tmp_path: Path, own: dict[str, str]
) -> None:
    write(tmp_path, **own)
    with pytest.raises(PluginError, match="not run as it stands"):
        hooks.with_outputs("```sh\necho a\n```\n", "genes")


def test_addresses_of_other_hosts_are_taken_out_of_scripts_and_names_of_xml_stay(
    hooks: ModuleType, tmp_path: Path
) -> None:
    script = tmp_path / "a.js"
    script.write_text('load("https://cdn.example.org/x.js"); name = "http://www.w3.org/2000/svg";')
    (tmp_path / "a.js.map").write_text("{}")
    hooks.on_post_build({"site_dir": str(tmp_path)})
    assert script.read_text() == 'load(""); name = "http://www.w3.org/2000/svg";'
    assert not (tmp_path / "a.js.map").exists()
