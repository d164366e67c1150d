"""What the training's loop is told to do: save, evaluate, end; and what is said on the way."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from scripts.lib.core.errors import DataError
from scripts.lib.training import observer as training_observer
from scripts.lib.training.loop import NonFiniteLossError, TrainingStep
from scripts.lib.training.observer import Interruption, TrainingObserver
from scripts.lib.training.progress import TrainingProgress


class Evaluations:
    """A stand-in for TrainingEvaluations: one is due each ten steps, and says so when the next step is done."""

    end_reached = None

    def __init__(self):
        self.started, self.abandoned = [], False

    def is_due(self, step: int) -> bool:
        return step % 10 == 0

    def start(self, prefix: str) -> None:
        self.started.append(prefix)

    def poll(self) -> None:
        if self.started:
            self.say(f"Evaluation of {self.started[-1]}")

    def abandon(self) -> None:
        self.abandoned = True


@pytest.fixture
def now(monkeypatch):
    """The time, which the test sets."""
    now = [0.0]
    monkeypatch.setattr(training_observer.time, "monotonic", lambda: now[0])
    return now


def make(evaluations=None, save_every_steps=None, save_every_secs=120) -> TrainingObserver:
    progress = TrainingProgress(num_steps=100, batch_size=2)
    return TrainingObserver(progress, None, evaluations, save_every_steps, save_every_secs)


def step(number: int, loss: float = 2.5) -> TrainingStep:
    return TrainingStep(number, loss, {}, None)


def walk(observer: TrainingObserver, steps, is_chief: bool = True, each=lambda: None) -> list[int]:
    """Does steps as the trainer would; returns those after which a checkpoint was saved."""
    saved = []

    def save() -> str:
        saved.append(observer.last_step.number)
        return f"model.ckpt-{observer.last_step.number}"

    with observer.observe("train"):
        observer.begin(is_chief, save)
        for number in steps:
            each()
            if observer.after_step(step(number)):
                break
    return saved


@pytest.mark.parametrize(("event", "ends"), [(0, False), (1, False), (2, True), (5, True), (6, True)])
def test_on_windows_closing_the_window_ends_the_training_with_a_checkpoint(event, ends, monkeypatch):
    """CTRL_C_EVENT and CTRL_BREAK_EVENT are Python's; at CTRL_CLOSE, _LOGOFF and _SHUTDOWN_EVENT Windows is held up."""
    seconds, observer = [], make()
    monkeypatch.setattr(training_observer.time, "sleep", seconds.append)
    assert observer.interruption._on_console_event(event) == ends
    assert seconds == [60] * ends
    steps = []
    walk(observer, [1, 2], each=lambda: steps.append(None))
    assert (len(steps), observer.interruption.exit_status) == ((1, 143) if ends else (2, 0))


def test_windows_tells_of_its_window_while_a_training_runs_and_not_after_it(monkeypatch):
    handlers = []

    class Kernel:
        def SetConsoleCtrlHandler(self, handler, add):
            handlers.append(handler) if add else handlers.remove(handler)

    monkeypatch.setattr(training_observer.files, "ON_WINDOWS", True)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", lambda *types: lambda function: function, raising=False)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=Kernel()), raising=False)
    with Interruption().awaited():
        assert [handler(0) for handler in handlers] == [False]
    assert handlers == []


def test_saves_after_so_many_steps_even_if_some_are_left_out(now):
    assert walk(make(save_every_steps=5), [3, 4, 6, 7, 9, 11]) == [6, 11]


def test_saves_after_so_much_time(now):
    def a_minute():
        now[0] += 60

    assert walk(make(save_every_secs=120), range(1, 7), each=a_minute) == [2, 4, 6]


def test_a_replica_that_is_not_the_chief_saves_nothing(now):
    assert walk(make(save_every_steps=1), range(1, 5), is_chief=False) == []


def test_an_evaluation_gets_a_checkpoint_of_its_step_and_none_outlives_the_run(now, monkeypatch):
    evaluations = Evaluations()
    monkeypatch.setattr(Evaluations, "end_reached", "enough")
    monkeypatch.setattr(Evaluations, "evaluate", lambda *_: pytest.fail("it has ended"), raising=False)
    assert walk(make(evaluations), [10, 11]) == [10]
    assert evaluations.started == ["model.ckpt-10"]
    assert evaluations.abandoned


def test_what_an_evaluation_says_takes_the_progress_off_the_terminals_line(now, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    evaluations = Evaluations()
    monkeypatch.setattr(Evaluations, "evaluate", lambda *_: None, raising=False)
    monkeypatch.setattr(training_observer.checkpoint_files, "latest", lambda _: "model.ckpt-10")
    walk(make(evaluations), [10])
    out, err = capsys.readouterr()
    line = "step 10/100: loss 2.500"
    assert out == "Evaluation of model.ckpt-10\n"
    assert err == f"\r{line}\r{' ' * len(line)}\r"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([41, 42], "the loss of step 43 is infinite or not a number, after 2.500:\n"),
        ([], "the loss of this run's first step is infinite or not a number:\n"),
    ],
)
def test_a_loss_that_is_no_number_is_said_with_all_that_is_known(now, steps, said):
    observer = make()
    with pytest.raises(DataError) as caught, observer.observe("runs/train"):
        observer.begin(True, lambda: "")
        for number in steps:
            observer.after_step(step(number))
        raise NonFiniteLossError("  Loss/localization_loss inf\n  images of the batch: a.jpg, b.jpg")
    message = str(caught.value)
    assert message.startswith(said)
    assert "  Loss/localization_loss inf\n  images of the batch: a.jpg, b.jpg\n  likely" in message
    assert "likely causes: a learning rate that is too high" in message
    assert caught.value.consequence == "the checkpoints up to there are in runs/train"


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
        "import signal; from scripts.lib.training.observer import Interruption\n"
        "with Interruption().awaited():\n"
        "    signal.raise_signal(signal.SIGINT)\n    signal.raise_signal(signal.SIGINT)\n    print('goes on')"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr.endswith("interrupted\n")
