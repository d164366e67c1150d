"""The pages' commands, options, links, pictures and messages are those that there are.

tests/end_to_end/test_documented_commands.py runs the commands.
"""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
from PIL import Image

from scripts.lib.core.errors import UsageError
from tests import documents
from tests.documents import PAGES, ROOT

COMMANDS = [command for page in PAGES for command in documents.commands(page)]
OWN = [command for command in COMMANDS if command.script]
WITHOUT_PARSER = {"scripts/run_tests.py", "tests/benchmarks/benchmark.py"}  # pass on what they get
# Options in the pages that are other programs'.
OTHERS_OPTIONS = {
    *("--no-deps", "--slow"),  # pip, run_tests.py
    *("--config", "--data-format", "--distributed", "--module-name", "--packages", "--scale-tier"),  # gcloud ml-engine
    *("--autoscaling_algorithm", "--flexrs_goal", "--machine_type", "--max_num_workers"),  # Dataflow
    *("--no_use_public_ips", "--service_account_email", "--subnetwork"),
    *("--logtostderr", "--model_dir", "--num_train_steps"),  # other tutorials
    *("--load_fast", "--tf_xla_auto_jit", "--tf_xla_cpu_global_jit"),  # TensorBoard, TensorFlow
}
PAGE_IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]


def module_of(script: str):
    """Imports it; skips the test where it needs requirements of its own."""
    try:
        return importlib.import_module(script.removesuffix(".py").replace("/", "."))
    except ModuleNotFoundError as error:
        if error.name in ("apache_beam", "google", "yaml"):
            pytest.skip(f"{script} needs {error.name}")
        raise


def test_every_step_of_the_pipeline_has_its_command():
    steps = ["label_images", "check_dataset", "xml_to_csv", "split_dataset", "generate_tfrecord", "generate_tfrecord"]
    steps += ["download_model", "make_config", "train", "eval", "export_model", "report", "detect"]
    found = [Path(command.script).stem for command in documents.commands(ROOT / "README.md") if command.script]
    assert found == steps


@pytest.mark.parametrize("command", OWN, ids=str)
def test_the_script_understands_the_command(command, tmp_path, monkeypatch):
    assert (ROOT / command.script).is_file(), command
    if command.script in WITHOUT_PARSER:
        return
    words = [word.replace("BUCKET", "bucket") for word in command.words[1:]]
    for word in words:  # files and folders that are looked for
        if not word.startswith("-") and ":" not in word and not (path := tmp_path / word).exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch() if path.suffix else path.mkdir()
            if path.is_dir():
                (path / "label_map.pbtxt").touch()
    monkeypatch.chdir(tmp_path)
    try:
        module_of(command.script).parse_arguments(words)
    except UsageError as error:  # of a default path, which the other test has
        assert re.search("no such folder|there is no|holds no", str(error)), command
    except ModuleNotFoundError as error:
        if error.name != "apache_beam":
            raise
        pytest.skip("Apache Beam is not installed")
    except SystemExit as error:
        pytest.fail(f"{command}: exit status {error.code}")


def differs_by_shell(command: str) -> bool:
    """Return whether bash, PowerShell and cmd read a command differently: cmd expands no `*`, and joins no lines."""
    outside_quotes = re.sub(r'"[^"]*"|<[a-z ]+>', "", command)
    return bool(re.search(r"[$'`|&;<>~^%*?(){}]|\\$", outside_quotes) or re.search(r"[$`%]", command))


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_command_is_the_same_in_bash_powershell_and_cmd(command):
    assert not differs_by_shell(command.text), command


def test_so_are_the_commands_of_the_helps():
    pattern = re.compile(r"^ +(python3? [\w/]+\.py .*?)(?:   .*)?$", re.MULTILINE)
    scripts = sorted(path for folder in ("", "scripts", "cloud") for path in (ROOT / folder).glob("*.py"))
    found = [
        (path.name, command)
        for path in scripts
        for command in pattern.findall(
            ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False) or ""
        )
    ]
    assert len(found) > 30
    assert [(name, command) for name, command in found if differs_by_shell(command)] == []


def scripts_in(text: str) -> list[tuple[str, list[str]]]:
    """The script that a code span names, and the options that it gives it."""
    match = re.match(r"(?:python3? |py -3 )?([\w/\\]+\.py)\b(.*)", text)
    if not match:
        return []
    name = match[1].replace("\\", "/")
    places = [path for path in (name, f"scripts/{name}", f"cloud/{name}") if (ROOT / path).is_file()]
    return [(places[0], re.findall(r"--[\w-]+", match[2]))] if places else []


SPANS = [
    (name, script, options)
    for name, page in zip(PAGE_IDS, PAGES, strict=True)
    for span in documents.code_spans(page)
    for script, options in scripts_in(span)
    if options and script not in WITHOUT_PARSER
]


def options_of(script: str, capsys) -> set[str]:
    with pytest.raises(SystemExit) as end:
        module_of(script).parse_arguments(["--help"])
    if end.value.code:
        pytest.skip(str(end.value.code))
    return set(re.findall(r"--[\w-]+", capsys.readouterr().out))


@pytest.mark.parametrize(("page", "script", "options"), SPANS)
def test_options_in_sentences_are_those_of_the_script(page, script, options, capsys):
    assert set(options) - options_of(script, capsys) - OTHERS_OPTIONS == set(), page


def test_options_in_tables_are_those_of_a_script(capsys):
    known = set(OTHERS_OPTIONS)
    for script in sorted({command.script for command in OWN} - WITHOUT_PARSER):
        if not script.startswith("cloud/"):
            known |= options_of(script, capsys)
    cloud = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "cloud").rglob("*.py"))
    known |= set(re.findall(r"--[\w-]+", cloud))
    given = {
        (name, option)
        for name, page in zip(PAGE_IDS, PAGES, strict=True)
        if page.parent in (ROOT, ROOT / "docs", ROOT / "cloud")
        and page.name not in ("CONTRIBUTING.md", "architecture.md")
        for span in documents.code_spans(page)
        for option in re.findall(r"(?<![\w-])--[\w-]+", span)
    }
    assert len(given) > 50
    assert {(name, option) for name, option in given if option not in known} == set()


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_links_lead_to_files_and_headings(page):
    for link in documents.links(page):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in documents.anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_files_that_the_page_names_are_there(page):
    for span in documents.code_spans(page):
        if re.fullmatch(r"(?:scripts|configs|cloud|tests)/[\w/.]+\.(?:py|config|yaml)", span):
            assert (ROOT / span).exists(), span
    for config in re.findall(r"^\| `((?:ssd|ssdlite|faster)_\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert (ROOT / "configs" / f"{config}.config").is_file(), config


PICTURES = sorted(path for path in (ROOT / "docs" / "images").iterdir() if path.suffix != ".md")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small_shown_and_has_its_command(picture):
    assert picture.stat().st_size <= 250_000
    with Image.open(picture) as image:
        image.load()
    assert any(picture.name in link for page in PAGES for link in documents.links(page))
    assert f"`{picture.name}`" in (ROOT / "docs/images/README.md").read_text(encoding="utf-8")


# What other programs say.
OTHERS_MESSAGES = ("No matching distribution found", "running scripts is disabled")


def test_the_messages_to_look_up_are_those_of_the_scripts():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "scripts").rglob("*.py"))
    text = re.sub(r'"\s*\n\s*f?"', "", text)  # a sentence over several lines
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    messages = [
        message for row in re.findall(r"^\| (.*?) \|", page, re.MULTILINE) for message in re.findall("`(.*?)`", row)
    ]
    assert len(messages) > 8
    for message in messages:
        if message.startswith(OTHERS_MESSAGES):
            continue
        for part in re.split(r"\.\.\.|'[^']*'|\d[\d.]*", message):
            assert part.strip() in text, message
