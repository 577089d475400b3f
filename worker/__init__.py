"""From image event to verdict: the worker and the commands around it."""
