"""Running workloads on engines and keeping what they took: time, memory, energy."""
