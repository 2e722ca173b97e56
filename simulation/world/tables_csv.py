"""Users' CSV files: balance sheets, edge lists, paths; every fault located as file:line:column."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Mapping

from simulation.scenario.faults import ConfigError, Fault


def read_rows(
    path: str, parameter: str, columns: Mapping[str, type[str] | type[float]], required: tuple[str, ...] = ()
) -> dict[str, list]:
    """Return the columns of a CSV file with a header, converted (``float`` or ``str``).

    ``columns`` are the names allowed, ``required`` those that must be there. Raises ConfigError with every
    fault: unknown or missing columns, short rows, text where a number belongs, numbers that are not finite.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [
                (number, row) for number, row in enumerate(csv.reader(file), 1) if row and not row[0].startswith("#")
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([Fault(path, parameter, f"cannot be read as CSV: {error}")]) from None
    if len(lines) < 2:
        raise ConfigError([Fault(path, parameter, "has no rows: it needs a header line and at least one row")])
    number, header = lines[0]
    header = [name.strip() for name in header]
    faults = []
    for k, name in enumerate(header):
        if name not in columns:
            near = difflib.get_close_matches(name, columns, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known columns: {', '.join(columns)}"
            faults.append(Fault(f"{path}:{number}:{k + 1}", parameter, f"unknown column {name!r}{hint}"))
        elif name in header[:k]:
            faults.append(Fault(f"{path}:{number}:{k + 1}", parameter, f"column {name!r} stands twice"))
    for name in required:
        if name not in header:
            faults.append(Fault(f"{path}:{number}:1", parameter, f"column {name!r} is missing"))
    data: dict[str, list] = {name: [] for name in header if name in columns}
    for number, row in lines[1:]:
        if len(row) != len(header):
            faults.append(
                Fault(f"{path}:{number}:1", parameter, f"has {len(row)} fields, the header has {len(header)}")
            )
            continue
        for k, (name, text) in enumerate(zip(header, row, strict=True)):
            if name not in columns:
                continue
            value: str | float = text.strip()
            if columns[name] is float:
                try:
                    number_read = float(value)
                except ValueError:
                    number_read = math.nan
                value = number_read
                if not math.isfinite(number_read):
                    faults.append(
                        Fault(f"{path}:{number}:{k + 1}", f"{parameter}: {name}", f"{text!r} is not a number")
                    )
            data[name].append(value)
    if faults:
        raise ConfigError(faults)
    return data
