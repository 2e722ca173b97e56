"""Calibration: a declared objective, a search, what the data pin and what they leave open, forecasts of held-out data.

``declare`` reads the file, ``records`` the data it names, ``moments`` compares a run with them, ``search`` looks for
the best candidate, ``identify`` asks what pins it, ``forecast`` shows what was held out, ``report`` and ``figures``
tell it; ``calibrate`` is the whole of it.
"""
