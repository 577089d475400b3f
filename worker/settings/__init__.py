"""The settings: every one, in small frozen groups, each passed only to its user.

`worker.settings_sources` reads them from flags, environment, file and the local services' state;
no other setting is read from the environment. What `run` takes from it besides is handed on: to the
processes of its slots, and a failpoint of the scenario tests. `deploy/.env.example` lists them all.

    settings   all groups together
    group      what every group is made of
    kafka      how the worker reaches Kafka and who it is there
    redis      where the registry is
    trust      whose signatures count, and which key signs
    cores      how many cores there are, and so how many decoders
    images     what an image may cost, how it is extracted, how it is decided
    references which images may be fetched that events only refer to, and at what cost
    delivery   how much is in flight, when it is committed, and when too much is rejected
    seen       what is written to stderr, and where the worker can be seen from outside
    notify     how alerts are told to others
"""
