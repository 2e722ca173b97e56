"""Specifications of rules: each an example that a reader can check by head, run interpreted, in milliseconds."""
