"""Plan and run sweeps of fine-tunes: cells, stages, store, launchers."""
