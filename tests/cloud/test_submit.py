"""submit.py: the real gcloud against a stand-in for Google Cloud on loopback; what the server got is what was meant."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
import yaml

pytest.importorskip("google.cloud.aiplatform_v1", reason="requirements-cloud.txt is not installed")
pytest.importorskip("object_detection", reason="the Object Detection API is not installed (it reads the configs)")


from cloud import submit
from cloud.lib import bucket_config, gcloud, submitted
from scripts.lib.config import pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError
from tests.cloud import google_cloud_stub

BUCKET = google_cloud_stub.BUCKET
LABEL_MAP = files.default_path("data/apparel_label_map.pbtxt")
CHECKPOINT = "pretrained/ssd_mobilenet_v1_coco_2017_11_17/model.ckpt"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with google_cloud_stub.running(tmp_path_factory.mktemp("gcloud")) as (cloud, environment):
        yield cloud, environment


@pytest.fixture
def cloud(server, tmp_path, monkeypatch):
    """The stand-in, with nothing in it but a bucket, and gcloud led there; jobs are remembered in tmp_path."""
    if not gcloud.is_installed():
        pytest.skip("gcloud is not installed")
    cloud, environment = server
    url = cloud.url
    cloud.__init__()
    cloud.url = url
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path / "jobs")
    return cloud


def fill_bucket(cloud) -> None:
    """What configs/ssd_mobilenet_v1_gcs.config names."""
    for name in ("data/train.record", "data/test.record", f"{CHECKPOINT}.index"):
        cloud.put(f"gs://{BUCKET}/{name}", b"some bytes")
    cloud.put(f"gs://{BUCKET}/data/apparel_label_map.pbtxt", LABEL_MAP.read_bytes())


def remember(verb: str = "train", number: str = "100", name: str = "imgSeg_5") -> submitted.Job:
    run_dir = f"gs://{BUCKET}/{name}"
    job = submitted.Job(
        name,
        verb,
        number,
        "demo",
        "us-central1",
        BUCKET,
        f"{run_dir}/pipeline.config",
        f"{run_dir}/train",
        f"{run_dir}/eval",
        submitted=5,
    )
    submitted.remember(job)
    config = files.default_path("configs/ssd_mobilenet_v1_gcs.config").read_text(encoding="utf-8")
    local = submitted.folder_of(name) / "pipeline.config"
    local.write_text(config.replace("YOUR_BUCKET", BUCKET), encoding="utf-8")
    return job


def running_job(cloud, state: str = "JOB_STATE_RUNNING") -> dict:
    job = {
        "name": "projects/demo/locations/us-central1/customJobs/100",
        "displayName": "imgSeg_5",
        "state": state,
        "createTime": "2026-01-01T10:00:00Z",
        "startTime": "2026-01-01T10:05:00Z",
    }
    cloud.jobs.append(job)
    return job


# ------------------------------------------------------------------------------------------------ with the real gcloud


def test_training_is_submitted_as_the_template_says_and_remembered(cloud, capsys):
    fill_bucket(cloud)
    assert not submit.main(
        ["train", "--bucket", BUCKET, "--job_name", "imgSeg_5", "--yes", "--", "--num_train_steps=7"]
    )
    (job,) = cloud.jobs
    assert job["displayName"] == "imgSeg_5"
    sent = job["jobSpec"]
    written = yaml.safe_load((submitted.folder_of("imgSeg_5") / "job.yaml").read_text(encoding="utf-8"))
    assert [pool["machineSpec"] for pool in sent["workerPoolSpecs"]] == [
        pool["machineSpec"] for pool in written["workerPoolSpecs"]
    ]
    assert [int(pool["replicaCount"]) for pool in sent["workerPoolSpecs"]] == [1, 5, 3]
    for pool in sent["workerPoolSpecs"]:
        assert pool["containerSpec"] == {
            "imageUri": "us-central1-docker.pkg.dev/demo/apparel/trainer:1",
            "args": [
                f"--pipeline_config_path=gs://{BUCKET}/imgSeg_5/pipeline.config",
                f"--train_dir=gs://{BUCKET}/imgSeg_5/train",
                f"--eval_dir=gs://{BUCKET}/imgSeg_5/eval",
                "--num_train_steps=7",
            ],
        }
    assert sent["scheduling"]["timeout"] == "86400s"
    assert sent["baseOutputDirectory"] == {"outputUriPrefix": f"gs://{BUCKET}/imgSeg_5"}
    assert "serviceAccount" not in sent
    config = cloud.get(f"gs://{BUCKET}/imgSeg_5/pipeline.config").decode()
    assert "YOUR_BUCKET" not in config and f'"gs://{BUCKET}/data/train.record"' in config
    assert submitted.find(None).id == "100"
    shown = capsys.readouterr().out
    assert "> gcloud ai custom-jobs create --project=demo --region=us-central1 --display-name=imgSeg_5" in shown
    assert "Cost: about 6.35 US dollars an hour, 152.35 at most in the 24 h" in shown


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_sent(cloud, tmp_path):
    cloud.buckets[BUCKET]["location"] = "EUROPE-WEST4"
    cloud.images = {"7"}
    with pytest.raises(DataError) as failure:
        submit.main(["train", "--bucket", BUCKET, "--yes", "--workers", "2", "--", "--num_train_stops=7"])
    text = "\n".join(map(str, failure.value.findings))
    assert "lies in europe-west4, and the job would run in us-central1" in text
    assert (
        "there is no container us-central1-docker.pkg.dev/demo/apparel/trainer:1; give --image, or build it (cloud/README.md) with: gcloud builds"
        in text
    )
    assert "unrecognized arguments: --num_train_stops=7" in text
    assert f"train_input_reader: there is no gs://{BUCKET}/data/train.record; upload it with" in text
    assert f"fine_tune_checkpoint: there is no gs://{BUCKET}/{CHECKPOINT}" in text
    assert failure.value.consequence == "nothing was submitted"
    assert not cloud.jobs and not cloud.objects and not submitted.FOLDER.exists()


def test_a_refused_evaluation_says_why_in_one_sentence(cloud):
    fill_bucket(cloud)
    remember()
    cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-7.index", b"x")
    quota = "aiplatform.googleapis.com/custom_model_training_nvidia_t4_gpus"
    cloud.refusal = (429, "RESOURCE_EXHAUSTED", f"The following quota metrics exceed quota limits: {quota}")
    with pytest.raises(DataError) as failure:
        submit.main(["eval", "--yes"])
    (sentence,) = failure.value.findings
    assert sentence.startswith(
        "The project's quota for custom_model_training_nvidia_t4_gpus in this region is too small"
    )
    assert failure.value.consequence.startswith("nothing was submitted")

    cloud.refusal = None
    assert not submit.main(["eval", "--yes", "--job_name", "imgSeg_6"])
    (pool,) = cloud.jobs[0]["jobSpec"]["workerPoolSpecs"]
    assert pool["containerSpec"]["command"] == ["python", "scripts/eval.py"]
    assert f"--checkpoint_dir=gs://{BUCKET}/imgSeg_5/train" in pool["containerSpec"]["args"]
    assert submitted.find(None).verb == "eval" and submitted.find(None, "train").name == "imgSeg_5"


def test_what_a_refused_training_leaves_is_said(cloud, monkeypatch, capsys):
    for check in ((submit, "check_image"), (bucket_config, "check")):
        monkeypatch.setattr(*check, lambda *_: [])
    cloud.refusal = (400, "INVALID_ARGUMENT", "List of found errors: 1.Field: job_spec")
    with pytest.raises(DataError) as failure:
        submit.main(["train", "--bucket", BUCKET, "--job_name", "imgSeg_5", "--yes"])
    assert failure.value.findings[0].startswith("Vertex AI refuses the job specification (List of found errors")
    uploaded = f"gs://{BUCKET}/imgSeg_5/pipeline.config"
    assert cloud.addresses() == {uploaded}
    assert f"{uploaded} was uploaded, and goes with: gcloud storage rm {uploaded};" in failure.value.consequence
    assert "(if it broke off on the way, `submit.py status --all` shows the job)" in failure.value.consequence
    with pytest.raises(UsageError, match="no job was submitted from here"):
        submitted.find(None)
    assert not submit.main(["status", "--all"])
    assert "There is no job in us-central1 of demo." in capsys.readouterr().out


def test_upload_copies_what_is_missing_or_different(cloud, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "REPOSITORY_ROOT", tmp_path)
    made = {"data/train.record": b"train\n", "data/test.record": b"test\r\n", "data/map.pbtxt": b"item {}\n"}
    for name, content in made.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for check in ("check_training", "check_evaluation"):
        monkeypatch.setattr(pipeline_config, check, lambda *_, **__: [])
    config = tmp_path / "gcs.config"
    reader = "{ tf_record_input_reader { input_path: '%s' } label_map_path: 'gs://YOUR_BUCKET/data/map.pbtxt' }"
    config.write_text(
        f"train_input_reader {reader % 'gs://YOUR_BUCKET/data/train.record'}\n"
        f"eval_input_reader {reader % (tmp_path / 'data/test.record').as_posix()}\n"
    )
    cloud.put(f"gs://{BUCKET}/data/train.record", made["data/train.record"])
    cloud.put(f"gs://{BUCKET}/data/test.record", b"other")
    assert not submit.main(["upload", "--bucket", f"gs://{BUCKET}/", "--config", str(config), "--yes"])
    assert {name: cloud.get(f"gs://{BUCKET}/{name}") for name in made} == made
    assert not any(asked.startswith("DELETE") for asked in cloud.asked)
    shown = capsys.readouterr().out
    assert "data/train.record (there already)" in shown
    assert f"Next: python cloud/submit.py train --bucket {BUCKET} --config {config}" in shown


def test_status_log_and_cancelling_of_the_latest_job(cloud, capfd):
    remember()
    job = running_job(cloud)
    cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-900.index", b"x")
    cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-1000.index", b"x")
    assert not submit.main(["status"])
    shown = capfd.readouterr().out
    assert "imgSeg_5 (100): running" in shown and "started    2026-01-01T10:05:00Z" in shown
    assert "model.ckpt-1000" in shown
    assert not submit.main(["cancel", "--yes"])
    assert job["state"] == "JOB_STATE_CANCELLED"
    assert not submit.main(["cancel", "--yes"])
    assert "imgSeg_5 has ended already (cancelled)." in capfd.readouterr().out
    assert not submit.main(["status", "--all"])
    assert "100                  2026-01-01T10:00:00  cancelled   imgSeg_5" in capfd.readouterr().out
    job["error"] = {"code": 8, "message": "RESOURCE_EXHAUSTED: no such machine is left"}
    with pytest.raises(DataError, match="what the region has left, does not suffice"):
        submit.main(["status"])


def test_the_log_of_a_job_is_followed_until_it_ends(cloud, capfd, monkeypatch):
    remember()
    running_job(cloud)
    monkeypatch.setattr(submit, "LOOK_SECS", 5)
    monkeypatch.setattr(submit, "LAST_LINES_SECS", 0)
    described = iter(["JOB_STATE_RUNNING"])  # then it has ended; gcloud itself is told so never
    monkeypatch.setattr(submit, "describe", lambda job: {"state": next(described, None) or ended_after_the_log(cloud)})
    assert not submit.main(["logs", "--interval", "1"])
    shown = capfd.readouterr().out
    assert "step 20: loss 3.2" in shown and "imgSeg_5: succeeded" in shown


def ended_after_the_log(cloud) -> str:
    return f"JOB_STATE_{'SUCCEEDED' if sum('entries:list' in asked for asked in cloud.asked) > 1 else 'RUNNING'}"


def test_export_fetches_the_checkpoint_and_runs_the_exporter(cloud, monkeypatch, tmp_path):
    remember()
    for step in (900, 1000):
        for suffix in ("index", "data-00000-of-00001"):
            cloud.put(f"gs://{BUCKET}/imgSeg_5/train/model.ckpt-{step}.{suffix}", b"%d" % step)
    cloud.put(f"gs://{BUCKET}/data/apparel_label_map.pbtxt", LABEL_MAP.read_bytes())
    commands = []
    run = SimpleNamespace(run=lambda command, **_: commands.append(command) or SimpleNamespace(returncode=0))
    monkeypatch.setattr(submit, "subprocess", run)
    monkeypatch.chdir(tmp_path)
    assert not submit.main(["export", "--yes", "--output_directory", "out"])
    folder = submitted.folder_of("imgSeg_5")
    assert (folder / "train" / "model.ckpt-1000.data-00000-of-00001").read_bytes() == b"1000"
    assert not (folder / "train" / "model.ckpt-900.index").exists()
    assert f"--trained_checkpoint_prefix={folder / 'train' / 'model.ckpt-1000'}" in commands[0]
    assert f"--output_directory={tmp_path / 'out'}" in commands[0]
    config = pipeline_config.read(folder / "export.config")
    assert pipeline_config.label_map_path(config) == (folder / "label_map.pbtxt").as_posix()


def test_batch_detection_is_checked_before_it_is_started(cloud, monkeypatch):
    commands = []
    run = SimpleNamespace(run=lambda command, **_: commands.append(command) or SimpleNamespace(returncode=0))
    monkeypatch.setattr(submit, "subprocess", run)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
    image = "us-central1-docker.pkg.dev/demo/apparel/beam:7"
    places = {name: f"gs://{BUCKET}/{name}" for name in ("input", "model", "output_path")}
    command = ["batch-detect", "--bucket", BUCKET, "--yes", "--image", image]
    command += [f"--{name}={place}" for name, place in places.items()]
    with pytest.raises(DataError) as failure:
        submit.main(command)
    container, model, photos = failure.value.findings
    assert container == f"there is no container {image}; give --image, or build it (cloud/README.md) with: " + (
        f"gcloud builds submit --tag={image} ."
    )
    assert model.startswith(f"there is no model.onnx in gs://{BUCKET}/model; make it with scripts/export_model.py")
    assert photos == f"--input gs://{BUCKET}/input: nothing lies there" and not commands

    cloud.images = {"7"}
    cloud.put(f"gs://{BUCKET}/model/model.onnx", b"x")
    for name in ("a", "b"):
        cloud.put(f"gs://{BUCKET}/input/2024/{name}.jpg", b"x")
    assert not submit.main(command)
    assert commands[0][1] == "cloud/detect_beam.py" and f"--sdk_container_image={image}" in commands[0]


# ----------------------------------------------------------------------------------------------------- without gcloud


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


def test_there_is_no_negative_number_of_machines(capsys):
    with pytest.raises(SystemExit, match="2"):
        submit.main(["train", "--bucket", BUCKET, "--workers=-1"])
    assert "error: --workers cannot be negative" in capsys.readouterr().err


def test_what_would_stop_the_training_on_the_machine_is_said_before(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    text = files.default_path("configs/ssd_mobilenet_v1_gcs.config").read_text(encoding="utf-8")
    (tmp_path / "c.config").write_text(text.replace("train_config {", "train_config { sync_replicas: true", 1))
    one_machine = ["--workers", "0", "--parameter_servers", "0", "--project", "demo", "--dry_run"]
    given = ["train", "--bucket", BUCKET, "--config", str(tmp_path / "c.config"), *one_machine]
    with pytest.raises(DataError) as failure:
        submit.main([*given, "--", "--eval_every", "500"])
    in_step, evaluations = map(str, failure.value.findings)
    assert "c.config: train_config: sync_replicas does not go with startup_delay_steps" in in_step
    assert "args: --eval_every needs a train_dir on the machine; give --evaluator" in evaluations


def test_a_job_s_name_is_not_given_twice(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    remember()
    with pytest.raises(DataError, match="there is a job imgSeg_5 already, in .*imgSeg_5; give another --job_name"):
        submit.main(["eval", "--job_name", "imgSeg_5", "--dry_run"])
    assert submitted.find(None).verb == "train"


def test_project_and_region_are_those_given_or_the_job_s(monkeypatch, tmp_path):
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    remember()
    job = submit.find_job(SimpleNamespace(job=None, project=None, region="europe-west4"))
    assert submit.place(job) == ["--project=demo", "--region=europe-west4"]


def test_help_shows_the_defaults(capsys):
    with pytest.raises(SystemExit, match="0"):
        submit.main(["train", "--help"])
    shown = "".join(capsys.readouterr().out.split())
    assert "(default:cloud/vertex_training.yaml)" in shown and "(default:REGION-docker.pkg.dev/PROJECT/apparel" in shown


def test_who_is_not_logged_in_is_told_how(monkeypatch):
    monkeypatch.setattr(gcloud, "run_json", lambda *_: {"core": {"project": "demo"}})
    with pytest.raises(UsageError, match="not logged in; run `gcloud auth login`"):
        gcloud.configuration()


def test_nobody_is_asked_without_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(UsageError, match="give --yes"):
        submit.confirm(SimpleNamespace(dry_run=False, yes=False), "Submit?")


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("YES", True), ("", False), ("n", False)])
def test_only_yes_goes_on(monkeypatch, answer, goes_on):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert submit.confirm(SimpleNamespace(dry_run=False, yes=False), "Submit?") is goes_on


@pytest.mark.parametrize("verb", sorted(submit.VERBS))
def test_ml_engine_shows_its_commands_and_runs_nothing(verb, capsys, monkeypatch):
    monkeypatch.setattr(gcloud, "attempt", None)  # calling it would fail
    required = {
        "upload": [],
        "train": [],
        "batch-detect": ["--input=gs://b/i", "--model=gs://b/m", "--output_path=gs://b/o", "--image=i"],
    }
    flags = ["--bucket", BUCKET, *required[verb]] if verb in required else []
    assert submit.main([verb, "--backend", "ml-engine", *flags]) == 0
    shown = capsys.readouterr().out
    assert "ended on 31 January 2025" in shown
    if verb == "train":
        assert (
            "--module-name object_detection.train --region us-central1 --config cloud/cloud.yml -- "
            f"--train_dir=gs://{BUCKET}/train --pipeline_config_path=gs://{BUCKET}/data/" in shown
        )


def test_tensorboard_is_started_without_its_fast_loader(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.delenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", raising=False)
    remember()
    monkeypatch.setattr(submit, "MACHINE_NAME", tmp_path / "product_name")
    with pytest.raises(
        UsageError, match="TensorFlow has a login of its own .* `gcloud auth application-default login`"
    ):
        submit.main(["tensorboard"])
    (tmp_path / "product_name").write_text("Google Compute Engine\n")
    assert submit.missing_login("TensorFlow") == []
    (tmp_path / "product_name").write_text("Laptop\n")
    (tmp_path / "application_default_credentials.json").write_text("{}")
    commands = []
    run = SimpleNamespace(run=lambda command, **_: commands.append(command) or SimpleNamespace(returncode=0))
    monkeypatch.setattr(submit, "subprocess", run)
    assert not submit.main(["tensorboard"])
    assert commands[0][2:5] == ["tensorboard.main", f"--logdir=gs://{BUCKET}/imgSeg_5", "--load_fast=false"]


def test_batch_detection_goes_to_dataflow(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    addresses = [f"--{name}=gs://{BUCKET}/{name}" for name in ("input", "model", "output_path")]
    flags = ["--bucket", BUCKET, "--image=r-docker.pkg.dev/p/a/beam:1", "--project=demo", "--dry_run", *addresses]
    assert not submit.main(["batch-detect", *flags, "--max_num_workers=5", "--", "--num_shards=100"])
    cost, command, _ = capsys.readouterr().out.splitlines()
    assert cost.startswith("Cost: about 1.41 US dollars an hour with 5 machines")
    assert f"--input=gs://{BUCKET}/input" in command and "--runner=DataflowRunner" in command
    assert f"--temp_location=gs://{BUCKET}/tmp" in command and command.endswith("--num_shards=100")
    assert "--machine_type=e2-standard-4" in command


@pytest.mark.parametrize(
    "flags",
    [("--train_dir", "runs/train"), ("--train_dir", "gs://bucket/"), ("--service_account", "me"), ("--job_name", "5")],
)
def test_a_value_of_the_wrong_form_is_usage(flags, capsys):
    with pytest.raises(SystemExit, match="2"):
        submit.main(["train", "--bucket", BUCKET, *flags])
    assert f"error: {flags[0]} '{flags[1]}': " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--bucket", "Not_A_Bucket"], "is no bucket's name"),
        (
            [
                "train",
                "--bucket",
                BUCKET,
                "--parameter_servers",
                "2",
                "--workers",
                "0",
                "--dry_run",
                "--project",
                "demo",
            ],
            "needs workers, too",
        ),
        (["export"], "no train job was submitted from here"),
        (["logs", "--job", "123"], "no job 123 was submitted from here"),
    ],
)
def test_wrong_usage(arguments, message, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(submitted, "FOLDER", tmp_path)
    with pytest.raises(UsageError, match=message):
        submit.main(arguments)
