"""Windows scored on both strands: what averaging them adds to the runs of a study, on valid and on test.

`python benchmarks/both_strands.py human_brain` after `python benchmarks/studies.py human_brain` on the
same machine, since it reads the weights of all networks on record. Whether to average is to be decided on valid.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from dnaspt.config import build_config
from dnaspt.evaluation.evaluate import evaluate
from dnaspt.studies.settings import StudyConfig
from record import write_result

STUDIES = Path(__file__).parent.parent / "examples" / "studies"


def main() -> None:
    """A row for each arm and seed: mean AUROC and AUPRC on either split, of one strand and of both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of a study in examples/studies")
    name = parser.parse_args().name
    out, data = STUDIES / name, Path("data") / name
    study = build_config(StudyConfig, {"data": data}, STUDIES / f"{name}.toml")
    networks = {arm.name for arm in study.arms if not arm.is_baseline}
    rows = []
    for file in sorted((out / "records").glob("final-*.json")):
        record = json.loads(file.read_text())
        if record["arm"] in networks:
            rows.append(score(out / "runs" / file.stem, data, record))
    write_result(f"both_strands-{name}", f"python benchmarks/both_strands.py {name}", {"rows": rows})


def score(run: Path, data: Path, record: dict[str, Any]) -> dict[str, Any]:
    """One strand from the study's record, both from the run's weights."""
    if not run.is_dir():
        sys.exit(f"{run}: is not on this machine; run the study here first")
    result, test = record["result"], record["test"]
    row = {"arm": record["arm"], "seed": record["settings"]["seed"]}
    row |= {"valid": [result["valid_auroc"], result["valid_auprc"]]}
    row |= {"test": [test[name]["value"] for name in ("mean_auroc", "mean_auprc")]}
    for split in ("valid", "test"):
        scores = evaluate(run, data, split=split, average_strands=True).scores
        row[f"{split}, both strands"] = [scores[name].value for name in ("mean_auroc", "mean_auprc")]
    print(json.dumps(row), flush=True)
    return row


if __name__ == "__main__":
    main()
