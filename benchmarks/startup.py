"""Seconds until `dnaspt --help` has answered, and what a plain Python start costs: medians of nine interleaved runs."""

import statistics
import subprocess
import sys
import time

COMMANDS = {"python -c pass": ("-c", "pass"), "dnaspt --help": ("-m", "dnaspt", "--help")}


def main() -> None:
    """Measure and print."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(9):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - began)
    for name, values in seconds.items():
        print(f"{name:16s} {statistics.median(values):.3f} s")


if __name__ == "__main__":
    main()
