"""The page: step through a cascade in the browser (opened by ``firesale browse``, imported by nothing else)."""
