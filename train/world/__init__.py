"""The embedded world: small, generated math, code and general data sets in the formats of real benchmarks."""
