"""The threads, and the promise: exactly one answer for every event, committed with its offset.

    run                 the worker on one screen: what is built, in which order it ends
    start_checks        what makes a worker refuse to start
    poller              the consumer; admits records, pauses, seeks
    positions           where reading begins, and what is missing there
    rebalance_listener  partitions come and go
    in_flight           what was admitted and is not committed yet, whose it is, and the one bound
    entries             one event of these, and how far it has come
    threads             decode threads, and how all threads between poll and commit are wired
    hand_over           what one thread hands to another: bounded, a batch is what waits
    judging             the thread that extracts, and the one that judges meanwhile
    fetching            fetch threads: images that events only refer to, and their tries
    answers             a verdict or a dead letter, and the records that say so
    committer           when to commit
    transaction         in which order, and what follows a doubt

Beside the way:

    breaker             holds back a sender of rejects; stops where everything is rejected
    accounts            what the log and the figures say of batches, transactions and answers
"""
