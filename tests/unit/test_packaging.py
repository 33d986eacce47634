"""What is said of the package in several files is the same in all of them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import yaml

import dnaspt

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "lightning-fabric": "pytorch-lightning"}
"""Names of packages that conda-forge calls otherwise than PyPI."""


def recipe() -> dict[str, Any]:
    """The recipe as conda would read it."""
    text = (ROOT / "recipe" / "meta.yaml").read_text(encoding="utf-8")
    filled = jinja2.Template(text).render(PYTHON="python", pin_subpackage=lambda name, max_pin: f"{name} {max_pin}")
    content: dict[str, Any] = yaml.safe_load(filled)
    return content


def test_the_recipe_needs_what_the_package_needs() -> None:
    needed = {}
    for requirement in PYPROJECT["dependencies"]:
        name, bound = re.fullmatch(r"([a-z0-9-]+)(>=[0-9.]+)(?:;.*)?", requirement.replace(" ", "")).groups()  # type: ignore[union-attr]
        needed[CONDA_NAMES.get(name, name)] = bound
    needed["python"] = PYPROJECT["requires-python"]
    assert dict(line.split(" ") for line in recipe()["requirements"]["run"]) == needed
    name, target = next(iter(PYPROJECT["scripts"].items()))
    assert recipe()["build"]["entry_points"] == [f"{name} = {target}"] and recipe()["build"]["noarch"] == "python"


def test_the_version_and_the_license_are_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert recipe()["package"]["version"] == citation["version"] == dnaspt.__version__
    assert recipe()["about"]["license"] == citation["license"] == PYPROJECT["license"]


def test_continuous_integration_runs_every_python_that_the_package_is_said_to_run_on() -> None:
    prefix = "Programming Language :: Python :: "
    said = [line.removeprefix(prefix) for line in PYPROJECT["classifiers"] if line.startswith(prefix)]
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert "Not run here" in file.read_text(encoding="utf-8").splitlines()[0], file
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == said
    assert jobs["linux"]["steps"][-1]["run"] == ".ci/run"
    assert all(Path(ROOT, name).exists() for name in ("Dockerfile", ".dockerignore", ".ci/run"))


def test_the_image_gets_all_that_its_build_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in " ".join(copied).split():
        assert f"!{name}" in sent and (ROOT / name).exists(), name
