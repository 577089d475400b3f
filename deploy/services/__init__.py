"""A local Apache Kafka and a local Redis: real servers, child processes, loopback only.

The demo, the tests and `latentprint services` use the same two functions,
`deploy.services.kafka.start_kafka` and `deploy.services.redis.start_redis`.
Nothing here knows the rest of the project.

Read in this order: `kafka`, `redis` (one server each), `processes` (how a child is started, watched
and stopped), `local` (both servers detached, remembered in a `state` file), `cli`.
"""
