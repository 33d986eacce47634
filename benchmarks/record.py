"""Where and when a measurement was made: what every file in benchmarks/results says beside its numbers."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, command: str, found: dict[str, Any]) -> None:
    """Keep numbers as benchmarks/results/NAME.json, with date, command, device, commit and versions."""
    import torch

    import dnaspt

    described = subprocess.run(["git", "describe", "--always"], capture_output=True, text=True, cwd=RESULTS.parent)
    others = ["git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)benchmarks/results"]
    changed = subprocess.run(others, capture_output=True, text=True, cwd=RESULTS.parent).stdout.strip()
    device = f"{os.cpu_count()} cores, {_processor()}"
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "device": device,
        "commit": described.stdout.strip() + ("-dirty" if changed else ""),
        "versions": {"dnaspt": dnaspt.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(about | found, indent=1) + "\n")


def _processor() -> str:
    """Kind of the processor, and what it multiplies with."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    known = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    values = {name.strip(): value.strip() for name, value in known.items()}
    flags = values.get("flags", "").split()
    widest = next((flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags), "")
    return " ".join((values.get("model name", platform.machine()), widest)).strip()
