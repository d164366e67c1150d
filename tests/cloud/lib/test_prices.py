"""The estimate of what a job costs."""

from __future__ import annotations

import pytest

from cloud.lib import job_spec, prices
from scripts.lib.core import files

T4_MACHINE = {"machineType": "n1-standard-8", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}


def test_a_machine_costs_its_parts_and_fifteen_percent():
    n1_standard_8 = (8 * 0.031611 + 30 * 0.004237) * 1.15
    assert prices.machine_an_hour("n1-standard-8") == pytest.approx(n1_standard_8)
    assert prices.machine_an_hour("n1-standard-8", "NVIDIA_TESLA_T4", 2) == pytest.approx(
        n1_standard_8 + 2 * 0.35 * 1.15
    )
    assert prices.machine_an_hour("g2-standard-4", "NVIDIA_L4", 1) == pytest.approx(0.7068 * 1.15)
    assert prices.machine_an_hour("m9-huge-1") is None
    assert prices.machine_an_hour("n1-standard-8", "NVIDIA_NEW", 1) is None


def test_all_replicas_count_up_to_the_timeout():
    spec = {"workerPoolSpecs": [{"replicaCount": 2, "machineSpec": T4_MACHINE}], "scheduling": {"timeout": "7200s"}}
    estimate = prices.estimate(spec)
    assert estimate.an_hour == pytest.approx(2 * prices.machine_an_hour("n1-standard-8", "NVIDIA_TESLA_T4", 1))
    assert estimate.hours == 2
    spec["scheduling"]["strategy"] = "SPOT"
    assert prices.estimate(spec).an_hour == pytest.approx(estimate.an_hour * 0.4)


def test_what_has_no_price_is_named():
    spec = {
        "workerPoolSpecs": [{"machineSpec": {"machineType": "a3-highgpu-8g", "acceleratorType": "NVIDIA_H100_80GB"}}]
    }
    assert "without a3-highgpu-8g with NVIDIA_H100_80GB, for which there is no price" in str(prices.estimate(spec))


def test_dataflow_s_machines_are_estimated():
    estimate = prices.dataflow_estimate("e2-standard-4", 10)
    assert estimate.startswith("about 2.83 US dollars an hour with 10 machines (list prices of ")
    assert prices.dataflow_estimate("m9-huge-1", 10) == "there is no price here for m9-huge-1"


def test_the_page_names_the_prices_of_the_template():
    page = files.default_path("cloud/README.md").read_text(encoding="utf-8")
    template = job_spec.read_template(files.default_path("cloud/vertex_training.yaml"))
    cluster = prices.estimate(job_spec.with_replicas(template, {job_spec.EVALUATOR: 0}))
    one = prices.estimate(job_spec.with_replicas(template, {1: 0, 2: 0, 3: 0}))
    assert f"about {one.an_hour:.2f} US dollars an hour, the other {cluster.an_hour:.2f}" in " ".join(page.split())
