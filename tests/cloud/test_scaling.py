"""The model of a cluster's throughput."""

import pytest

from cloud import scaling
from scripts.lib.core.errors import UsageError

CLUSTER = scaling.Cluster(
    compute_seconds=0.2,
    batch_size=10,
    step_bytes=20e6,
    fullest_share=0.5,
    replica_line=1e9,
    server_line=1e9,
    update_seconds=0.01,
    spread=0.1,
)
FREE_NETWORK = CLUSTER._replace(step_bytes=1e-9, update_seconds=1e-12, spread=0.0)


@pytest.mark.parametrize("model", [scaling.asynchronous, scaling.in_step])
def test_without_a_network_to_wait_for_throughput_is_ideal(model):
    assert model(FREE_NETWORK, 20).images_per_second == pytest.approx(20 * 10 / 0.2)


def test_one_replica_computes_then_waits_for_the_longer_of_the_two_ends():
    # 20 MB over its own line each way (the server's half of it takes less long), and half of the update
    assert scaling.asynchronous(CLUSTER, 1).images_per_second == pytest.approx(10 / (0.2 + 2 * 0.02 + 0.005))
    assert scaling.in_step(CLUSTER, 1).images_per_second == pytest.approx(10 / (0.2 + 2 * 0.02 + 0.005))


def test_many_replicas_are_bound_by_the_fullest_server():
    result = scaling.asynchronous(CLUSTER, 500)
    assert result.images_per_second == pytest.approx(10 / (20e6 * 0.5 / 1e9), rel=0.1)
    assert 0.9 < result.busy <= 1
    in_step = scaling.in_step(CLUSTER, 500)
    assert in_step.images_per_second == pytest.approx(10 / (2 * 20e6 * 0.5 / 1e9), rel=0.1)
    assert in_step.busy < 0.1


def test_in_step_is_never_faster_than_asynchronous_and_neither_than_ideal():
    for count in (2, 5, 20, 100):
        in_step = scaling.in_step(CLUSTER, count).images_per_second
        assert in_step <= scaling.asynchronous(CLUSTER, count).images_per_second <= count * 10 / 0.2


def test_variables_are_dealt_out_by_number_not_by_size():
    sizes, trainable = [100, 5, 50, 5, 100, 5], [True, False] * 3
    assert scaling.fullest_share(sizes, trainable, 1) == 1
    assert scaling.fullest_share(sizes, trainable, 2) == 1  # every other one is trainable
    assert scaling.fullest_share(sizes, trainable, 4) == pytest.approx(200 / 250)


def test_table_has_a_row_for_each_count():
    rows = scaling.table(CLUSTER, [1, 5]).splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["1", "5"]


@pytest.mark.parametrize("flag", ["--replica_gbps=0", "--replica_gbps=-1", "--replica_gbps=x", "--spread=-1"])
def test_an_assumption_that_cannot_be_is_refused(flag, capsys):
    with pytest.raises(SystemExit) as ended:
        scaling.parse_arguments([flag])
    assert ended.value.code == 2
    assert f"argument {flag.partition('=')[0]}: " in capsys.readouterr().err
    assert scaling.parse_arguments(["--spread=0"]).spread == 0


def test_a_model_of_two_stages_is_refused(repository_root):
    config = repository_root / "configs" / "faster_rcnn_resnet101.config"
    with pytest.raises(UsageError, match="SSD models alone"):
        scaling.main(["--pipeline_config_path", str(config)])


def test_variables_are_counted_on_the_model_that_is_trained(tf, repository_root):
    sizes, trainable = scaling.count_variables(
        scaling.pipeline_config.read(repository_root / "configs" / "ssd_mobilenet_v1_multi.config")
    )
    assert len(sizes) == len(trainable)
    assert sum(size for size, is_trainable in zip(sizes, trainable, strict=True) if is_trainable) > 5_000_000
