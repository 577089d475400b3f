"""Who watches the worker: rules, dashboard, and both servers."""
