"""Exported runs from the command line to transformers in a fresh process, and over a hub on 127.0.0.1 to another user."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.hub_server import TOKEN, Hub
from tests.integration.in_process import dnaspt

import dnaspt as package

pytestmark = pytest.mark.xdist_group("made")  # one process makes what these tests start from

SEQUENCES = ["ACGTNACGTTGCA" * 30, "ggcatnnRyu"]

FRESH = """
import json, sys, socket
socket.socket.connect = lambda *_: sys.exit("asked the network")
import dnaspt.transformers
import torch
from transformers import AutoModel, AutoTokenizer
import numpy as np
for folder in sys.argv[2:]:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        states = model(**tokenizer(json.loads(sys.argv[1]), padding=True, return_tensors="pt")).last_hidden_state
    np.save(folder + ".npy", states.numpy())
"""


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process."""
    command = [sys.executable, "-W", "error::DeprecationWarning:dnaspt", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


def test_a_fresh_process_reads_the_same_hidden_states_by_auto_classes(made: Path, tmp_path: Path) -> None:
    runs = ("pretrained", "genes", "peaks")
    for run in runs:
        code, printed, errors = dnaspt("export", made / run, "--to", tmp_path / run, "--license", "MIT")
        assert code == 0 and "transformers can load it" in printed, errors
    done = python(FRESH, json.dumps(SEQUENCES), *(tmp_path / run for run in runs))
    assert done.returncode == 0, done.stderr
    assert "trust_remote_code" not in done.stderr and "not used" not in done.stderr
    for run in runs:
        own = package.load(made / run, accelerator="cpu").embed(SEQUENCES, pool=None)
        for row, expected in zip(np.load(tmp_path / f"{run}.npy"), own, strict=True):
            np.testing.assert_allclose(row[: len(expected)], expected, rtol=0, atol=1e-6)
            assert not row[len(expected) :].any()


@pytest.mark.slow
def test_without_the_registration_the_folder_runs_nothing_and_is_not_loaded(made: Path, tmp_path: Path) -> None:
    dnaspt("export", made / "pretrained", "--to", tmp_path / "out")
    code = "import sys, dnaspt; from transformers import AutoModel; AutoModel.from_pretrained(sys.argv[1])"
    done = python(code, tmp_path / "out")
    assert done.returncode == 1 and "dnaspt" in done.stderr and not list((tmp_path / "out").glob("*.py"))


@pytest.mark.slow
def test_a_model_goes_over_the_hub_to_another_user(made: Path, hub: Hub, tmp_path: Path) -> None:
    """Two processes with folders of their own: one pushes, one loads by name, once more without network, and predicts."""
    here, there = (hub.environment(str(tmp_path / name)) for name in ("here", "there"))
    command = [sys.executable, "-m", "dnaspt"]
    push = [*command, "export", made / "peaks", "--push", "lab/peaks", "--dataset", "lab/data,lab/more"]
    pushed = subprocess.run(push, capture_output=True, text=True, env=os.environ | here)
    assert pushed.returncode == 0 and hub.models["lab/peaks"].sha in pushed.stdout, pushed.stderr
    card = hub.models["lab/peaks"].commits[hub.models["lab/peaks"].sha]["README.md"].decode()
    assert "- lab/data\n- lab/more\n" in card and "license: unknown" in card
    (tmp_path / "s.csv").write_text("name,sequence\none,ACGTACGTACGTACGTACGTACGTACGTACGT\n")
    name = f"lab/peaks@{hub.models['lab/peaks'].sha}"
    tables = []
    for out, extra in (("one.csv", []), ("two.csv", ["--offline"])):
        predict = [*command, "predict", name, "--sequences", tmp_path / "s.csv", "--out", tmp_path / out, *extra]
        done = subprocess.run(predict, capture_output=True, text=True, env=os.environ | there)
        assert done.returncode == 0, done.stderr
        tables.append((tmp_path / out).read_text())
    code, _, errors = dnaspt(
        "predict", made / "peaks", "--sequences", tmp_path / "s.csv", "--out", tmp_path / "own.csv"
    )
    assert code == 0 and tables == [(tmp_path / "own.csv").read_text()] * 2, errors
    assert TOKEN not in pushed.stdout + pushed.stderr + "".join(hub.asked) + card


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{}/nothing --to {out}", "nothing: no such folder"),
        ("{}/genes", "nowhere to export to; say --to FOLDER, --push NAME, or both"),
        ("{}/genes --to {out} --push genes", "push = 'genes'; expected OWNER/NAME"),
        ("{}/genes --push lab/genes --offline", "lab/genes: cannot be pushed, since --offline"),
        ("{}/genes --to {out} --data {}/windows", "windows: is not the dataset that"),
        ("{}/genes --to {out} --format bend", "holds a fine-tuned model; expected a run of 'dnaspt pretrain'"),
        ("{}/data --to {out}", "data: has no checkpoint in it; expected a run"),
        ("{}/genes --to {}/genes", "is the run"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    words: str, said: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DNASPT_OFFLINE", raising=False)
    given = words.replace("{out}", str(tmp_path / "out")).replace("{}", str(made)).split()
    code, _, errors = dnaspt("export", *given)
    monkeypatch.delenv("DNASPT_OFFLINE", raising=False)
    assert code == 2 and len([line for line in errors if line.startswith("error: ")]) == 1, errors
    assert said in errors[-1] and not list(tmp_path.iterdir())


def test_bend_s_format_is_still_written_on_request(made: Path, tmp_path: Path) -> None:
    code, printed, errors = dnaspt("export", made / "pretrained", "--out", tmp_path / "bend", "--format", "bend")
    assert code == 0 and "config.json, model.safetensors" in printed, errors
    assert "vocab_size" in json.loads((tmp_path / "bend" / "config.json").read_text())
