"""The benchmarks: how fast changes arrive, what that costs, and beside what."""
