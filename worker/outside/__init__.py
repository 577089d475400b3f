"""Beside the worker, on the same topics: who sends events and who reads what came of them.

submit             files become events, at a rate
watch              verdicts and dead letters, as they come
watched            a record as a document, of `watch` and of `scan`
watch_lines        one line each
agreement          verdicts of workers in shadow, beside those that count
dead_letter_queue  dead letters listed, redriven, discarded
"""
