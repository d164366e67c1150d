"""Signals during a training."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from scripts.lib.training.interruption import Interruption


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_noted_and_the_handlers_are_put_back(number, status, capfd):
    before = signal.getsignal(number)
    interruption = Interruption()
    assert interruption.exit_status == 0
    with interruption.awaited():
        signal.raise_signal(number)
    assert (interruption.signal, interruption.exit_status) == (number, status)
    assert signal.getsignal(number) is before
    assert "Ending after this step, with a checkpoint" in capfd.readouterr().err


def test_the_second_signal_ends_the_process(repository_root):
    code = (
        "import signal; from scripts.lib.training.interruption import Interruption\n"
        "with Interruption().awaited():\n"
        "    signal.raise_signal(signal.SIGINT)\n    signal.raise_signal(signal.SIGINT)\n    print('goes on')"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr.endswith("interrupted\n")
