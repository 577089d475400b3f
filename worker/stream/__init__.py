"""The threads, and the promise: exactly one answer for every event, committed with its offset.

    run                 the worker on one screen: what is built, in which order it ends
    start_checks        what makes a worker refuse to start
    poller              the consumer; admits records, pauses, seeks
    positions           where reading begins, and what is missing there
    rebalance_listener  partitions come and go
    in_flight           what was admitted and is not committed yet, whose it is, and the one bound
    threads             decode threads and the inference thread
    fetching            fetch threads: images that events only refer to, and their tries
    answers             a verdict or a dead letter, and the records that say so
    committer           when to commit
    counted             what the figures say of what was committed
    transaction         in which order, and what follows a doubt

Beside the way:

    breaker             holds back a sender of rejects; stops where everything is rejected
    watchdog            ends the process when a call does not return
    failpoints          where the scenario tests make it fail
    log_lines           the canonical lines of batch, commit and reject
"""
