"""The environment of a cluster's processes."""

import json

import pytest

from scripts.lib.config import pipeline_config
from scripts.lib.core.errors import DataError
from scripts.lib.training import cluster

HOSTS = {"chief": ["c:2222"], "worker": ["w0:2222", "w1:2222"], "ps": ["p0:2222"]}
POOLS = {
    "workerpool0": ["c:2222"],
    "workerpool1": ["w0:2222", "w1:2222"],
    "workerpool2": ["p0:2222"],
    "workerpool3": ["e:2222"],
}


def variable(hosts: dict, task_type: str = "worker", index: object = 0) -> str:
    return json.dumps({"cluster": hosts, "task": {"type": task_type, "index": index}, "environment": "cloud"})


def config(**train_config) -> pipeline_config.Message:
    message = pipeline_config.protos.load("pipeline").TrainEvalPipelineConfig()
    for name, value in train_config.items():
        setattr(message.train_config, name, value)
    return message


def test_vertex_ai_s_chief_becomes_the_master_that_the_trainer_knows():
    environment = {"TF_CONFIG": variable(HOSTS, "chief")}
    task = cluster.enter(config(), environment)
    assert (task.type, task.index, task.name, task.number) == ("master", 0, "master", 0)
    written = json.loads(environment["TF_CONFIG"])
    assert written["cluster"] == {"master": ["c:2222"], "worker": ["w0:2222", "w1:2222"], "ps": ["p0:2222"]}
    assert written["task"] == {"type": "master", "index": 0}


def test_ml_engine_s_master_stays_one():
    hosts = {"master": ["c:2222"], "worker": ["w0:2222"], "ps": ["p0:2222"]}
    environment = {"TF_CONFIG": variable(hosts, "worker")}
    task = cluster.enter(config(), environment)
    assert json.loads(environment["TF_CONFIG"])["cluster"] == hosts
    assert (task.name, task.number) == ("worker/0", 1)


@pytest.mark.parametrize(
    ("pool", "task_type"), [("workerpool0", "master"), ("workerpool1", "worker"), ("workerpool2", "ps")]
)
def test_cluster_spec_stands_in_for_a_missing_tf_config(pool, task_type):
    environment = {"CLUSTER_SPEC": variable(POOLS, pool)}
    task = cluster.enter(config(), environment)
    assert (task.type, task.has_evaluator) == (task_type, True)
    written = json.loads(environment["TF_CONFIG"])
    assert written["cluster"] == {"master": ["c:2222"], "worker": ["w0:2222", "w1:2222"], "ps": ["p0:2222"]}
    assert written["task"]["type"] == task_type


def test_tf_config_does_not_tell_of_the_evaluator_and_cluster_spec_does():
    environment = {"TF_CONFIG": variable(HOSTS, "chief"), "CLUSTER_SPEC": variable(POOLS, "workerpool0")}
    assert cluster.from_environment(environment).has_evaluator
    del environment["CLUSTER_SPEC"]
    assert not cluster.from_environment(environment).has_evaluator


@pytest.mark.parametrize(
    "environment", [{"TF_CONFIG": variable(HOSTS, "evaluator")}, {"CLUSTER_SPEC": variable(POOLS, "workerpool3")}]
)
def test_the_evaluator_is_a_task_and_no_part_of_the_cluster(environment):
    task = cluster.from_environment(environment)
    assert task.type == "evaluator"
    assert "evaluator" not in task.addresses


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TF_CONFIG": "{}"},
        {"TF_CONFIG": ""},
        {"TF_CONFIG": json.dumps({"environment": "cloud", "cluster": {}, "task": {}})},
        {"TF_CONFIG": variable({"chief": ["c:2222"]}, "chief")},
        {"CLUSTER_SPEC": variable({"workerpool0": ["c:2222"]}, "workerpool0")},
        {"CLUSTER_SPEC": variable({"workerpool0": ["c:2222"], "workerpool1": []}, "workerpool0")},
    ],
)
def test_one_machine_trains_as_without_a_cluster(environment):
    assert cluster.enter(config(), environment) is None
    assert "TF_CONFIG" not in environment


def test_a_single_trainer_with_an_evaluator_waits_for_it():
    pools = {"workerpool0": ["c:2222"], "workerpool3": ["e:2222"]}
    task = cluster.from_environment({"CLUSTER_SPEC": variable(pools, "workerpool0")})
    assert (task.type, task.has_evaluator) == ("master", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'cluster': {}}", "Expecting property name enclosed in double quotes"),
        ("[1]", "TF_CONFIG is '[1]' ("),
        ('{"cluster": [1]}', "expected JSON with cluster (lists of HOST:PORT) and task (type and index)"),
        (
            variable({"chief": ["c:1"], "worker": ["w:1"]}),
            "the cluster has workers but no ps (parameter server); on Vertex AI, add one as the third worker pool",
        ),
        (variable({"worker": ["w:1"], "ps": ["p:1"]}), "has 0 chiefs or masters; it needs one"),
        (variable({"chief": ["c:1"], "master": ["m:1"], "ps": ["p:1"], "worker": ["w:1"]}), "has 2 chiefs or masters"),
        (variable({**HOSTS, "helper": ["h:1"]}), "(KeyError: 'helper'); expected JSON"),
        (variable({**HOSTS, "ps": 5}), "(TypeError: "),
        (variable(HOSTS, "worker", "x"), "(ValueError: invalid literal for int() with base 10: 'x')"),
        (variable(HOSTS, "helper"), "(KeyError: 'helper'); expected JSON"),
    ],
)
def test_a_description_that_cannot_work_is_one_sentence(text, message):
    with pytest.raises(DataError) as caught:
        cluster.from_environment({"TF_CONFIG": text})
    assert len(caught.value.findings) == 1
    assert message in caught.value.findings[0]
    assert caught.value.consequence == "the training was not started"


def test_training_in_step_is_checked_before_it_starts():
    with pytest.raises(DataError) as caught:
        cluster.enter(
            config(sync_replicas=True, replicas_to_aggregate=5, batch_size=24), {"TF_CONFIG": variable(HOSTS)}
        )
    delay, batch = caught.value.findings
    assert "sync_replicas does not go with startup_delay_steps 15" in delay
    assert "batch_size 24 is not divisible by replicas_to_aggregate 5" in batch
    (nobody,) = cluster.check_sync_replicas(config(sync_replicas=True, replicas_to_aggregate=0, startup_delay_steps=0))
    assert "not divisible by replicas_to_aggregate 0, the number of replicas" in nobody


def test_one_worker_does_not_train_in_step(capsys):
    """Case 5: it would hang at its end."""
    alone = config(sync_replicas=True, replicas_to_aggregate=8, batch_size=2)
    assert cluster.enter(alone, {}) is None
    assert not alone.train_config.sync_replicas
    assert capsys.readouterr().out.count("sync_replicas is for several workers; there is one, so it is ignored") == 1


def test_training_in_step_that_works_is_let_through():
    train_config = {"sync_replicas": True, "replicas_to_aggregate": 3, "batch_size": 24, "startup_delay_steps": 0}
    assert cluster.check_sync_replicas(config(**train_config)) == []
    assert cluster.check_sync_replicas(config(batch_size=25)) == []
