"""Where generated code runs: a separate, limited process tree without network, of a probed and recorded level."""
