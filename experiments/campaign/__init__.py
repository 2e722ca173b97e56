"""A campaign: random scenarios drawn from the declared parameters, each run checked, each failure cut down to what it takes."""
