"""Run the tutorials: every `sh` and `python` block of docs/tutorials/*.md, in order: `python docs/run_tutorials.py`.

Each tutorial has a working folder of its own, build/tutorials/NAME, which begins empty. Blocks of Python share their names, as
cells of a notebook do. What the blocks print is written to build/tutorials/NAME.json; the site shows it below each block.
Blocks with another tag (`text`, `toml`, ...) do not run. The first block that fails ends its tutorial, and the command fails.
"""

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = ROOT / "docs" / "tutorials"
OUT = ROOT / "build" / "tutorials"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
LANGUAGES = ("sh", "python")
"""Tags of the blocks that are run."""
LAST_LINES = 80
"""Lines of a block's output that are kept: the last ones."""
MOST_CPU_SECONDS = 600
"""Time of cores that all tutorials together may take."""


@dataclass(frozen=True)
class Ran:
    """A block that was run.

    Attributes:
        language: `sh` or `python`.
        code: The text of the block.
        output: The last lines that it printed.
        seconds: What it took by the clock.
        cpu_seconds: The time of cores that it took: by this a tutorial is kept short, also on a busy machine.
        error: Why it failed; empty if it did not.
    """

    language: str
    code: str
    output: str
    seconds: float
    cpu_seconds: float
    error: str = ""


def blocks_of(page: str) -> list[tuple[str, str]]:
    """Language and code of the blocks of a page that are run."""
    found = [(block["language"], block["code"]) for block in BLOCK.finditer(page)]
    return [(language, code) for language, code in found if language in LANGUAGES]


def run_page(page: Path, out: Path) -> list[Ran]:
    """Run the blocks of a page in the folder OUT/NAME, up to the first that fails, and write OUT/NAME.json."""
    folder = out / page.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)
    names: dict[str, Any] = {"__name__": "__main__"}
    done: list[Ran] = []
    for language, code in blocks_of(page.read_text(encoding="utf-8")):
        began, began_cpu = time.monotonic(), sum(os.times()[:4])
        output, error = run_shell(code) if language == "sh" else run_python(code, names)
        took = (round(time.monotonic() - began, 1), round(sum(os.times()[:4]) - began_cpu, 1))
        done.append(Ran(language, code, last_lines(output), *took, error))
        if error:
            break
    text = json.dumps([asdict(block) for block in done], indent=1)
    (out / f"{page.stem}.json").write_text(text + "\n", encoding="utf-8")
    return done


def run_shell(code: str) -> tuple[str, str]:
    """What commands print, and why they failed; the first that fails ends them."""
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    known = os.environ | {"PATH": programs, "COLUMNS": "84", "NO_COLOR": "1"}
    command = ["bash", "-euo", "pipefail", "-c", code]
    ran = subprocess.run(command, env=known, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = ran.stdout.decode("utf-8", errors="replace")
    return output, f"exit status {ran.returncode}" if ran.returncode else ""


def run_python(code: str, names: dict[str, Any]) -> tuple[str, str]:
    """What Python prints, and its traceback where it failed. Names that it defines are kept in `names`."""
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "<tutorial>", "exec"), names)
        except BaseException:  # also SystemExit: a block is to end, not to leave
            error = traceback.format_exc(limit=-3)
    return printed.getvalue(), error


def last_lines(output: str) -> str:
    """The last lines of an output, without blanks at their ends."""
    lines = [line.rstrip() for line in output.replace("\r\n", "\n").strip("\n").splitlines()]
    return "\n".join(["...", *lines[-LAST_LINES:]] if len(lines) > LAST_LINES else lines)


def main() -> None:
    """Run all tutorials, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="tutorials to run, without .md (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="tutorials at a time (default: 2)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write (default: build/tutorials)")
    options = parser.parse_args()
    pages = {page.stem: page for page in sorted(TUTORIALS.glob("*.md")) if blocks_of(page.read_text(encoding="utf-8"))}
    unknown = sorted(set(options.names) - set(pages))
    if unknown:
        sys.exit(f"{', '.join(unknown)}: no such tutorial; expected some of {', '.join(pages)}")
    chosen = [pages[name] for name in options.names or pages]
    failed, all_cpu = [], 0.0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as workers:
        for page, done in zip(chosen, workers.map(partial(run_page, out=options.out.resolve()), chosen), strict=True):
            seconds, cpu = (sum(getattr(block, name) for block in done) for name in ("seconds", "cpu_seconds"))
            all_cpu += cpu
            print(f"{page.stem}: {len(done)} blocks, {seconds:.0f} s, {cpu:.0f} s of a core", flush=True)
            if done and done[-1].error:
                failed.append(page.stem)
                print(f"{page.stem}: failed\n{done[-1].code}{done[-1].output}\n{done[-1].error}", flush=True)
    if failed:
        sys.exit(f"{', '.join(failed)}: failed")
    if all_cpu > MOST_CPU_SECONDS:
        sys.exit(f"the tutorials took {all_cpu:.0f} s of a core; {MOST_CPU_SECONDS} at most, to be kept short")


if __name__ == "__main__":
    main()
