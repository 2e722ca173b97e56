"""Many runs: designs, store, analysis, figures, reports, the command line.

``load(DIR)`` reads a sweep back; ``simulate(theta, names, months, seed)`` is the seam for calibration and for other
packages of sensitivity analysis and inference.
"""

from __future__ import annotations

from typing import Any

__all__ = ["load", "simulate"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `firesale --help` does not import pandas and the engine.
    if name in __all__:
        from experiments.sweeps import reading

        return getattr(reading, name)
    raise AttributeError(f"module 'experiments' has no attribute {name!r}")
