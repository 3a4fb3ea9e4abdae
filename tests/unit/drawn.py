"""What every figure must fulfil, checked on the drawn canvas."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text

from proformer.figures import style


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def assert_nothing_is_cut(figure: Figure) -> None:
    """One or two columns wide, no font below 6 pt, every text within the page."""
    style.styled(figure.canvas.draw)()
    width, height = figure.get_size_inches() * figure.dpi
    assert round(figure.get_size_inches()[0] * 25.4) in (85, 180)
    renderer = figure.canvas.get_renderer()
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    ticks = {tick for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_ticklabels()}
    for text in shown:
        assert text.get_fontsize() >= style.SMALL, text
        box = text.get_window_extent(renderer)
        inside = box.x0 >= -0.5 and box.y0 >= -0.5 and box.x1 <= width + 0.5 and box.y1 <= height + 0.5
        assert inside or text in ticks, f"{text.get_text()!r} is cut"


def assert_no_two_texts_overlap(figure: Figure) -> None:
    """Tick labels outside the axes' limits are not drawn and do not count."""
    style.styled(figure.canvas.draw)()
    renderer = figure.canvas.get_renderer()
    boxes = []
    for axes in figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks():
                if not min(limits) <= tick.get_loc() <= max(limits):
                    tick.set_visible(False)
                    tick.label1.set_visible(False)
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            boxes.append((text.get_text(), text.get_window_extent(renderer).shrunk(0.9, 0.7)))
    pairs = [
        (a, b) for i, (a, x) in enumerate(boxes) for b, y in boxes[i + 1 :] if x.overlaps(y) and x.width and y.width
    ]
    assert not pairs
