"""What every package needs: rows of files, JSON, digests, the hub, command options, and how a command starts."""

__version__ = "0.2.0.dev0"
