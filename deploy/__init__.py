"""What runs around the worker: local services, images, Kubernetes, dashboards, alarms."""
