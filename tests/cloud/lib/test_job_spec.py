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
MASTER = 0


def training() -> dict:
    template = job_spec.with_replicas(job_spec.read_template(TRAINING), None, None, evaluator=False)
    return copy.deepcopy(job_spec.fill(template, VALUES))


def messages(spec: dict) -> list[str]:
    return [str(finding) for finding in job_spec.check(spec, "job.yaml")]


@pytest.mark.parametrize("name", ["vertex_training.yaml", "vertex_evaluation.yaml"])
def test_the_templates_are_right(name):
    spec = job_spec.fill(job_spec.read_template(files.default_path(f"cloud/{name}")), VALUES)
    assert messages(spec) == []
    text = job_spec.text(spec, "a job")
    assert "$" not in text and "serviceAccount" not in spec
    assert "&" not in text and "*" not in text


def test_the_training_is_the_reference_cluster():
    assert [pool["replicaCount"] for pool in training()["workerPoolSpecs"]] == [1, 5, 3]
    assert {pool["machineSpec"]["machineType"] for pool in training()["workerPoolSpecs"]} == {"n1-standard-8"}


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
        (lambda s: s["workerPoolSpecs"].__setitem__(1, {}), "workerPoolSpecs[1] (workers): machineType is missing"),
        (lambda s: s.update(workerPoolSpecs=[]), "has 0 worker pools; write 1 to 4: master, workers"),
        (
            lambda s: s.update(workerPoolSpecs=s["workerPoolSpecs"] * 2),
            "has 6 worker pools; write 1 to 4: master, workers",
        ),
        (lambda s: s["workerPoolSpecs"].pop(), "has workers, but no parameter servers"),
        (
            lambda s: pool(s, MASTER)["machineSpec"].update(acceleratorType="NVIDIA_TESLA_K80"),
            "NVIDIA_TESLA_K80 was retired on 1 May 2024",
        ),
        (
            lambda s: pool(s, MASTER)["machineSpec"].pop("machineType"),
            "machineType is missing; write one such as n1-standard-8",
        ),
        (lambda s: s["scheduling"].update(timeout="1 day"), "is not a CustomJobSpec"),
        (lambda s: s["scheduling"].update(timeout=datetime.date(2026, 1, 1)), "is not a CustomJobSpec"),
        (lambda s: pool(s, MASTER).update(machineSpec=["n1"]), "is not a CustomJobSpec"),
        (lambda s: pool(s, MASTER)["machineSpec"].update(acceleratorType=[]), "is not a CustomJobSpec"),
        (lambda s: pool(s, MASTER)["containerSpec"].update(args="--a"), "is not a CustomJobSpec"),
        (lambda s: pool(s, MASTER)["containerSpec"].update(args=["--steps", 5]), "is not a CustomJobSpec"),
        (lambda s: s.update(scheduling="5h"), "is not a CustomJobSpec"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    assert any(message in found for found in messages(broken(change))), messages(broken(change))


def test_flags_that_the_program_does_not_take_are_named_once():
    spec = training()
    for each in spec["workerPoolSpecs"]:
        each["containerSpec"]["args"].append("--learning_rate=3")
    findings = job_spec.check(spec, "job.yaml")
    assert [str(each) for each in findings] == [
        "error: job.yaml: workerPoolSpecs[0] (master): args: unknown flag --learning_rate: it is in the pipeline config; scripts/make_config.py makes one; see the program's --help."
    ]


def test_a_name_without_a_value_is_refused():
    with pytest.raises(DataError, match="the job specification has BUKET, but only BUCKET are known"):
        job_spec.fill({"workerPoolSpecs": [], "a": ["gs://${BUKET}/x"]}, {"BUCKET": "b"})


def test_an_entry_without_a_value_is_left_out():
    template = {"workerPoolSpecs": [], "a": None, "b": "${NAME}", "c": {"d": None}, "e": 0}
    assert job_spec.fill(template, {"NAME": ""}) == {"workerPoolSpecs": [], "c": {}, "e": 0}


def test_flags_of_the_program_follow_the_template_s():
    spec = job_spec.fill(job_spec.read_template(TRAINING), VALUES, ["--num_steps=7"])
    arguments = [each["containerSpec"]["args"] for each in spec["workerPoolSpecs"]]
    assert [each[-1] for each in arguments] == ["--num_steps=7"] * 4 and len(arguments[0]) == 4


def test_pools_are_left_out_only_from_the_end():
    template = job_spec.read_template(TRAINING)
    one = job_spec.with_replicas(template, 0, 0, evaluator=False)
    assert len(one["workerPoolSpecs"]) == 1
    for evaluator, expected in ((False, [1, 2, 3]), (True, [1, 2, 3, 1])):
        pools = job_spec.with_replicas(template, 2, None, evaluator)["workerPoolSpecs"]
        assert [each["replicaCount"] for each in pools] == expected
    with pytest.raises(UsageError, match="a job with parameter servers also needs workers"):
        job_spec.with_replicas(template, 0, None, evaluator=False)
    with pytest.raises(UsageError, match="--evaluator needs workers and parameter servers; for one machine run"):
        job_spec.with_replicas(template, 0, 0, evaluator=True)
    with pytest.raises(UsageError, match="has no pool for workers; see cloud/vertex_training.yaml"):
        job_spec.with_replicas(one, 1, None, evaluator=False)
    with pytest.raises(UsageError, match="has no pool for evaluator; see cloud/vertex_training.yaml"):
        job_spec.with_replicas(one, None, None, evaluator=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workerPoolSpecs: [", "template.yaml: is not YAML: .*line 1, column 19"),
        ("trainingInput: {scaleTier: CUSTOM}", "has no list workerPoolSpecs of objects"),
        ("workerPoolSpecs: [a]", "has no list workerPoolSpecs of objects"),
    ],
)
def test_a_file_that_is_not_a_template_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(DataError, match=message):
        job_spec.read_template(tmp_path / "template.yaml")
