"""The worker on a card: `python -m benchmarks.gpu` measures it, `docs/operations/gpu.md` tells it.

counting  what a batch asks of a device: operations, bytes, products, and waits
stages    decode, extract and match, each alone
held      what a batch holds of a card's memory at its fullest
histograms  ways to count symbols, timed beside one another
model     from what was counted to images a second of a card, on paper
page      the page
"""
