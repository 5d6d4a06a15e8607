"""Threads, timers, coroutines and time budgets on a reactor; independent of protocols."""

__all__: list[str] = []
