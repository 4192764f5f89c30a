"""What a run is on disk: settings, the presets they come from, the folder, checkpoints, provenance.

settings.json      every choice of the run, see `settings`
checkpoint-<n>/    the state after n updates, see `checkpoints`
report.json        what it came to, and on which machine, see `provenance`
"""
