"""Tables of settings (name, type, default, help) for help texts and docs, made from the code."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass

from fledge.run.setting_types import dataclass_of, default_of, has_default, shown, type_name


@dataclass(frozen=True)
class SettingRow:
    """One line of a table of settings."""

    name: str
    type: str
    default: str
    help: str
    affects_result: bool = True


def settings_table(cls: type, prefix: str = "") -> list[SettingRow]:
    """Every setting of a dataclass, nested ones with dotted names, in the order of the code."""
    hints, rows = typing.get_type_hints(cls), []
    for item in dataclasses.fields(cls):
        name, nested = f"{prefix}{item.name}", dataclass_of(hints[item.name])
        if nested is not None:
            rows += settings_table(nested, name + ".")
            continue
        choices = item.metadata.get("choices")
        rows.append(
            SettingRow(
                name,
                " | ".join(map(str, choices)) if choices else type_name(hints[item.name]),
                shown(default_of(item)) if has_default(item) else "required",
                item.metadata.get("help", ""),
                item.metadata.get("affects_result", True),
            )
        )
    return rows
