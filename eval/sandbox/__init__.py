"""Generated code runs here: in separate, limited processes without a network, at a level that was probed."""
