"""The mistakes that `benchmarks/startup.py` measures are told before anything slow is imported."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

STARTUP = Path(__file__).parents[2] / "benchmarks" / "startup.py"
SLOW = ("torch", "matplotlib", "pandas", "sklearn", "numba", "lightning_fabric", "transformers", "jinja2")
CODE = f"""
import contextlib, io, json, sys
from dnaspt.cli.main import main

for line in sys.stdin.read().splitlines():
    sys.argv, errors, code = ["dnaspt", *line.split()], io.StringIO(), 0
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    print(json.dumps([line, code, errors.getvalue(), [name for name in {SLOW} if name in sys.modules]]), flush=True)
"""


def test_every_mistake_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    startup = runpy.run_path(str(STARTUP))
    startup["make_files"](tmp_path)
    lines = [line for line in startup["MISTAKES"].splitlines() if line]
    before = set(tmp_path.rglob("*"))
    said = subprocess.run(
        [sys.executable, "-c", CODE],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "200"},
    )
    outcomes = [json.loads(line) for line in said.stdout.splitlines()]
    assert [line for line, *_ in outcomes] == lines, said.stderr
    for line, code, errors, loaded in outcomes:
        assert code == 2, f"{line}: {code} {errors}"
        assert "rror: " in errors and "Traceback" not in errors, f"{line}: {errors}"
        assert loaded == [], f"{line}: {loaded}"
    assert set(tmp_path.rglob("*")) == before
