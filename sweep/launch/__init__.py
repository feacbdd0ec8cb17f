"""Launchers: the local worker pool and SLURM through submitit."""
