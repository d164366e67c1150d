"""The calculation of a catalogue's hours and dollars: limits that can be told by hand, and the README's table."""

from __future__ import annotations

import pytest

from cloud import detection_cost
from cloud.lib import prices
from scripts.lib.core.errors import UsageError

MACHINE = prices.machine_of("e2-standard-4")
PLAIN = ("--busy=1", "--repeated=0", "--start_minutes=0", "--photos_a_second=25")


def arguments(*flags: str):
    return detection_cost.parse_arguments([*PLAIN, *flags])


def test_one_machine_takes_the_photos_at_its_rate():
    run = detection_cost.run(arguments("--photos=360000", "--num_shards=1000000"), MACHINE, 1)
    assert run.hours == pytest.approx(1, rel=1e-3) and run.photos_a_second == pytest.approx(100, rel=1e-3)
    assert run.dollars_machines == pytest.approx(4 * 0.056 + 16 * 0.003557 + 30 * 0.000054, rel=1e-3)


def test_twice_the_machines_take_half_the_time_for_the_same_money():
    args = arguments("--num_shards=1000000")
    one, two = (detection_cost.run(args, MACHINE, machines) for machines in (100, 200))
    assert two.hours == pytest.approx(one.hours / 2, rel=1e-2) and two.dollars == pytest.approx(one.dollars, rel=1e-2)


def test_no_run_is_shorter_than_a_shard():
    args = arguments("--photos=3600000", "--num_shards=10", "--shards_at_once=2")
    many, more = (detection_cost.run(args, MACHINE, machines) for machines in (100, 1000))
    assert many.hours == more.hours == pytest.approx(2)  # 360,000 photos, by half a machine


def test_reading_costs_a_request_a_photo():
    run = detection_cost.run(arguments("--photos=1e6", "--num_shards=1"), MACHINE, 1)
    assert run.dollars_storage == pytest.approx(0.4, rel=1e-3)


def test_a_network_that_is_too_narrow_is_the_limit():
    assert detection_cost.machine_rate(arguments("--gbps=0.008", "--kilobytes=100"), MACHINE) == pytest.approx(10)


def test_an_unknown_machine_is_refused():
    with pytest.raises(UsageError, match="--machine_type m9-huge-1: known are n1, n2 and e2"):
        detection_cost.main(["--machine_type=m9-huge-1"])


@pytest.mark.parametrize("flag", ["--repeated=-1", "--disk_gigabytes=nan", "--photos=0"])
def test_an_assumption_that_cannot_be_is_refused(flag, capsys):
    with pytest.raises(SystemExit, match="2"):
        arguments(flag)
    assert f"argument {flag.partition('=')[0]}: " in capsys.readouterr().err


def test_the_table_of_the_readme_is_the_one_that_is_computed(capsys, repository_root):
    assert not detection_cost.main([])
    readme = (repository_root / "cloud" / "README.md").read_text(encoding="utf-8")
    for line in filter(None, capsys.readouterr().out.splitlines()):
        assert line in readme
