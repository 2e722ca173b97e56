"""The claims of the article on compute finance: paired experiments, verdicts, and the ranges over which they stand.

``catalogue`` holds the claims, ``measures`` what is read from a run, ``lab`` plays runs and keeps them, ``judge`` gives
the verdict at the base; ``spans`` finds the parameters that nobody has a source for, ``flips`` looks for verdicts that
turn within their ranges (``tests`` is its statistics), ``joint`` moves all of them at once; ``document`` writes it down.
"""
