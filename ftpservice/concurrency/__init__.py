"""Threads, timers, coroutines and time budgets on a reactor; knows no protocol."""

__all__: list[str] = []
