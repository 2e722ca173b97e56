"""One run: its folder of results, its report, its figures."""
