"""What a process shows of itself to those who watch over it.

    health   may it be left alone, may it be counted on, has it started: checks and their words
    looks    what is looked at in a worker
    lag      how far it is behind, by partition
    server   the one small HTTP server that answers
    pages    what a worker answers
    slots    what `run --slots` answers for all of its workers
    spans    what is traced: a span a batch and one a commit
    tracing  where spans go, if anywhere
    probe    asks, for `latentprint health`

What is counted is declared in `worker/metrics.py`.
"""
