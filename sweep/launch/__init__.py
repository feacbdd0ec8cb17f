"""Launchers: a pool of worker processes on this machine, and SLURM through submitit."""
