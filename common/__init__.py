"""What every package needs: rows of files, JSON, digests, the hub, command options."""
