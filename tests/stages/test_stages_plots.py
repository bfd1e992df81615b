"""The report's pictures: names are drawn as they are written."""

from __future__ import annotations

import pytest

from fledge.stages import plots

ODD = r"r$_{$"
CURVE = ([1e6, 2e6, 3e6], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0])


@pytest.mark.parametrize("name", [ODD, "$x$ and $y$", r"\$5", "$"])
def test_dollars_in_names_are_no_mathematics(name: str) -> None:
    share = (0.5, 0.1, 0.2)
    pictures = [
        plots.loss_curves({name: CURVE, "b": CURVE}, {name: {"x": CURVE, f"{name} t": CURVE}}, "bits per byte"),
        plots.funnel([name, "b"], [2.0, 1.0], [0.0, 1.0], "MB"),
        plots.bars({"a": name}, {"one": {"a": share}}),
        plots.bars({"a": "a"}, {name: {"a": share}, "two": {"a": share}}),
    ]
    for svg in pictures:
        assert f"<!-- {name} -->" in svg
