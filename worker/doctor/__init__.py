"""What an operator would look at, looked at in one go: reads everything, changes nothing.

findings      what a check found, and what the whole comes to
examination   every check, side by side, within a time
machine       this machine: versions, files, the place for compiled loops
judging       bundle, policy, device and sandbox, in a process of its own
cluster       Kafka: reached, its topics, its limits
rights        which rights on Kafka are missing, by role
traffic       the group, its lag, transactions that stay open, records from the future
registry      Redis and the registry in it
certificates  how long the certificates of both services and our own are valid
"""
