"""What speaks for or against the model: calibration, claims, stylised facts, the hindcast of 2022."""
