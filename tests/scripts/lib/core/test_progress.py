"""Progress, and durations as text."""

from __future__ import annotations

import pytest

from scripts.lib.core.progress import duration


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185.2, "3 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (600_000, "166 h 40 min"),
    ],
)
def test_durations_read_well(seconds, expected):
    assert duration(seconds) == expected
