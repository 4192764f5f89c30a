"""The machine at hand: device, dtype, threads and compilation; the processes that work together."""
