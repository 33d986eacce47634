"""The house rules that a machine can hold."""

import ast
from pathlib import Path

import dnaspt

SOURCE = Path(dnaspt.__file__).parent
ORDER = (
    "errors",
    "arguments",
    "words",
    "frozen_dict",
    "security",
    "optional_imports",
    "owner",
    "atomic",
    "output",
    "json_files",
    "progress",
    "config",
    "genome",
    "tasks",
    "data",
    "prepare",
    "simulation",
    "models",
    "checkpoint_config",
    "hub",
    "checkpoint",
    "transformers",
    "inference",
    "evaluation",
    "baselines",
    "browser",
    "training",
    "studies",
    "reports",
    "sharing",
    "bend",
    "estimators",
    "api",
    "cli",
)
TERMINAL = ("cli", "__main__")
SHIPPED = sorted(SOURCE.rglob("*.py"))
TESTS = Path(__file__).parent
TESTED_ELSEWHERE = {
    "__main__.py": "cli/test_main.py",  # it starts the program with python -m
    "models/kernels/crf_triton.py": "models/kernels/test_crf_gpu.py",  # crf_gpu launches these kernels
    "models/kernels/encoder_triton.py": "models/kernels/test_encoder_gpu.py",  # encoder_gpu launches these kernels
}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_imports_point_one_way() -> None:
    for path in SHIPPED:
        part = part_of(path)
        if part in TERMINAL or part == "__init__":
            continue
        for name in imports_of(path):
            words = name.split(".")
            if words[0] != "dnaspt" or words[1] not in ORDER:
                assert words[0] != "dnaspt" or words[1] == "__version__", f"{path} imports {name}"
                continue
            assert ORDER.index(words[1]) <= ORDER.index(part), f"{path} imports {name}"
            assert not (part == "models" and words[1] == "data"), f"{path} imports {name}: models know no files"


def test_genome_and_data_know_no_torch_and_only_training_knows_fabric() -> None:
    for path in SHIPPED:
        roots = {name.split(".")[0] for name in imports_of(path)}
        assert not (part_of(path) in ("genome", "data", "prepare", "simulation") and roots & {"torch", "numba"}), path
        assert part_of(path) == "training" or "lightning_fabric" not in roots, path


def test_only_the_command_line_prints() -> None:
    for path in SHIPPED:
        if part_of(path) not in TERMINAL:
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path


def test_nothing_unpickles_or_runs_configuration() -> None:
    for path in SHIPPED:
        assert not imports_of(path) & {"pickle", "dill", "joblib", "yaml"}, path
        text = path.read_text()
        assert "torch.save(" not in text and "torch.load(" not in text and "eval(" not in text.replace(".eval(", ""), (
            path
        )


def test_a_file_opens_with_one_sentence_about_itself() -> None:
    for path in SHIPPED:
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_every_module_has_its_test_file() -> None:
    for path in SHIPPED:
        module = path.relative_to(SOURCE)
        if path.name == "__init__.py":
            continue
        expected = TESTED_ELSEWHERE.get(module.as_posix(), f"{module.parent.as_posix()}/test_{path.name}")
        assert (TESTS / expected).is_file(), f"tests/unit/{expected} of {module.as_posix()} is missing"


def test_modules_with_a_test_file_of_their_own_are_no_exceptions() -> None:
    for name in TESTED_ELSEWHERE:
        assert (SOURCE / name).is_file() and not (TESTS / name).with_name(f"test_{Path(name).name}").exists(), name
