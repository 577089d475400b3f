"""How Kafka is reached.

login        who we are: TLS and SASL, read anew at every connection
clients      consumers and producers, with the library's traps disarmed
assignor     which member of the group reads which partitions
batches      stands in the place of the client's own: a batch costs no more memory than it may
acls         one right on Kafka, and how it is said
rights       who needs which: one table
refusals     what Kafka refuses: settings told from outages
trouble      why it cannot be reached
admin        questions to the cluster, with a deadline and an answer in words
topics       their names, and how each is to be
topic_creation  they are made, and altered
read_back    what a topic holds now, read once
leaving      a slot leaves its group for good
group_floor  what the group's committed offsets say of the registry
"""
