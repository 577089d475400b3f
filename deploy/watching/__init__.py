"""What watches the worker: alarm rules, a dashboard, and the settings of those who run them.

    prometheus.yaml     what is scraped
    alerts.yaml         the alarm rules; docs/operations/alarms.md has a heading for each
    alertmanager.yaml   who is told what
    graphs              what the dashboard shows
    dashboard           writes `dashboard.json`, which is imported into Grafana

Figures are strings here; tests hold them against what the worker declares.
"""
