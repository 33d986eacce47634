"""docs/run_tutorials.py runs the blocks of a page in order, in one folder, and keeps what they print."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "run_tutorials.py"
sys.path.insert(0, str(SCRIPT.parent))
from run_tutorials import LAST_LINES, blocks_of, last_lines, run_page  # noqa: E402

sys.path.remove(str(SCRIPT.parent))

PAGE = """# A page
```sh
echo 3 > n.txt
echo written
```

```python
from pathlib import Path

n = int(Path("n.txt").read_text())
```

```text
rm -rf /nowhere
```

```python
print(n + 1)
```
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


def test_blocks_of_shell_and_python_run_and_others_do_not() -> None:
    assert [language for language, _ in blocks_of(PAGE)] == ["sh", "python", "python"]


def test_blocks_run_in_one_folder_and_share_names(page: Path, tmp_path: Path) -> None:
    done = run_page(page, tmp_path / "out")
    assert [(block.output, block.error) for block in done] == [("written", ""), ("", ""), ("4", "")]
    assert (tmp_path / "out" / "page" / "n.txt").read_text() == "3\n"
    assert [block["output"] for block in json.loads((tmp_path / "out" / "page.json").read_text())] == [
        "written",
        "",
        "4",
    ]


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("sh\nfalse\necho after\n", "exit status 1"),
        ("sh\nfalse | cat\n", "exit status 1"),
        ("sh\necho $UNSET_NAME\n", "exit status"),
        ("python\n1 / 0\n", "ZeroDivisionError"),
        ("python\nraise SystemExit(0)\n", "SystemExit"),
    ],
)
def test_a_block_that_fails_ends_the_page(page: Path, tmp_path: Path, block: str, error: str) -> None:
    page.write_text(f"```{block}```\n\n```sh\necho never\n```\n")
    done = run_page(page, tmp_path / "out")
    assert len(done) == 1 and error in done[0].error
    assert "after" not in done[0].output


def test_a_second_run_begins_with_an_empty_folder(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path / "out")
    page.write_text("```sh\nls\n```\n")
    (block,) = run_page(page, tmp_path / "out")
    assert block.output == ""


def test_a_long_output_keeps_its_last_lines() -> None:
    lines = [str(number) for number in range(LAST_LINES + 5)]
    assert last_lines("\n".join(lines)).splitlines() == ["...", *lines[5:]]
    assert last_lines("a  \nb\n\n") == "a\nb"


def test_an_unknown_tutorial_is_refused() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT), "nothing"], capture_output=True, text=True)
    assert ran.returncode == 1 and ran.stderr.startswith("nothing: no such tutorial; expected some of bend, genes")
