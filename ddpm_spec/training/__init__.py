"""Training on real images: settings, data, the loop, checkpoints, figures of merit and the report.

The state of a run is (step, parameters, EMA, optimizer). All randomness is a function of (seed, step,
position in the global batch), see `ddpm_spec.noise`, so a run goes on from any step as if it had
never stopped.
"""
