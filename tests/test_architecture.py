"""The rules of docs/architecture.md that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("xml_to_csv", "split_dataset", "generate_tfrecord")

# Tests that belong to no single module: they are named after what they check.
OF_THE_WHOLE = {
    "test_architecture.py",
    "cloud/test_dockerfile.py",
    "test_hostile_input.py",
    "test_documents.py",
    "test_old_commands.py",
    "test_requirements.py",
    "object_detection_api/test_suite.py",
    "scripts/lib/annotations/test_hostile_annotations.py",
    "scripts/lib/object_detection_api/test_architectures.py",
}


def sources() -> list[Path]:
    """Return every Python file outside tests, relative to the root."""
    folders = [*ROOT.glob("*.py"), *(ROOT / "scripts").rglob("*.py"), *(ROOT / "cloud").rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in folders)


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def own_imports(path: Path) -> set[str]:
    """Return the modules of this project that a file imports, by full name, wherever the import stands."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_imports_go_down_and_never_in_a_circle():
    """The contracts are in pyproject.toml, [tool.importlinter]."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout[done.stdout.find("Contracts") :] + done.stderr


def test_no_step_imports_another_script():
    scripts = {path.stem for path in sources() if path.parent.as_posix() in (".", "scripts")}
    known = {*STEPS, *(f"scripts.{name}" for name in scripts if not name.startswith("_"))}
    for path in sources():
        if path.parts[0] != "cloud":
            assert not own_imports(path) & known - {f"scripts.{path.stem}"}, path


def test_the_data_steps_do_not_load_tensorflow():
    code = f"import sys, {', '.join(STEPS)}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


def test_parsed_arguments_stay_in_the_scripts():
    shared = [path for path in sources() if "lib" in path.parts]
    assert len(shared) > 50
    for path in shared:
        assert "argparse.Namespace" not in (ROOT / path).read_text(encoding="utf-8"), path


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for path in sources():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.as_posix())
    # Each module in models/runtimes has the class that `runtimes.load` looks for.
    places.pop("Model")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_every_module_has_a_test_file_of_its_name():
    modules = [path for path in sources() if path.name not in ("__init__.py", "_init_paths.py")]
    missing = [path.as_posix() for path in modules if not (ROOT / "tests" / mirror(path)).is_file()]
    assert missing == [], "write tests/<same folder>/test_<module>.py for each"


def test_every_test_file_mirrors_a_module():
    mirrors = {mirror(path).as_posix() for path in sources()}
    # A package whose code is in __init__.py is tested by a file of the package's name.
    mirrors |= {mirror(path.parent).as_posix() for path in sources() if path.name == "__init__.py"}
    found = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    of_modules = {path.as_posix() for path in found if path.parts[0] not in ("end_to_end", "benchmarks")}
    assert sorted(of_modules - mirrors - OF_THE_WHOLE) == []


def mirror(path: Path) -> Path:
    """Return where the tests of a module are, relative to tests/."""
    return path.with_name(f"test_{path.stem.removeprefix('_')}.py")


@pytest.mark.parametrize("marker", ["fmt: skip", "fmt: off"])
def test_the_formatter_formats_everything(marker):
    for path in sources():
        assert f"# {marker}" not in (ROOT / path).read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("page", "folders"),
    [
        ("docs/architecture.md", (".", "scripts", "scripts/lib", "docs")),
        ("scripts/lib/README.md", (".", "scripts/lib")),
        ("CONTRIBUTING.md", (".", "scripts/lib/object_detection_api")),
    ],
)
def test_the_maps_name_files_that_exist(page, folders):
    text = (ROOT / page).read_text(encoding="utf-8")
    names = {
        name for name in re.findall(r"`([\w/.-]+(?:/|\.py|\.md|\.toml|\.txt))`", text) if not name.startswith("..")
    }
    assert len(names) > 5
    missing = [name for name in names if not any((ROOT / folder / name).exists() for folder in folders)]
    assert [name for name in missing if name not in ("runs/", ".venv")] == []


def test_the_map_of_packages_is_complete():
    packages = {path.parts[2] for path in sources() if path.parts[:2] == ("scripts", "lib") and len(path.parts) > 3}
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {package for package in packages if f"`{package}`" not in text} == set()


def test_case_32_json_from_elsewhere_has_one_reader():
    """The exceptions read lines of JSON that the same run has written."""
    readers = {path.as_posix() for path in sources() if re.search(r"json\.loads?\(", (ROOT / path).read_text("utf-8"))}
    own = {"cloud/generate_tfrecord_beam.py", "cloud/lib/beam_detection.py", "cloud/lib/job_spec.py"}
    assert readers == {"scripts/lib/core/json_text.py", *own, "scripts/lib/detection/journal.py"}
