"""A local Apache Kafka and Redis, and Prometheus and Alertmanager: child processes, loopback only.

The demo, the tests and `latentprint services` use the same functions,
`deploy.services.kafka.start_kafka`, `deploy.services.redis.start_redis` and the two of
`deploy.services.prometheus`. Nothing here knows the rest of the project.

Read in this order: `kafka`, `redis`, `prometheus` (one server each), `processes` (how a child is
started, watched and stopped), `local` and `watching` (both servers detached, remembered in a
`state` file), `cli`, `contribute` (what `latentprint` is told of it).
"""
