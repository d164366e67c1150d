"""Job specifications: the templates are right, and every way of getting one wrong is named."""

from __future__ import annotations

import copy
import datetime

import pytest

pytest.importorskip("yaml", reason="requirements-cloud.txt is not installed")
pytest.importorskip("google.cloud.aiplatform_v1", reason="requirements-cloud.txt is not installed")

from cloud.lib import job_spec
from scripts.lib.core import files
from scripts.lib.core.errors import DataError, UsageError

IMAGE = "us-central1-docker.pkg.dev/p/apparel/trainer:1"
VALUES = {
    "IMAGE": IMAGE,
    "PIPELINE_CONFIG": "gs://b/j/pipeline.config",
    "TRAIN_DIR": "gs://b/j/train",
    "EVAL_DIR": "gs://b/j/eval",
    "RUN_DIR": "gs://b/j",
    "SERVICE_ACCOUNT": "",
}
TRAINING = files.default_path("cloud/vertex_training.yaml")
MASTER, WORKERS, SERVERS = range(3)


def training() -> dict:
    template = job_spec.with_replicas(job_spec.read_template(TRAINING), {job_spec.EVALUATOR: 0})
    return copy.deepcopy(job_spec.fill(template, VALUES))


def messages(spec: dict) -> list[str]:
    return [str(finding) for finding in job_spec.check(spec, "job.yaml", lambda command, arguments: None)]


@pytest.mark.parametrize("name", ["vertex_training.yaml", "vertex_evaluation.yaml"])
def test_the_templates_are_right(name):
    spec = job_spec.fill(job_spec.read_template(files.default_path(f"cloud/{name}")), VALUES)
    assert messages(spec) == []
    assert "$" not in job_spec.text(spec) and "serviceAccount" not in spec
    assert "&" not in job_spec.text(spec) and "*" not in job_spec.text(spec)


def test_the_training_is_the_reference_cluster():
    assert [pool["replicaCount"] for pool in training()["workerPoolSpecs"]] == [1, 5, 3]
    yaml = pytest.importorskip("yaml")
    historical = yaml.safe_load(files.default_path("cloud/cloud.yml").read_text(encoding="utf-8"))["trainingInput"]
    assert (historical["workerCount"], historical["parameterServerCount"]) == (5, 3)


def broken(change):
    spec = training()
    change(spec)
    return spec


def pool(spec: dict, number: int) -> dict:
    return spec["workerPoolSpecs"][number]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update(workerPoolSpec=[]), 'has no field named "workerPoolSpec"'),
        (lambda s: pool(s, MASTER)["machineSpec"].update(acceleratorType="NVIDIA_T4"), "Invalid enum value NVIDIA_T4"),
        (lambda s: s["workerPoolSpecs"].insert(1, {}), "workerPoolSpecs[1] (workers): is empty, which gcloud refuses"),
        (lambda s: s.update(workerPoolSpecs=[]), "workerPoolSpecs is empty"),
        (lambda s: s.update(workerPoolSpecs=s["workerPoolSpecs"] * 2), "has 6 worker pools; at most 4"),
        (lambda s: pool(s, MASTER).update(replicaCount=2), "workerPoolSpecs[0] (master): replicaCount is 2"),
        (
            lambda s: pool(s, WORKERS).update(replicaCount=0),
            "replicaCount is 0; write at least 1, or leave the pool out",
        ),
        (lambda s: s["workerPoolSpecs"].pop(), "has workers and no parameter servers"),
        (
            lambda s: pool(s, MASTER)["machineSpec"].update(acceleratorType="NVIDIA_TESLA_K80"),
            "NVIDIA_TESLA_K80 has not been to be had since 1 May 2024",
        ),
        (
            lambda s: pool(s, MASTER)["machineSpec"].update(machineType="e2-standard-8"),
            "NVIDIA_TESLA_T4 is not to be had with e2-standard-8",
        ),
        (
            lambda s: pool(s, MASTER)["machineSpec"].update(acceleratorCount=3),
            "acceleratorCount is 3; write one of 1, 2, 4",
        ),
        (lambda s: pool(s, MASTER)["machineSpec"].pop("acceleratorCount"), "acceleratorCount is missing"),
        (
            lambda s: pool(s, SERVERS)["machineSpec"].update(acceleratorCount=1),
            "acceleratorCount is 1, and acceleratorType is missing",
        ),
        (
            lambda s: pool(s, SERVERS)["machineSpec"].update(acceleratorType="NVIDIA_TESLA_T4", acceleratorCount=1),
            "which a parameter server does not use",
        ),
        (lambda s: pool(s, MASTER)["machineSpec"].update(acceleratorType="TPU_V3"), "TPU_V3 is no GPU"),
        (
            lambda s: pool(s, MASTER)["machineSpec"].pop("machineType"),
            "machineType is None; write one such as n1-standard-8",
        ),
        (lambda s: pool(s, MASTER)["containerSpec"].update(imageUri="trainer"), "imageUri is 'trainer'; give --image"),
        (lambda s: s["scheduling"].update(timeout="700000s"), "timeout is 700000s; write up to 604800s, 7 days"),
        (lambda s: s["scheduling"].update(timeout="1 day"), "is no CustomJobSpec"),
        (lambda s: s["scheduling"].update(timeout=datetime.date(2026, 1, 1)), "is no CustomJobSpec"),
        (lambda s: s["scheduling"].update(strategy="SPOT", disableRetries=True), "disableRetries ends the job then"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    assert any(message in found for found in messages(broken(change))), messages(broken(change))


def test_flags_that_the_program_does_not_take_are_named_once():
    from cloud import submit

    spec = training()
    for each in spec["workerPoolSpecs"]:
        each["containerSpec"]["args"].append("--learning_rate=3")
    findings = job_spec.check(spec, "job.yaml", submit.parse_program_flags)
    assert [str(each) for each in findings] == [
        "error: job.yaml: workerPoolSpecs[0] (master): args: unrecognized arguments: --learning_rate=3; see the program's --help."
    ]


def test_a_name_without_a_value_is_refused():
    with pytest.raises(DataError, match="the job specification has BUKET, which is none of"):
        job_spec.fill({"a": ["gs://${BUKET}/x"]}, {"BUCKET": "b"})


def test_an_entry_without_a_value_is_left_out():
    assert job_spec.fill({"a": None, "b": "${NAME}", "c": {"d": None}, "e": 0}, {"NAME": ""}) == {"c": {}, "e": 0}


def test_pools_are_left_out_from_the_end_alone():
    template = job_spec.read_template(TRAINING)
    one = job_spec.with_replicas(template, {1: 0, 2: 0, 3: 0})
    assert len(one["workerPoolSpecs"]) == 1
    assert [p["replicaCount"] for p in job_spec.with_replicas(template, {1: 2, 2: 1})["workerPoolSpecs"]] == [
        1,
        2,
        1,
        1,
    ]
    with pytest.raises(UsageError, match="a job with evaluator needs workers, too"):
        job_spec.with_replicas(template, {1: 0, 2: 0, 3: 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workerPoolSpecs: [", "template.yaml:1: is no YAML"),
        ("trainingInput: {scaleTier: CUSTOM}", "has no list workerPoolSpecs"),
        ("workerPoolSpecs: [a]", "holds what is no object"),
        ("workerPoolSpecs: [{machineSpec: [n1]}]", r"workerPoolSpecs\[0\]: machineSpec is \['n1'\]; write an object"),
        (
            "workerPoolSpecs: [{machineSpec: {acceleratorType: []}}]",
            "machineSpec.acceleratorType is .*; write a string",
        ),
        ("workerPoolSpecs: [{containerSpec: {args: --a}}]", "containerSpec.args is '--a'; write a list of strings"),
        (
            "workerPoolSpecs: [{containerSpec: {args: [--steps, 5]}}]",
            "containerSpec.args is .*; write a list of strings",
        ),
        ("{workerPoolSpecs: [{}], scheduling: 5h}", "scheduling is '5h'; write an object"),
    ],
)
def test_a_file_that_is_no_template_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(DataError, match=message):
        job_spec.read_template(tmp_path / "template.yaml")
