"""AUGUSTUS, run here, on the test parts of the gene sets, scored by the same code as our models.

`DNASPT_REAL_DATA=... python benchmarks/augustus.py` writes benchmarks/results/augustus.json, which `make_results.py` puts
into the tables. `--optimize athaliana_genes --minutes 120` trains it on that dataset and lets optimize_augustus.pl search its
meta-parameters: benchmarks/results/augustus-optimized.json.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import studies
from record import write_result

SPECIES = {"athaliana": "arabidopsis", "fly_loci": "fly"}


def main() -> None:
    """Prepare the sets where they are not there, run AUGUSTUS, keep the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optimize", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=120)
    chosen = parser.parse_args()
    if chosen.optimize:
        studies.prepare(chosen.optimize)
        options = ("--model", "augustus", "--optimize-minutes", str(chosen.minutes))
        command = f"python benchmarks/augustus.py --optimize {chosen.optimize} --minutes {chosen.minutes:g}"
        write_result(
            "augustus-optimized", command, {"data": chosen.optimize, "model": scored(chosen.optimize, options)}
        )
        return
    version = subprocess.run(["augustus", "--version"], capture_output=True, text=True, check=True)
    found: dict[str, Any] = {"augustus": (version.stdout + version.stderr).split("(")[1].split(")")[0]}
    for name, species in SPECIES.items():
        studies.prepare(name)
        models = {f"species {species}": ("--species", species), "trained on the train split": ("--model", "augustus")}
        found[name] = {model: scored(name, options) for model, options in models.items()}
    write_result("augustus", "python benchmarks/augustus.py", found)


def scored(name: str, options: tuple[str, ...]) -> dict[str, Any]:
    """MCC, F1 by level, and minutes of one model."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        studies.run("baseline", f"data/{name}", *options, "--out", str(out))
        scores = json.loads((out / "evaluation-test.json").read_text())
        minutes = json.loads((out / "result.json").read_text())["minutes"]
    levels = {level: values["f1"] for level, values in scores["genes"]["levels"].items()}
    return {"mcc": scores["mcc"], "f1": levels, "minutes": round(minutes, 2)}


if __name__ == "__main__":
    main()
