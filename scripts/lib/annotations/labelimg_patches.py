"""Patches for LabelImg 1.8.6, its last release (October 2021), applied while it runs; and settings of the launcher.

Up to Python 3.9 a float was cut to an integer where Qt wants one. Since 3.10 it is a TypeError (bpo-37999), and PyQt5
ends the program at an error that nothing catches. Each function patches one place: it takes the module or class of
LabelImg that it changes. The installed files stay as they are.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from types import ModuleType

VERSION = "1.8.6"


def import_patched() -> ModuleType:
    """Return LabelImg's main module with all patches applied; call it once."""
    provide_distutils()
    from labelImg import labelImg
    from libs import canvas, zoomWidget

    draw_at_whole_pixels(canvas)
    zoom_by_whole_percents(zoomWidget.ZoomWidget)
    scroll_by_whole_pixels(labelImg)
    pan_by_fractions(labelImg)
    return labelImg


def provide_distutils() -> None:
    """Let LabelImg's unused `import distutils.spawn` succeed: Python 3.12 has no distutils (PEP 632)."""
    if sys.version_info >= (3, 12) and "distutils" not in sys.modules:
        package, module = types.ModuleType("distutils"), types.ModuleType("distutils.spawn")
        package.spawn, package.__path__ = module, []
        sys.modules |= {"distutils": package, "distutils.spawn": module}


def draw_at_whole_pixels(canvas: ModuleType) -> None:
    """Round the coordinates at which crosshair, new box and class name are painted: floats."""
    canvas.QPainter = _rounding(canvas.QPainter, "drawLine", "drawRect", "drawText")


def zoom_by_whole_percents(zoom_widget: type) -> None:
    """Round the zoom of Ctrl and the mouse wheel: `10 * delta / 120` percent, a float."""
    zoom_widget.setValue = _rounded(zoom_widget.setValue)


def scroll_by_whole_pixels(main: ModuleType) -> None:
    """Round how far the mouse wheel, and zooming at the cursor, move the scroll bars."""
    scroll_bar = _rounding(main.QScrollBar, "setValue")

    class ScrollArea(main.QScrollArea):
        def __init__(self):
            super().__init__()
            self.setVerticalScrollBar(scroll_bar(main.Qt.Vertical))
            self.setHorizontalScrollBar(scroll_bar(main.Qt.Horizontal))

    main.QScrollArea = ScrollArea


def pan_by_fractions(main: ModuleType) -> None:
    """Declare the signal of dragging the image anew, to carry a float; the scroll bars round in the end."""

    class Canvas(main.Canvas):
        scrollRequest = main.pyqtSignal(float, int)

    main.Canvas = Canvas


def start_with_settings(settings: type, values: dict[str, object]) -> None:
    """Set values of LabelImg's `SETTING_...` for this run, whatever it remembers of the last one."""
    load = settings.load

    def load_and_set(self) -> None:
        load(self)
        self.data.update(values)

    settings.load = load_and_set


def annotate_in_sub_folders(main_window: type, image_dir: Path, annotations_dir: Path) -> None:
    """Save the annotation of samples/shop/dress.jpg as annotations/shop/dress.xml, as xml_to_csv.py reads it.

    LabelImg itself keeps all in one folder, where a second dress.jpg would overwrite the boxes of the first.
    """
    load_file = main_window.load_file

    def load_file_and_find_annotation(self, file_path=None):
        if file_path and Path(file_path).is_relative_to(image_dir):
            folder = annotations_dir / Path(file_path).relative_to(image_dir).parent
            folder.mkdir(parents=True, exist_ok=True)
            self.default_save_dir = str(folder)
        return load_file(self, file_path)

    main_window.load_file = load_file_and_find_annotation


def show_in_order(main_window: type, paths: list[Path]) -> None:
    """List these images in this order, as far as Qt can read them, instead of all by name."""
    scan = main_window.scan_all_images

    def scan_in_order(self, folder) -> list[str]:
        readable = set(scan(self, folder))
        return [str(path) for path in paths if str(path) in readable]

    main_window.scan_all_images = scan_in_order


def _rounding(qt_class: type, *methods: str) -> type:
    """Return a subclass of a Qt class whose named methods take floats."""
    return type(qt_class.__name__, (qt_class,), {name: _rounded(getattr(qt_class, name)) for name in methods})


def _rounded(method):
    def call(self, *arguments):
        return method(self, *(round(value) if isinstance(value, float) else value for value in arguments))

    return call
