"""What watches the worker: alarm rules, and the settings of Prometheus and Alertmanager.

prometheus.yaml     what is scraped
alerts.yaml         the alarm rules; docs/operations/alarms.md has a heading for each
alertmanager.yaml   who is told what
"""
