"""Programs that validate and watch: had from the machine, else from Debian's packages, unpacked.

errors   why a tool cannot be had
debian   Prometheus, Alertmanager and a Redis with TLS, without root
"""
