"""The world of a run: tables, population, networks, opening fleet, drivers, random streams."""
