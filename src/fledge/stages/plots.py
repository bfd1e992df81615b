"""The report's pictures, drawn by matplotlib without a display, as SVG text that is the same for the same data."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

DASHES = ("--", ":", "-.")
COLOURS = ("#2563a8", "#d9822b", "#3d8f5f", "#b0413e", "#7a5ba6", "#6b7785")
Losses = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""Tokens, minutes, losses."""
Share = tuple[float, float, float]
"""Mean, standard error and chance level."""


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


def _plain(text: str) -> str:
    """``text`` as it is: between two dollar signs matplotlib would read mathematics."""
    return text.replace("$", r"\$")


def _smooth(values: Sequence[float]) -> list[float]:
    """Exponential average with a window of a fiftieth of the run, without the bias of its start."""
    keep = 1 - 1 / max(1.0, len(values) / 50)
    mean, weight, smoothed = 0.0, 0.0, []
    for value in values:
        mean = keep * mean + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smoothed.append(mean / weight)
    return smoothed


def loss_curves(train: Mapping[str, Losses], heldout: Mapping[str, Mapping[str, Losses]], heldout_label: str) -> str:
    """Loss against tokens and against time, one colour a run.

    ``heldout`` holds the curves of each run by the name of the text, a way of dashing each, drawn on an axis of its
    own at the right.
    """
    texts = sorted({name for curves in heldout.values() for name in curves})
    dashes = {name: DASHES[i % len(DASHES)] for i, name in enumerate(texts)}
    figure, (by_tokens, by_minutes) = _figure(9.5, 3.6, 2)
    for axis, column, label in ((by_tokens, 0, "tokens (millions)"), (by_minutes, 1, "minutes")):
        right = axis.twinx()
        right.spines[["top"]].set_visible(False)
        lows, highs = [], []
        for colour, (name, data) in zip(COLOURS, train.items(), strict=False):
            x = [value / 1e6 for value in data[0]] if column == 0 else list(data[1])
            smoothed = _smooth(data[2])
            axis.plot(x, data[2], color=colour, alpha=0.18, linewidth=0.8)
            axis.plot(x, smoothed, color=colour, linewidth=1.8, label=_plain(name))
            lows.append(min(smoothed))
            highs.append(smoothed[min(len(smoothed) - 1, len(smoothed) // 50)])
            for text, measured in heldout.get(name, {}).items():
                x = [value / 1e6 for value in measured[0]] if column == 0 else list(measured[1])
                style = {"color": colour, "linestyle": dashes[text], "linewidth": 1, "marker": "o", "markersize": 4}
                right.plot(x, measured[2], **style, gid=f"heldout-{name}-{text}-{column}")
        if lows:
            axis.set_ylim(max(0.0, min(lows) * 0.85), max(highs) * 1.1)
        axis.set_xlabel(label)
        axis.set_ylabel("training loss (nats a token)")
        right.set_ylabel(f"{heldout_label} (dashed)")
        right.set_visible(bool(texts))
        if len(texts) > 1:
            axis.plot([], [], linestyle="none", label="held out:")
            for text in texts:
                axis.plot([], [], color=COLOURS[-1], linestyle=dashes[text], linewidth=1, label=_plain(text))
        if len(train) > 1 or len(texts) > 1:
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
    axis.set_yticks(rows, [_plain(step) for step in steps])
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    return _svg(figure)


def bars(labels: Mapping[str, str], runs: Mapping[str, Mapping[str, Share]]) -> str:
    """Shares in percent with one standard error and a tick at chance: a group of bars a label, in it one a run.

    ``labels`` and the shares of each run are by the name of what is measured.
    """
    names = list(labels)
    height = 0.34 if len(runs) == 1 else 0.22 * len(runs) + 0.12
    figure, (axis,) = _figure(9.5, 0.8 + height * len(names))
    axis.grid(visible=False)
    thick = 0.62 if len(runs) == 1 else 0.8 / len(runs)
    for place, (colour, (run, shares)) in enumerate(zip(COLOURS, runs.items(), strict=False)):
        rows = [row + (place - (len(runs) - 1) / 2) * thick for row, name in enumerate(names) if name in shares]
        shown = [tuple(100 * value for value in shares[name]) for name in names if name in shares]
        means, errors = [mean for mean, _, _ in shown], [error for _, error, _ in shown]
        drawn = axis.barh(
            rows, means, xerr=errors, color=colour, ecolor="#1d2733", capsize=2, height=0.94 * thick, label=_plain(run)
        )
        for bar, name in zip(drawn, (name for name in names if name in shares), strict=True):
            bar.set_gid(f"bar-{name}-{run}")
        for row, (mean, _, chance) in zip(rows, shown, strict=True):
            axis.text(103, row, f"{mean:.0f} %", va="center", fontsize=9 if len(runs) == 1 else 7)
            axis.plot([chance] * 2, [row - thick * 0.6, row + thick * 0.6], color=COLOURS[3], linewidth=2)
    axis.set_yticks(range(len(names)), [_plain(label) for label in labels.values()])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, 112)
    axis.set_xticks(range(0, 101, 20))
    axis.set_xlabel("percent right (whiskers: one standard error; red: chance)")
    if len(runs) > 1:
        figure.legend(loc="outside upper right", ncols=len(runs), frameon=False)
    return _svg(figure)
