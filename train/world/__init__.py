"""The embedded world: math, code and general data in the formats of the real benchmarks."""
