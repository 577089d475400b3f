"""Programs that validate and watch: had from the machine, else fetched without root.

errors   why a tool cannot be had
debian   Prometheus, Alertmanager and a Redis with TLS, without root
helm     Helm, built by Go where it is not there
chart    the chart, rendered and held against schemas
check    `make deploy-check`: everything that can be validated here
"""
