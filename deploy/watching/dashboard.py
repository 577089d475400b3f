"""The Grafana dashboard, written from this file: `python -m deploy.watching.dashboard`.

It needs `grafana-foundation-sdk` of the extra `dev`; whoever only imports `dashboard.json` into
Grafana needs nothing.
"""

from pathlib import Path
from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

from deploy.watching.graphs import AT_A_GLANCE, ROWS, Graph

FILE: Final = Path(__file__).with_name("dashboard.json")
WIDTH: Final = 24
"""Columns of Grafana's grid."""

_SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${source}")


def document() -> str:
    """The dashboard as JSON, as it is imported into Grafana."""
    board = (
        boards.Dashboard("Latentprint")
        .uid("latentprint")
        .description("What the workers judge, how late, by which registry, and who is told.")
        .tags(["latentprint"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(boards.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(
            boards.QueryVariable("slot")
            .label("Slot")
            .datasource(_SOURCE)
            .query("label_values(latentprint_ready, slot)")
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
    for graph in AT_A_GLANCE:
        board.with_panel(_number(graph).span(WIDTH // len(AT_A_GLANCE)).height(4))
    for title, graphs in ROWS.items():
        board.with_row(boards.Row(title))
        for graph in graphs:
            board.with_panel(_lines(graph).span(WIDTH // 3).height(8))
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"


def _targets(graph: Graph) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().ref_id(letter).expr(query).legend_format(legend or "__auto")
        for letter, (query, legend) in zip(ascii_uppercase, graph.queries, strict=False)
    ]


def _number(graph: Graph) -> stat.Panel:
    panel = (
        stat.Panel()
        .title(graph.title)
        .description(graph.about)
        .datasource(_SOURCE)
        .unit(graph.unit)
        .reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    for target in _targets(graph):
        panel.with_target(target)
    return panel


def _lines(graph: Graph) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(graph.title)
        .description(graph.about)
        .datasource(_SOURCE)
        .unit(graph.unit)
        .min(0)
        .fill_opacity(30 if graph.stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
    )
    if graph.ceiling is not None:
        panel.max(graph.ceiling)
    if graph.stacked:
        panel.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL))
    for target in _targets(graph):
        panel.with_target(target)
    return panel


if __name__ == "__main__":
    FILE.write_text(document())
