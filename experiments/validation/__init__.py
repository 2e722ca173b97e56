"""Validation: published results and exactly computed cases that must come out of this project's own rules.

Case files are JSON: inputs, expected values and a tolerance. :func:`check_cases` runs every case of a folder; a form is
recognised by its inputs, so that new cases of a known form need no code.
"""

from __future__ import annotations

from experiments.validation.cases import SHIPPED, Case, load_cases
from experiments.validation.check import Check, check_cases

__all__ = ["SHIPPED", "Case", "Check", "check_cases", "load_cases"]
