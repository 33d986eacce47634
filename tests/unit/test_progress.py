"""Progress: a live bar with the time left on a terminal, a line now and then in a log file."""

import os
import re
import subprocess
import sys

import pytest

from dnaspt import progress
from dnaspt.progress import ProgressBar, along_sequence, console, messages_to_stderr, say

TRAINING = """
import time
from dnaspt.progress import ProgressBar

bar = ProgressBar("pretrain")
bar.start(20, 0)
for step in range(1, 11):
    time.sleep(0.06)
    bar.update(step, {"loss": 1.25, "bp_per_s": 12000.0})
bar.stop()
"""


def test_a_log_file_gets_about_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("finetune")
    bar.start(1000, 0)
    for step in range(1, 1001):
        bar.update(step, {"loss": 1 / step, "valid_mcc": 0.5})
    bar.stop()
    lines = capsys.readouterr().out.splitlines()
    assert 10 <= len(lines) <= 12
    assert lines[0] == "finetune: step 1/1000 loss 1.0000 mcc 0.5000"
    assert lines[-1] == "finetune: step 1000/1000 loss 0.0010 mcc 0.5000"


def test_what_is_said_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    say("gain [bold] +0.1 [0.0, 0.2]")
    assert capsys.readouterr().out == "gain [bold] +0.1 [0.0, 0.2]\n"


def test_numbers_beside_the_bar_are_broken_between_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_force_terminal", True)
    monkeypatch.setattr(console, "width", 80)
    bar = ProgressBar("finetune")
    bar.start(40, 0)
    scores = {"loss": 0.5, "valid_mcc": 0.1, "valid_exon_f1": 0.0, "valid_gene_f1": 0.0, "bp_per_s": 12000.0}
    bar.update(20, scores)
    assert bar._progress is not None
    shown = bar._progress.tasks[0].fields["numbers"].split("\n")
    bar.stop()
    assert shown == ["loss 0.5000 mcc 0.1000", "exon F1 0.0000 gene F1 0.0000", "12,000 bp/s"]


def test_messages_go_to_standard_error_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    messages_to_stderr(wanted=True)
    say("one")
    messages_to_stderr(wanted=False)
    say("two")
    assert capsys.readouterr() == ("two\n", "one\n")


def test_a_long_prediction_says_in_a_log_file_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with along_sequence("predict", lambda: 60_000, wanted=True) as told:
        for _ in range(6):
            now[0] += 40
            told(10_000)
            told(0)
    assert capsys.readouterr().out.splitlines() == [
        "predict: 33%, about 3 minutes left",
        "predict: 67%, about 1 minute left",
        "predict: 100%, about 0 minutes left",
    ]

    def not_asked() -> int:
        raise AssertionError

    with along_sequence("predict", not_asked, wanted=False) as told:
        told(10)
    assert capsys.readouterr().out == ""


def test_a_prediction_has_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_force_terminal", True)
    shown: list[float] = []
    monkeypatch.setattr(progress.Progress, "advance", lambda self, task, n: shown.append(n))
    with along_sequence("embed", lambda: 100, wanted=True) as told:
        told(60)
        told(40)
    assert shown == [60, 40]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_gets_a_bar_with_the_time_left() -> None:
    leader, follower = os.openpty()
    terminal = os.environ | {"TERM": "xterm", "COLUMNS": "150"}
    with subprocess.Popen([sys.executable, "-c", TRAINING], stdout=follower, env=terminal) as training:
        os.close(follower)
        shown = b""
        while True:
            try:
                shown += os.read(leader, 1 << 16)
            except OSError:  # the other end is closed
                break
        training.wait()
    os.close(leader)
    text = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", shown.decode())
    assert "10/20" in text and "loss 1.2500 12,000 bp/s" in text
    assert "left 0:00:0" in text
