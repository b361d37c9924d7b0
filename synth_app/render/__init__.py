"""Turning note keys into note buffers: the cache, the planner that decides what to render next, and the worker."""
