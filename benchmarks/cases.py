"""What small odd files give today, stored, so that a later version can be held to it.

`python benchmarks/cases.py FOLDER --store` runs the `run.sh` of every folder below FOLDER, in a copy, and writes what came out to
benchmarks/results/cases.json: the exit code, the error, the counts of the dataset, and a digest of its labels, transcripts and
scored variants. Without --store it runs them again, prints every difference and ends with 1 where there is one. Messages may
change; they are shown and not compared.

A script that scores variants finds a pretrained run and its genome in $RUN and $GENOME; they are made first, with fixed seeds.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from record import RESULTS, write_result

CODE = f'#!/bin/sh\nexec {sys.executable} -m dnaspt "$@"\n'
SIMULATE = "simulate --out demo/genome"
PREPARE = "prepare genes --genome demo/genome/genome.fa --annotation demo/genome/annotation.gff3 --out demo/data"
PRETRAIN = "pretrain demo/data --out demo/runs/pretrained --preset tiny --steps 20 --seed 0"
COMPARED = ("splits", "counts", "dropped", "stop_in_cds")
"""Keys of a manifest that hold what the files gave."""


ON_PURPOSE = {"43-vcf_contig_ends": "a deletion is left-aligned before it is scored"}
"""Cases whose scores were mended since, and why."""


def run_cases(folder: Path) -> dict[str, dict[str, Any]]:
    """What each case gives, by its name."""
    scripts = sorted(folder.glob("*/run.sh"))
    if not scripts:
        sys.exit(f"{folder}: no folder in it has a run.sh")
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        environment = _environment(work)
        if any("${RUN}" in script.read_text() for script in scripts):
            for words in (SIMULATE, PREPARE, PRETRAIN):
                command = [sys.executable, "-m", "dnaspt", *words.split()]
                subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True)
        for script in scripts:
            case = work / "cases" / script.parent.name
            shutil.copytree(script.parent, case)
            for file in (case, *case.rglob("*")):
                file.chmod(0o755 if file.is_dir() else 0o644)
            for left_over in case.glob("*scored*.vcf"):
                left_over.unlink()
            ran = subprocess.run(
                ["sh", str(case / "run.sh")], env=environment, capture_output=True, text=True, timeout=300
            )
            said = ran.stderr.replace(str(case), "").strip().splitlines()
            results[case.name] = {"exit_code": ran.returncode, "said": said[-3:], **describe(case)}
            print(f"{case.name}: {ran.returncode}", flush=True)
    return results


def _environment(work: Path) -> dict[str, str]:
    """Variables of a script: `dnaspt` is this version, on one thread."""
    (work / "bin").mkdir()
    (work / "bin/dnaspt").write_text(CODE)
    (work / "bin/dnaspt").chmod(0o755)
    demo = work / "demo"
    own = {"RUN": str(demo / "runs/pretrained"), "GENOME": str(demo / "genome/genome.fa"), "DEMO": str(demo)}
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "COLUMNS": "200"}
    return os.environ | own | threads | {"PATH": f"{work / 'bin'}:{os.environ['PATH']}"}


def describe(case: Path) -> dict[str, Any]:
    """Counts and digests of the dataset and the scored variants that a script left in its folder."""
    results: dict[str, Any] = {}
    manifest = case / "out" / "manifest.json"
    if manifest.is_file():
        content = json.loads(manifest.read_text())
        results["manifest"] = {name: content.get(name) for name in COMPARED}
    for file in sorted(case.glob("out/*.parquet")):
        table = pq.read_table(file)
        for name in table.column_names:
            values = repr(table.column(name).to_pylist()).encode()
            results[f"{file.name}: {name}"] = hashlib.sha256(values).hexdigest()[:16]
    for file in sorted(case.glob("*scored*.vcf")):
        lines = [line for line in file.read_text().splitlines() if not line.startswith("##dnaspt")]
        results[file.name] = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return results


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """What was stored and is another now, or is gone; what is new is no difference."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for name, value in before.items()
            if name != "said"
            for line in differences(value, now.get(name), f"{path}{name}: ")
        ]
    return [] if before == now else [f"{path}{json.dumps(before)}, now {json.dumps(now)}"]


def main() -> int:
    """Run, then store or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of folders, each with a run.sh")
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/cases.json")
    chosen = parser.parse_args()
    results = run_cases(chosen.folder)
    if chosen.store:
        write_result("cases", "python benchmarks/cases.py FOLDER --store", {"cases": results})
        return 0
    stored = json.loads((RESULTS / "cases.json").read_text())["cases"]
    n_different = 0
    for name, case in results.items():
        lines = differences(stored[name], case) if name in stored else ["is not stored"]
        if name in ON_PURPOSE:
            print(f"note {name}: {ON_PURPOSE[name]}")
            lines = [line for line in lines if "scored" not in line]
        n_different += bool(lines)
        for line in lines:
            print(f"DIFFERENT {name}: {line}")
        if stored.get(name, {}).get("said") != case["said"]:
            print(f"note {name}: says {case['said']}")
    print(f"{len(results) - n_different} of {len(results)} cases as stored")
    return int(n_different > 0)


if __name__ == "__main__":
    sys.exit(main())
