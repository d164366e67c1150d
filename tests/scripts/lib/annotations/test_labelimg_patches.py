"""The patches for LabelImg, on stand-ins that refuse floats as Qt does; test_label_images.py has the real window."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.lib.annotations import labelimg_patches


class Strict:
    """A Qt class: its methods take integers, texts and objects, and remember them."""

    def __init__(self, *arguments):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, arguments))


def strict(*methods):
    def method(name):
        def call(self, *arguments):
            if any(isinstance(value, float) for value in arguments):
                raise TypeError(f"{name}: argument has unexpected type 'float'")
            self.calls.append((name, arguments))

        return call

    return type("Strict", (Strict,), {name: method(name) for name in methods})


def test_the_stand_in_refuses_floats_as_qt_does():
    with pytest.raises(TypeError, match="unexpected type 'float'"):
        strict("setValue")().setValue(1.5)


def test_the_painter_rounds_coordinates_and_leaves_the_rest():
    canvas = SimpleNamespace(QPainter=strict("drawLine", "drawRect", "drawText"))
    labelimg_patches.draw_at_whole_pixels(canvas)
    painter = canvas.QPainter()
    painter.drawLine(1.6, 0, 1.6, 480)
    painter.drawRect(10.4, 20.6, -3.5, 7)
    painter.drawText(3.2, 4, "Tops")
    painter.scale(0.5, 0.5)
    assert painter.calls == [
        ("drawLine", (2, 0, 2, 480)),
        ("drawRect", (10, 21, -4, 7)),
        ("drawText", (3, 4, "Tops")),
        ("scale", (0.5, 0.5)),
    ]


def test_the_zoom_is_a_whole_percentage():
    zoom_widget = strict("setValue")
    labelimg_patches.zoom_by_whole_percents(zoom_widget)
    widget = zoom_widget()
    widget.setValue(101.25)
    widget.setValue(90)
    assert widget.calls == [("setValue", (101,)), ("setValue", (90,))]


def test_both_scroll_bars_take_fractions():
    main = SimpleNamespace(
        QScrollArea=Strict, QScrollBar=strict("setValue"), Qt=SimpleNamespace(Vertical=2, Horizontal=1)
    )
    labelimg_patches.scroll_by_whole_pixels(main)
    (vertical, (vertical_bar,)), (horizontal, (horizontal_bar,)) = main.QScrollArea().calls
    assert (vertical, horizontal) == ("setVerticalScrollBar", "setHorizontalScrollBar")
    for bar in (vertical_bar, horizontal_bar):
        bar.setValue(12.7)
        assert bar.calls == [("setValue", (13,))]


def test_panning_is_signalled_with_a_float():
    class Canvas:
        scrollRequest = ("signal", int, int)

    main = SimpleNamespace(Canvas=Canvas, pyqtSignal=lambda *types: ("signal", *types))
    labelimg_patches.pan_by_fractions(main)
    assert issubclass(main.Canvas, Canvas)
    assert main.Canvas.scrollRequest == ("signal", float, int)


def test_distutils_can_be_imported_on_any_python(repository_root):
    code = (
        f"import sys; sys.path.insert(0, {str(repository_root)!r}); sys.modules.pop('distutils', None)\n"
        "from scripts.lib.annotations import labelimg_patches; labelimg_patches.provide_distutils()\n"
        "import distutils.spawn"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_distutils_is_stood_in_for_where_the_standard_library_has_none(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "distutils"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "version_info", (3, 12, 0, "final", 0))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    labelimg_patches.provide_distutils()
    assert sys.modules["distutils.spawn"] is sys.modules["distutils"].spawn


class Settings:
    def __init__(self):
        self.data = {}

    def load(self):
        self.data = {"autosave": False, "advanced": True}


def test_this_runs_settings_come_before_the_remembered_ones():
    settings_class = type("Settings", (Settings,), {})
    labelimg_patches.start_with_settings(settings_class, {"autosave": True})
    settings = settings_class()
    settings.load()
    assert settings.data == {"autosave": True, "advanced": True}


class MainWindow:
    default_save_dir = "elsewhere"

    def load_file(self, file_path=None):
        return self.default_save_dir

    def scan_all_images(self, folder):
        return [str(Path(folder) / name) for name in ("a.jpg", "b.jpg", "c.jpg")]


def test_annotations_lie_in_sub_folders_like_the_images(tmp_path):
    window = type("MainWindow", (MainWindow,), {})
    labelimg_patches.annotate_in_sub_folders(window, tmp_path / "samples", tmp_path / "annotations")
    assert window().load_file(str(tmp_path / "samples" / "a.jpg")) == str(tmp_path / "annotations")
    assert window().load_file(str(tmp_path / "samples" / "shop" / "a.jpg")) == str(tmp_path / "annotations" / "shop")
    assert (tmp_path / "annotations" / "shop").is_dir()
    assert window().load_file(str(tmp_path / "other" / "a.jpg")) == "elsewhere"
    assert window().load_file() == "elsewhere"


def test_a_queue_is_shown_in_its_order_without_what_qt_cannot_read(tmp_path):
    window = type("MainWindow", (MainWindow,), {})
    names = ["c.jpg", "new.heic", "a.jpg"]
    labelimg_patches.show_in_order(window, [tmp_path / name for name in names])
    assert window().scan_all_images(str(tmp_path)) == [str(tmp_path / "c.jpg"), str(tmp_path / "a.jpg")]


def test_the_patches_change_labelimg_itself():
    pytest.importorskip("PyQt5", reason="PyQt5 is not installed", exc_type=ImportError)
    pytest.importorskip("labelImg", reason="LabelImg is not installed")
    label_img = labelimg_patches.import_patched()
    canvas = importlib.import_module("libs.canvas")
    assert label_img.Canvas.__mro__[1] is canvas.Canvas
    assert canvas.QPainter.__mro__[1].__module__ == "PyQt5.QtGui"
    assert label_img.QScrollArea.__mro__[1].__module__ == "PyQt5.QtWidgets"
