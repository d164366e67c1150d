"""The command line of submit.py; what it submits is tested in lib/."""

from __future__ import annotations

import re
import shutil

import pytest

pytest.importorskip("google.cloud.aiplatform_v1", reason="requirements-cloud.txt is not installed")
pytest.importorskip("object_detection", reason="the Object Detection API is not installed (it reads the configs)")


from cloud import submit
from cloud.lib import submitted
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from tests.cloud.google_cloud_stub import BUCKET


def test_without_gcloud_there_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="gcloud is not installed.*cloud.google.com/sdk/docs/install"):
        submit.main(["status", "--all"])


def test_a_dry_run_without_gcloud_shows_the_job(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path / "jobs")
    one_machine = ["--workers", "0", "--parameter_servers", "0"]
    assert not submit.main(["train", "--bucket", BUCKET, "--project", "demo", "--dry_run", *one_machine])
    shown = capsys.readouterr()
    assert shown.out.count("replicaCount: 1") == 1 and "Nothing was changed (--dry_run)." in shown.out
    assert "nothing on Google Cloud was checked" in shown.err
    assert not submitted.FOLDER.exists()


def test_an_evaluator_is_a_machine_more_and_its_record_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path / "jobs")
    jobs = []
    monkeypatch.setattr(submit.jobs, "_submit", lambda *args: jobs.append(args))
    for evaluator in ([], ["--evaluator"]):
        submit.main(["train", "--bucket", BUCKET, "--project", "demo", "--dry_run", *evaluator])
    assert [len(job[3]["workerPoolSpecs"]) for job in jobs] == [3, 4]
    assert [job[6] for job in jobs] == [["train_input_reader"], ["train_input_reader", "eval_input_reader"]]


def test_there_is_no_negative_number_of_machines(capsys):
    with pytest.raises(SystemExit, match="2"):
        submit.main(["train", "--bucket", BUCKET, "--workers=-1"])
    assert "error: --workers: -1 is below 0" in capsys.readouterr().err


def test_what_would_stop_the_training_on_the_machine_is_said_before(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    text = files.default_path("configs/ssd_mobilenet_v1_gcs.config").read_text(encoding="utf-8")
    (tmp_path / "c.config").write_text(text.replace("train_config {", "train_config { sync_replicas: true", 1))
    two_workers = ["--workers", "1", "--parameter_servers", "1", "--project", "demo", "--dry_run"]
    given = ["train", "--bucket", BUCKET, "--pipeline_config_path", str(tmp_path / "c.config"), *two_workers]
    with pytest.raises(DataError) as failure:
        submit.main([*given, "--", "--eval_every", "500"])
    in_step, evaluations = map(str, failure.value.findings)
    assert "c.config: train_config: sync_replicas does not go with startup_delay_steps" in in_step
    assert "args: --eval_every needs a train_dir on the machine; give --evaluator" in evaluations


def test_help_shows_the_defaults(capsys):
    with pytest.raises(SystemExit, match="0"):
        submit.main(["train", "--help"])
    shown = "".join(capsys.readouterr().out.split())
    assert "(default:cloud/vertex_training.yaml)" in shown and "(default:REGION-docker.pkg.dev/PROJECT/apparel" in shown


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--bucket", "Not_A_Bucket"),
        ("--train_dir", "runs/train"),
        ("--train_dir", "gs://bucket/"),
        ("--job_name", "5"),
    ],
)
def test_a_value_of_the_wrong_form_is_usage(flag, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        submit.main(["train", "--bucket", BUCKET, flag, value])
    assert f"error: {flag}: '{value}'" in capsys.readouterr().err


def test_flags_for_a_program_are_refused_where_there_is_none(capsys):
    with pytest.raises(SystemExit, match="2"):
        submit.main(["status", "--", "--num_steps", "5"])
    assert "status passes nothing on to a program: leave out -- --num_steps 5" in capsys.readouterr().err


MORE_SERVERS = ["--workers", "0", "--parameter_servers", "2", "--project", "demo", "--dry_run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--bucket", BUCKET, *MORE_SERVERS], "a job with parameter servers also needs workers"),
        (["export"], "no train job was submitted from here"),
        (["logs", "--job", "123"], "no job 123 was submitted from here"),
    ],
)
def test_wrong_usage(arguments, message, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    with pytest.raises(UsageError, match=message):
        submit.main(arguments)


PAGES = sorted(files.default_path("cloud").glob("*.md"))
PAGE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
COMMANDS = re.findall(
    r"python cloud/submit\.py ([a-z-]+(?: --[^`|\n]*)?)$", PAGE + submit.__doc__.replace("\n      ", " "), re.MULTILINE
)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page_and_the_help_are_understood(command):
    command = command.replace("BUCKET", BUCKET).replace("runs/mine/pipeline.config", str(submit.BASE_CONFIG))
    args, _ = submit.parse_arguments(command.split())
    assert args.verb == command.split()[0]


def test_the_page_has_a_command_for_each_verb():
    verbs = {"upload", "train", "logs", "status", "cancel", "eval", "export", "batch-detect"}
    assert {command.split()[0] for command in COMMANDS} == verbs
