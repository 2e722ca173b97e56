"""What is measured of a month and of a run: depth, books, identities, the summary, who caused whose fall."""
