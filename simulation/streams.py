"""Named random streams: one a purpose, so that a change in one place leaves every other draw as it was."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, replication: int, name: str) -> np.random.Generator:
    """Return the generator of a purpose: a function of (seed, replication, name), the same in every process."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, replication, crc32(name.encode())])))
