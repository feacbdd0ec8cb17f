"""The study's questions, each answered with an effect, its interval, a margin, the power, and a plain sentence."""
