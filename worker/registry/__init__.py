"""What is held of the registry while images are judged.

start     waits for Redis before anything is read, and refuses what cannot be judged with
follower  holds the newest verified snapshot and knows its age
floor     what the group has seen of it, so that an older one is refused
trusted   whether trusted keys vouch for it
view      what judgement sees: a snapshot and its age
"""
