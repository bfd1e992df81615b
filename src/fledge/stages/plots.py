"""The report's pictures, drawn by matplotlib without a display, as SVG text that is the same for the same data."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = ("#2563a8", "#d9822b", "#3d8f5f", "#b0413e", "#7a5ba6", "#6b7785")
Curve = tuple[Sequence[float], Sequence[float]]


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#e3e8ee", linewidth=0.8)
        axis.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "fledge", "svg.fonttype": "path", "font.size": 10}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _smooth(values: Sequence[float]) -> list[float]:
    """Exponential average with a window of a fiftieth of the run, without the bias of its start."""
    keep = 1 - 1 / max(1.0, len(values) / 50)
    mean, weight, smoothed = 0.0, 0.0, []
    for value in values:
        mean = keep * mean + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smoothed.append(mean / weight)
    return smoothed


def loss_curves(
    train: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    heldout: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    heldout_label: str,
) -> str:
    """Loss against tokens and against time, one colour a run.

    Each value is (tokens, minutes, loss); ``heldout`` is drawn on an axis of its own at the right.
    """
    figure, (by_tokens, by_minutes) = _figure(9.5, 3.6, 2)
    for axis, column, label in ((by_tokens, 0, "tokens (millions)"), (by_minutes, 1, "minutes")):
        right = axis.twinx()
        right.spines[["top"]].set_visible(False)
        lows, highs = [], []
        for colour, (name, data) in zip(COLOURS, train.items(), strict=False):
            x = [value / 1e6 for value in data[0]] if column == 0 else list(data[1])
            smoothed = _smooth(data[2])
            axis.plot(x, data[2], color=colour, alpha=0.18, linewidth=0.8)
            axis.plot(x, smoothed, color=colour, linewidth=1.8, label=name)
            lows.append(min(smoothed))
            highs.append(smoothed[min(len(smoothed) - 1, len(smoothed) // 50)])
            if name in heldout:
                measured = heldout[name]
                x = [value / 1e6 for value in measured[0]] if column == 0 else list(measured[1])
                right.plot(x, measured[2], color=colour, marker="o", markersize=4, linewidth=1, linestyle="--")
        if lows:
            axis.set_ylim(max(0.0, min(lows) * 0.85), max(highs) * 1.1)
        axis.set_xlabel(label)
        axis.set_ylabel("training loss (nats a token)")
        right.set_ylabel(f"{heldout_label} (dashed)")
        if len(train) > 1:
            axis.legend(frameon=False)
    return _svg(figure)


def funnel(steps: Sequence[str], kept: Sequence[float], lost: Sequence[float], unit: str) -> str:
    """What came in at each step, what went on (dark) and what was lost to its rule (light)."""
    figure, (axis,) = _figure(9.5, 0.8 + 0.34 * len(steps))
    axis.grid(visible=False)
    rows = range(len(steps))
    axis.barh(rows, kept, color=COLOURS[0])
    axis.barh(rows, lost, left=kept, color=COLOURS[1], alpha=0.75)
    for row, (left, gone) in enumerate(zip(kept, lost, strict=True)):
        if gone:
            axis.text(left + gone, row, f" −{gone:,.2f}" if gone < 10 else f" −{gone:,.0f}", va="center", fontsize=8)
    axis.set_yticks(rows, steps)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    return _svg(figure)


def bars(names: Sequence[str], values: Sequence[float], errors: Sequence[float], marks: Sequence[float | None]) -> str:
    """Shares in percent with one standard error; ``marks`` are chance levels, drawn as a tick."""
    figure, (axis,) = _figure(9.5, 0.8 + 0.34 * len(names))
    axis.grid(visible=False)
    rows = range(len(names))
    percent = [100 * value for value in values]
    axis.barh(rows, percent, xerr=[100 * e for e in errors], color=COLOURS[0], ecolor="#1d2733", capsize=2, height=0.62)
    for row, (value, mark) in enumerate(zip(percent, marks, strict=True)):
        axis.text(103, row, f"{value:.0f} %", va="center", fontsize=9)
        if mark is not None:
            axis.plot([100 * mark] * 2, [row - 0.4, row + 0.4], color=COLOURS[3], linewidth=2)
    axis.set_yticks(rows, names)
    axis.set_xlim(0, 112)
    axis.set_xticks(range(0, 101, 20))
    axis.invert_yaxis()
    axis.set_xlabel("percent right (whiskers: one standard error; red: chance)")
    return _svg(figure)


def lines(curves: Mapping[str, Curve], x_label: str, y_label: str) -> str:
    """Named curves over one axis."""
    figure, (axis,) = _figure(9.5, 3.0)
    for colour, (name, (x, y)) in zip(COLOURS, curves.items(), strict=False):
        axis.plot(x, y, color=colour, linewidth=1.6, label=name)
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    if len(curves) > 1:
        axis.legend(frameon=False)
    return _svg(figure)
