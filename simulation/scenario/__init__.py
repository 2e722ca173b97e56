"""Scenarios: parameters by whom they describe; reading config files, checking them, placing their faults."""
