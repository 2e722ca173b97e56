"""Many runs of one design: study, runner, store, reading back, report."""
